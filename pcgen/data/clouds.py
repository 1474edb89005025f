"""A set of clouds of one size, with what is known of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pcgen.errors import choose

__all__ = ["SPLITS", "Clouds"]

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Clouds:
    """S clouds of N points each: points (S, N, 3) in the source's own units, y up, and what is known of each cloud.

    Raises:
        ValueError: a tensor has another shape or type, or an entry is not there once for every cloud.
    """

    points: Tensor  # (S, N, 3) float32
    normals: Tensor | None = None  # (S, N, 3) float32
    labels: Tensor | None = None  # (S,) int64, places in `classes`
    classes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # one per cloud, stable; "0", "1", ... unless given
    splits: tuple[str, ...] | None = None  # one per cloud: train, val or test
    source: str = "tensor"  # the spec it was loaded from, for messages
    notes: tuple[str, ...] = ()  # what the loader decided and the user should read
    drawn: bool = False  # the source has no splits, and these follow from the clouds' names

    def __post_init__(self) -> None:
        shape = tuple(self.points.shape)
        if len(shape) != 3 or shape[2] != 3 or shape[1] < 1 or self.points.dtype != torch.float32:
            raise ValueError(
                f"points: must be (S, N, 3) float32 with N >= 1, got {shape} {self.points.dtype}; from {self.source}"
            )
        if self.normals is not None and self.normals.shape != self.points.shape:
            raise ValueError(f"normals: must have the shape of points, {shape}, got {tuple(self.normals.shape)}")
        if self.labels is not None:
            if self.labels.shape != shape[:1] or self.labels.dtype != torch.int64:
                raise ValueError(
                    f"labels: must be ({shape[0]},) int64, got {tuple(self.labels.shape)} {self.labels.dtype}"
                )
            if len(self) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.classes):
                raise ValueError(
                    f"labels: must be places in the {len(self.classes)} classes, got "
                    f"{int(self.labels.min())} to {int(self.labels.max())}"
                )
        if not self.names:
            object.__setattr__(self, "names", tuple(str(row) for row in range(len(self))))
        for argument, values in (("names", self.names), ("splits", self.splits)):
            if values is not None and len(values) != shape[0]:
                raise ValueError(f"{argument}: must be one for each of {shape[0]} clouds, got {len(values)}")
        for split in sorted(set(self.splits or ())):
            choose(split, SPLITS, "splits")

    def __len__(self) -> int:
        return self.points.shape[0]

    def select(self, rows: Tensor | Sequence[int]) -> "Clouds":
        """The clouds of the given rows, in that order."""
        index = torch.as_tensor(rows, dtype=torch.int64)
        places = index.tolist()
        return replace(
            self,
            points=self.points[index],
            normals=None if self.normals is None else self.normals[index],
            labels=None if self.labels is None else self.labels[index],
            names=tuple(self.names[place] for place in places),
            splits=None if self.splits is None else tuple(self.splits[place] for place in places),
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
