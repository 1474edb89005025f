"""Position and size of each cloud of a set, by the name of the normalisation that removes them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pcgen.data.rows import row_index

__all__ = ["EACH", "Placement"]


@dataclass(frozen=True)
class Placement:
    """Position and size of each of S clouds before normalisation: x = size * normalised + offset."""

    offset: Tensor  # (S, 1, 3) float64, in true coordinates
    size: Tensor  # (S, 1, 1) float64
    dtype: torch.dtype = torch.float32  # of the result of `undo`: float64 if the clouds' true coordinates were

    def __len__(self) -> int:
        return len(self.offset)

    def undo(self, points: Tensor) -> Tensor:
        """Clouds (S, M, 3) at the position and size of their own input: true coordinates, float64 if those were.

        Raises:
            ValueError: the number of clouds is not S.
        """
        if points.ndim != 3 or points.shape[-1] != 3 or len(points) != len(self):
            shape = tuple(points.shape)
            raise ValueError(
                f"points: must be the {len(self)} clouds that were placed, ({len(self)}, M, 3), got {shape}"
            )
        offset, size = self.offset.to(points.device), self.size.to(points.device)
        return (points.double() * size + offset).to(self.dtype)

    def select(self, rows: Tensor | Sequence[int]) -> "Placement":
        """The placements of the given rows, in that order; or those where a mask (S,) is true.

        Raises:
            ValueError: a mask of another length, or numbers that are not whole.
        """
        index = row_index(rows, len(self)).to(self.offset.device)
        return Placement(self.offset[index], self.size[index], self.dtype)


Found = tuple[Tensor, Tensor]  # offsets (S, 1, 3) and sizes (S, 1, 1)


def _unit_sphere(points: Tensor) -> Found:
    mean = points.mean(1, keepdim=True)
    return mean, (points - mean).norm(dim=-1).amax(1)[:, None, None]


def _box(points: Tensor) -> Found:
    low, high = points.amin(1, keepdim=True), points.amax(1, keepdim=True)
    return (low + high) / 2, (high - low).amax(-1, keepdim=True)


def _half_box(points: Tensor) -> Found:
    middle, side = _box(points)
    return middle, side / 2


# By name: position and size of each cloud of (S, N, 3) float64.
EACH: dict[str, Callable[[Tensor], Found]] = {
    "unit_sphere": _unit_sphere,
    "unit_box": _box,
    "bbox": _half_box,
}
