"""Clouds as PyTorch Geometric's data objects, and back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pcgen.data.clouds import Clouds
from pcgen.data.gathering import Reading, gather
from pcgen.data.source import GIB, Listing, Raw
from pcgen.data.surface import Mesh, Surface, stored_corners
from pcgen.seeds import stream

if TYPE_CHECKING:
    from torch_geometric.data import Data

__all__ = ["from_pyg", "to_pyg"]


def to_pyg(clouds: Clouds) -> "list[Data]":
    """One `torch_geometric.data.Data` per cloud: `pos` (N, 3), and `normal`, `y` (1,) and `name` if known.

    `pos` has true coordinates: float64 if the clouds are relative to an origin that is not 0.
    """
    from torch_geometric.data import Data

    items, coordinates = [], clouds.coordinates
    for row, name in enumerate(clouds.names):
        known: dict[str, Any] = {"name": name}
        if clouds.normals is not None:
            known["normal"] = clouds.normals[row]
        if clouds.labels is not None:
            known["y"] = clouds.labels[row : row + 1]
        items.append(Data(pos=coordinates[row], **known))
    return items


def from_pyg(
    dataset: "Sequence[Data]",
    *,
    classes: Sequence[str] | None = None,
    points: int | None = None,
    surface_points: int = 2048,
    seed: int = 0,
    up: str | None = None,
    drop_bad: bool = False,
    max_bytes: int = 4 * GIB,
) -> Clouds:
    """Clouds of a PyTorch Geometric dataset, such as its ModelNet, or of a list of its data.

    Each item has `pos` (N, 3), and may have `normal` (N, 3), `face` (3, F), which makes it a mesh sampled by area,
    and a class number `category` or `y` of one element. The other arguments are those of `load`.

    Args:
        classes: names of the classes by number; by default the dataset's `categories`, or the numbers if it has none.

    Raises:
        ValueError: an item has no `pos`, a class number has no name, or as for `load`.
    """
    items = list(dataset)
    for row, item in enumerate(items):
        if getattr(item, "pos", None) is None:
            raise ValueError(f"dataset: item {row} has no pos (N, 3), it has {', '.join(item.keys()) or 'nothing'}")
    source = type(dataset).__name__
    names = [str(getattr(item, "name", row)) for row, item in enumerate(items)]
    numbers = [_class_number(item) for item in items]
    order = tuple(classes if classes is not None else getattr(dataset, "categories", None) or ())

    def read(row: int, surface_points: int) -> Raw:
        item = items[row]
        pos = item.pos.detach().cpu().numpy()
        if getattr(item, "face", None) is not None:
            faces = item.face.detach().cpu().numpy().T.astype(np.int64)
            surface = Surface(Mesh(pos.astype(np.float64), faces))
            points, normals, _ = surface.sample(surface_points, stream("surface", names[row], seed))
            return Raw(points, normals, sampled=True, stored=stored_corners(pos, faces))
        normal = getattr(item, "normal", None)
        return Raw(pos, None if normal is None else normal.detach().cpu().numpy())

    listing = Listing(names=names, read=read, **_labels(numbers, order))
    how = Reading(
        points=points, surface_points=surface_points, seed=seed, up=up, drop_bad=drop_bad, max_bytes=max_bytes
    )
    return gather(listing, source, how)[0]


def _class_number(item: "Data") -> int | None:
    for key in ("category", "y"):
        value = getattr(item, key, None)
        if isinstance(value, int) or (isinstance(value, torch.Tensor) and value.numel() == 1):
            return int(value)
    return None


def _labels(numbers: Sequence[int | None], order: tuple[str, ...]) -> dict[str, Any]:
    """Class of each item and the order of the classes; empty unless every item has a class."""
    known = [number for number in numbers if number is not None]
    if not known or len(known) < len(numbers):
        return {}
    if not order:
        return {"labels": [str(n) for n in known], "classes": tuple(str(n) for n in sorted(set(known)))}
    if not 0 <= min(known) <= max(known) < len(order):
        raise ValueError(f"classes: must name numbers {min(known)} to {max(known)}, got {len(order)} names")
    return {"labels": [order[number] for number in known], "classes": order}
