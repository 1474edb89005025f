"""A set of clouds of one size, with their labels, names, splits and other properties."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pcgen.data.boxes import count_boxes, move
from pcgen.data.origin import ZERO, Triple, common_origin, refuse_unheld, shown
from pcgen.data.placement import Placement
from pcgen.data.rows import row_index
from pcgen.errors import choose

__all__ = ["SPLITS", "Clouds", "refuse_not_finite"]

SPLITS = ("train", "val", "test")

_SHOWN = 4  # classes in a short description


@dataclass(frozen=True)
class Clouds:
    """S clouds of N points each: points (S, N, 3) in the source's own units, y up, and the properties of each cloud.

    Coordinates for which float32 is not precise enough, such as map coordinates, are relative to `origin`: the true
    ones are `points.double() + origin`, which `coordinates` returns. Otherwise the origin is 0.

    Raises:
        ValueError: a tensor has another shape or type, or a field does not have one entry for every cloud.
    """

    points: Tensor  # (S, N, 3) float32
    normals: Tensor | None = None  # (S, N, 3) float32
    labels: Tensor | None = None  # (S,) int64, indices of `classes`
    classes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # one per cloud, stable; by default "0", "1", ...
    splits: tuple[str, ...] | None = None  # one per cloud: train, val or test
    source: str = "tensor"  # the spec it was loaded from, for messages
    notes: tuple[str, ...] = ()  # decisions of the loader that the user should know
    drawn: bool = False  # the source has no splits, and these are random, by the clouds' keys
    origin: Triple = ZERO  # the points are relative to it
    keys: tuple[str, ...] = ()  # one per cloud: the key of its random split, thinning and holding out
    boxes: Tensor | None = None  # (S, K, 6) float32: centre and size of the shapes in a scene, NaN if there is none
    # A normalisation, and each cloud's position and size by it, if the points are a part of those it was computed from.
    whole: tuple[str, Placement] | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.points.shape)
        if len(shape) != 3 or shape[2] != 3 or shape[1] < 1 or self.points.dtype != torch.float32:
            raise ValueError(
                f"points: must be (S, N, 3) float32 with N >= 1, got {shape} {self.points.dtype}; from {self.source}"
            )
        if self.normals is not None and self.normals.shape != self.points.shape:
            raise ValueError(f"normals: must have the shape of points, {shape}, got {tuple(self.normals.shape)}")
        if self.boxes is not None and (
            self.boxes.ndim != 3 or self.boxes.shape[::2] != (shape[0], 6) or self.boxes.dtype != torch.float32
        ):
            raise ValueError(f"boxes: must be ({shape[0]}, K, 6) float32, got {tuple(self.boxes.shape)}")
        if self.labels is not None:
            if self.labels.shape != shape[:1] or self.labels.dtype != torch.int64:
                raise ValueError(
                    f"labels: must be ({shape[0]},) int64, got {tuple(self.labels.shape)} {self.labels.dtype}"
                )
            if len(self) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.classes):
                raise ValueError(
                    f"labels: must be indices into the {len(self.classes)} classes, got "
                    f"{int(self.labels.min())} to {int(self.labels.max())}"
                )
        if not self.names:
            object.__setattr__(self, "names", tuple(str(row) for row in range(len(self))))
        if not self.keys:
            object.__setattr__(self, "keys", self.names)
        if len(self.origin) != 3 or not all(math.isfinite(value) for value in self.origin):
            raise ValueError(f"origin: must be three finite numbers, got {self.origin}")
        placements = None if self.whole is None else self.whole[1]
        each = (("names", self.names), ("splits", self.splits), ("keys", self.keys), ("whole", placements))
        for argument, values in each:
            if values is not None and len(values) != shape[0]:
                raise ValueError(f"{argument}: must be one for each of {shape[0]} clouds, got {len(values)}")
        for split in sorted(set(self.splits or ())):
            choose(split, SPLITS, "splits")

    @classmethod
    def of(cls, points: Tensor, **known: Any) -> "Clouds":
        """Clouds from true coordinates (S, N, 3), float32 or float64; the origin is 0 if float32 is precise enough.

        Args:
            points: true coordinates; float32 is not changed.
            known: the other fields.

        Raises:
            ValueError: as for `Clouds`; or a coordinate is NaN or infinite, or the clouds are too far from each other
                for float32, for every origin.
        """
        if points.is_floating_point() and points.ndim == 3:
            refuse_not_finite(points, known.get("names") or ())
        if points.dtype != torch.float64 or points.ndim != 3 or 0 in points.shape:
            return cls(points, **known)
        low, high = (bound.detach().cpu().numpy() for bound in (points.amin(1), points.amax(1)))
        origin = common_origin(low, high)
        clouds = cls((points - points.new_tensor(origin)).float(), **known, origin=origin)
        refuse_unheld(low, high, origin, clouds.names, clouds.source)
        return clouds

    def __len__(self) -> int:
        return self.points.shape[0]

    def __repr__(self) -> str:
        said = [f"{len(self)} of {self.points.shape[1]} points", *(["normals"] if self.normals is not None else [])]
        if self.classes:
            some = ", ".join(self.classes[:_SHOWN]) + ", ..." * (len(self.classes) > _SHOWN)
            said.append(f"{len(self.classes)} classes ({some})")
        if self.counts is not None:
            said.append(f"{int(self.counts.sum())} boxes")
        if self.splits:
            counts = Counter(self.splits)
            said.append(" ".join(f"{split} {counts[split]}" for split in SPLITS if counts[split]))
        if self.origin != ZERO:
            said.append(f"origin {shown(self.origin)}")
        return f"Clouds({'; '.join(said)}; from {self.source})"

    def _repr_html_(self) -> str:
        """Some of the clouds, rotating, for notebooks; it needs no network."""
        from pcgen.report.notebook import clouds_html  # Imported only when clouds are drawn.

        return clouds_html(self)

    @property
    def counts(self) -> Tensor | None:
        """Number of shapes of each scene, (S,) int64; None if there are no boxes."""
        return None if self.boxes is None else count_boxes(self.boxes)

    @property
    def coordinates(self) -> Tensor:
        """True coordinates (S, N, 3): `points` themselves, or float64 if the origin is not 0."""
        return self.points if self.origin == ZERO else self.points.double() + self._origin()

    def at(self, origin: Triple) -> "Clouds":
        """The same clouds relative to another origin, moved in float64: sets with the same origin can be compared.

        Args:
            origin: of the new points: `other.origin`, or (0, 0, 0) for true coordinates in float32.

        Raises:
            ValueError: float32 is not precise enough for the clouds about that origin.
        """
        if origin == self.origin:
            return self
        bounds = (self.points.detach().amin(1), self.points.detach().amax(1))
        low, high = ((bound.double() + self._origin()).cpu().numpy() for bound in bounds)
        refuse_unheld(low, high, origin, self.names, self.source)
        shift = self._origin() - self.points.new_tensor(origin, dtype=torch.float64)
        boxes = None if self.boxes is None else move(self.boxes, -shift, 1.0)
        return replace(self, points=(self.points.double() + shift).float(), boxes=boxes, origin=origin)

    def _origin(self) -> Tensor:
        return self.points.new_tensor(self.origin, dtype=torch.float64)

    def with_boxes(self, boxes: Tensor) -> "Clouds":
        """The same clouds with boxes, (S, K, 6) in true coordinates."""
        return replace(self, boxes=move(boxes.double(), self._origin(), 1.0).float())

    def select(self, rows: Tensor | Sequence[int]) -> "Clouds":
        """The clouds of the given rows, in that order; or those where a mask (S,) is true.

        Raises:
            ValueError: a mask of another length, or numbers that are not whole.
        """
        index = row_index(rows, len(self))
        places = index.tolist()
        return replace(
            self,
            points=self.points[index],
            normals=None if self.normals is None else self.normals[index],
            labels=None if self.labels is None else self.labels[index],
            boxes=None if self.boxes is None else self.boxes[index],
            names=tuple(self.names[place] for place in places),
            splits=None if self.splits is None else tuple(self.splits[place] for place in places),
            keys=tuple(self.keys[place] for place in places),
            whole=None if self.whole is None else (self.whole[0], self.whole[1].select(index)),
        )

    def split(self, name: str) -> "Clouds":
        """The clouds of one split; "all" is the whole set.

        Raises:
            ValueError: the set has no clouds of that split; the message names the splits it has.
        """
        choose(name, (*SPLITS, "all"), "split")
        if name == "all":
            return self
        rows = [row for row, split in enumerate(self.splits or ()) if split == name]
        if not rows:
            had = [split for split in SPLITS if split in (self.splits or ())]
            raise ValueError(f"{self.source}: has no split {name!r}; it has {', '.join(had) or 'none'}, and all")
        return self.select(rows)


def refuse_not_finite(points: Tensor, names: Sequence[str]) -> None:
    """Check that clouds (S, N, 3) have real coordinates; `names` are those of the clouds, if they have any.

    Raises:
        ValueError: a coordinate is NaN or infinite; the message has the first cloud of which one is.
    """
    bad = ~points.detach().isfinite().flatten(1).all(1)
    if bad.any():
        row = int(bad.int().argmax())
        told = f"cloud {row}" + (f" ({names[row]!r})" if row < len(names) and names[row] != str(row) else "")
        raise ValueError(
            f"points: must be finite, and {int(bad.sum())} of {len(points)} clouds, the first of them {told}, hold NaN "
            "or infinity; leave those out"
        )
