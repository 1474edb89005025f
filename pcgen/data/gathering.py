"""Reading the clouds of a listing one by one, checked, thinned to one size, into one tensor."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from pcgen.data.axes import to_y_up
from pcgen.data.clouds import Clouds
from pcgen.data.source import Listing, Raw, told, too_large
from pcgen.data.thinning import thinned_rows

__all__ = ["clean", "gather"]

Cloud = tuple[NDArray[np.float32], NDArray[np.float32] | None]  # points and normals, (N, 3)

_SHOWN = 3  # names in a note; the rest is counted


def gather(
    listing: Listing,
    source: str,
    *,
    points: int | None,
    surface_points: int,
    seed: int,
    up: str,
    drop_bad: bool,
    max_bytes: int,
) -> Clouds:
    """Read every cloud of a listing; the arguments are those of `load`.

    Raises:
        ValueError: a cloud cannot be read, is too small or has NaN, or the clouds have different numbers of points.
    """
    for argument, value in (("points", points), ("surface_points", surface_points)):
        if value is not None and value < 1:
            raise ValueError(f"{argument}: must be at least 1, got {value}")
    if not listing.names:
        raise ValueError(f"{source}: holds no clouds; give a source of at least one")
    pile = _Pile(len(listing.names), source, max_bytes)
    faults: list[str] = []
    bad: list[int] = []  # their rows
    short: list[int] = []  # the sizes of clouds that are too small, and else good
    for row, name in enumerate(listing.names):
        try:
            cloud = clean(listing.read(row, surface_points if points is None else points))
            if points is not None:
                if len(cloud[0]) < points:
                    short.append(len(cloud[0]))
                cloud = _thin(cloud, points, name, seed)
        except (ValueError, OSError) as error:
            faults.append(told(listing.place(row, source), error))
            bad.append(row)
            continue
        pile.add(row, name, cloud)
    if faults and not (drop_bad and pile.rows):
        raise _refusal(listing, source, bad, faults[0], short)
    whole, normals, notes = pile.stacked()
    if faults:
        notes = (f"{len(faults)} of {len(listing.names)} clouds dropped: {_some(faults, '; ')}", *notes)
    kept = listing.narrow(pile.rows)
    places = {name: place for place, name in enumerate(kept.order)}
    return Clouds(
        points=to_y_up(whole, up),
        normals=None if normals is None else to_y_up(normals, up),
        labels=None if kept.labels is None else torch.tensor([places[label] for label in kept.labels]),
        classes=kept.order,
        names=tuple(kept.names),
        splits=None if kept.splits is None else tuple(kept.splits),
        source=source,
        notes=(*listing.notes, *notes),
        drawn=kept.drawn,
    )


def clean(raw: Raw) -> Cloud:
    """The points of a cloud, (N, 3) float32, and its normals if it has them: (N, 6) is read as points with normals.

    Raises:
        ValueError: it has another shape, no point, no real numbers, or NaN, infinity, or a number beyond float32.
    """
    points, normals = raw.points, raw.normals
    if points.ndim != 2 or points.shape[1] not in (3, 6) or len(points) == 0:
        hint = "; transpose it" if points.ndim == 2 and points.shape[0] in (3, 6) and points.shape[1] > 6 else ""
        raise ValueError(f"must be (N, 3), or (N, 6) with normals, and N >= 1, got {tuple(points.shape)}{hint}")
    if points.dtype.kind not in "fiu":
        raise ValueError(f"must hold real numbers, got {points.dtype}")
    if points.shape[1] == 6:
        points, normals = points[:, :3], points[:, 3:]
    return _finite("point", points), None if normals is None else _finite("normal", normals)


def _finite(what: str, values: NDArray[np.generic]) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is told below
        narrow = np.ascontiguousarray(values, dtype=np.float32)
        total = narrow.sum(dtype=np.float64)
    if not np.isfinite(total):
        bad = ~np.isfinite(narrow).all(1)
        first = int(bad.argmax())
        raise ValueError(
            f"{what} {first} is {narrow[first].tolist()}; {int(bad.sum())} of {len(narrow)} hold NaN, infinity, or a "
            "number beyond float32"
        )
    return narrow


def _thin(cloud: Cloud, count: int, name: str, seed: int) -> Cloud:
    points, normals = cloud
    if len(points) == count:
        return cloud
    if len(points) < count:
        raise ValueError(f"has {len(points)} points, fewer than the {count} asked for")
    keep = thinned_rows(len(points), count, name, seed).numpy()
    return points[keep], None if normals is None else normals[keep]


class _Pile:
    """Clouds of one size in one array, filled as they come."""

    def __init__(self, most: int, source: str, max_bytes: int) -> None:
        self.most, self.source, self.max_bytes = most, source, max_bytes
        self.rows: list[int] = []
        self.sizes: dict[int, str] = {}  # every number of points met, with the name of its first cloud
        self.bare: list[str] = []  # names of clouds without normals
        self.points = self.normals = np.zeros((0, 0, 3), dtype=np.float32)

    def add(self, row: int, name: str, cloud: Cloud) -> None:
        points, normals = cloud
        if not self.rows:
            size = self.most * points.nbytes * (1 if normals is None else 2)
            if size > self.max_bytes:
                raise too_large(f"{self.source}: {self.most} clouds of {len(points)} points", size, self.max_bytes)
            self.points = np.empty((self.most, *points.shape), dtype=np.float32)
            self.normals = self.normals if normals is None else np.empty_like(self.points)
        self.rows.append(row)
        self.sizes.setdefault(len(points), name)
        if normals is None:
            self.bare.append(name)
        if len(self.sizes) > 1:
            return  # they cannot be stacked; the rest is read to tell the whole range
        self.points[len(self.rows) - 1] = points
        if normals is not None and len(self.normals):
            self.normals[len(self.rows) - 1] = normals

    def stacked(self) -> tuple[torch.Tensor, torch.Tensor | None, tuple[str, ...]]:
        """Points, normals if every cloud has them, and a note if only some have."""
        small, large = min(self.sizes), max(self.sizes)
        if small != large:
            raise ValueError(
                f"{self.source}: its clouds have from {small} ({self.sizes[small]}) to {large} ({self.sizes[large]}) "
                f"points; make them equal with points={small} (--points {small})"
            )
        count = len(self.rows)
        points = torch.from_numpy(self.points[:count])
        if self.bare:
            note = f"normals left out: {len(self.bare)} of {count} clouds, such as {self.bare[0]}, have none"
            return points, None, () if len(self.bare) == count else (note,)
        return points, torch.from_numpy(self.normals[:count]), ()


def _some(texts: Sequence[str], separator: str) -> str:
    more = f"{separator}and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return separator.join(texts[:_SHOWN]) + more


def _refusal(listing: Listing, source: str, bad: Sequence[int], fault: str, short: Sequence[int]) -> ValueError:
    """The error for clouds that cannot be used, in one line: which, the first one's fault, what to do."""
    asked, small = len(listing.names), len(short) == len(bad)
    ask = f"ask for points={min(short)} (--points {min(short)})" if small else ""
    if asked == 1:
        return ValueError(f"{fault}; {ask}" if small else fault)
    names = _some([listing.names[row] for row in bad], ", ")
    reason = fault.removeprefix(f"{listing.place(bad[0], source)}: ")
    what = f"{len(bad)} of {asked} clouds are {'too small' if small else 'bad'} ({names}; the first: {reason})"
    if len(bad) == asked:
        return ValueError(f"{source}: {what}; {ask or 'mend the source'}")
    return ValueError(f"{source}: {what}; {ask or 'mend them'}, or leave them out: drop_bad=True, --drop-bad")
