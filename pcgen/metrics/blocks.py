"""Matrices of distances to compute, and their division into tiles."""

from collections.abc import Hashable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pcgen.metrics.clock import Kind
from pcgen.metrics.distances import pair_distance

__all__ = ["Block", "Tile", "tiles"]

# Clouds per side of a tile. A killed evaluation loses at most a tile, and the threads of a CPU share one. A GPU
# computes thousands of pairs at once.
_SIDE = {"chamfer": 64, "exact_bound": 64}
_SIDE_OF_OTHERS = 16
_TIMES_ON_GPU = 8


@dataclass(frozen=True)
class Tile:
    """A rectangle of a pair matrix; `diagonal` if it is a square on the diagonal of a symmetric matrix."""

    rows: slice
    columns: slice
    diagonal: bool = False

    @property
    def pairs(self) -> int:
        """Number of distances to compute."""
        rows: int = self.rows.stop - self.rows.start
        columns: int = self.columns.stop - self.columns.start
        return rows * (rows - 1) // 2 if self.diagonal else rows * columns


def tiles(rows: int, columns: int, side: int, symmetric: bool = False) -> list[Tile]:
    """Tiles of at most side x side that cover a (rows, columns) matrix, or the upper triangle of a symmetric one."""
    return [
        Tile(slice(i, min(i + side, rows)), slice(j, min(j + side, columns)), symmetric and i == j)
        for i in range(0, rows, side)
        for j in range(i if symmetric else 0, columns, side)
    ]


@dataclass(frozen=True)
class Block:
    """One matrix to compute: distances from the clouds `a`, its rows, to the clouds `b`, its columns.

    If `b` is `a` and the distance is symmetric, each pair is computed once, the earlier cloud first.

    Attributes:
        title: its name in progress messages.
        distance: a name for `pair_distance`.
        a: (S, N, 3).
        b: (R, N, 3).
        nearest: compute only the least entries of rows and columns, including the first of equal ones; others may
            remain infinite. Only for the distance "exact".
        second: with `nearest`, compute also the second least entries of columns.
        below: the key of an earlier block with the same rows; for each row, only decide whether its least entry is at
            most that of the earlier block.
    """

    title: str
    distance: str
    a: Tensor  # (S, N, 3)
    b: Tensor  # (R, N, 3)
    nearest: bool = False
    below: Hashable = None
    second: bool = False

    @property
    def symmetric(self) -> bool:
        """Whether the upper triangle of the matrix is sufficient."""
        return self.b is self.a and pair_distance(self.distance).symmetric

    @property
    def kind(self) -> Kind:
        """The properties on which the time per pair depends."""
        return "nearest" if self.nearest else self.distance, self.a.shape[1], self.b.shape[1]

    @property
    def pairs(self) -> int:
        """Number of distances in the whole matrix."""
        return sum(tile.pairs for tile in self.tiles())

    @property
    def label(self) -> str:
        """The text for progress messages."""
        return f"{pair_distance(self.distance).label}: {self.title}"

    @property
    def device(self) -> torch.device:
        """The device that computes the distances: that of the clouds if the distance has a kernel there, or the CPU."""
        return self.a.device if self.a.device.type in pair_distance(self.distance).devices else torch.device("cpu")

    @property
    def stored_as(self) -> str:
        """The name under which finished tiles are stored; it includes the device, since devices differ in rounding."""
        return self.distance if self.device.type == "cpu" else f"{self.distance} on {self.device.type}"

    @property
    def side(self) -> int:
        """The maximum number of clouds per side of a tile."""
        return _SIDE.get(self.distance, _SIDE_OF_OTHERS) * (_TIMES_ON_GPU if self.device.type == "cuda" else 1)

    def tiles(self) -> list[Tile]:
        return tiles(len(self.a), len(self.b), self.side, self.symmetric)

    def measure(self, a: Tensor, b: Tensor) -> Tensor:
        """The distances between some of its clouds, (S, R) float64 on the CPU."""
        first = a.to(self.device)
        return pair_distance(self.distance).measure(first, first if b is a else b.to(self.device)).double().cpu()

    def bounds(self) -> "Block":
        """The block of the initial lower bounds for the search for nearest neighbours."""
        return replace(self, distance="exact_bound", nearest=False, below=None, second=False)
