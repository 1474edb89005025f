"""Matrices of distances that are to be computed, and the tiles that they are computed in."""

from collections.abc import Hashable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pcgen.metrics.clock import Kind
from pcgen.metrics.distances import pair_distance

__all__ = ["Block", "Tile", "tiles"]

# Clouds to a side of a tile: a tile is what a killed evaluation loses, and what the threads of a CPU share. A GPU works
# on thousands of pairs at once.
_SIDE = {"chamfer": 64, "exact_bound": 64}
_SIDE_OF_OTHERS = 16
_TIMES_ON_GPU = 8


@dataclass(frozen=True)
class Tile:
    """A rectangle of a pair matrix; `diagonal` where it is a symmetric matrix's own square on the diagonal."""

    rows: slice
    columns: slice
    diagonal: bool = False

    @property
    def pairs(self) -> int:
        """How many distances it takes."""
        rows: int = self.rows.stop - self.rows.start
        columns: int = self.columns.stop - self.columns.start
        return rows * (rows - 1) // 2 if self.diagonal else rows * columns


def tiles(rows: int, columns: int, side: int, symmetric: bool = False) -> list[Tile]:
    """Tiles of at most side x side that cover a (rows, columns) matrix once; of a symmetric one, its upper triangle."""
    return [
        Tile(slice(i, min(i + side, rows)), slice(j, min(j + side, columns)), symmetric and i == j)
        for i in range(0, rows, side)
        for j in range(i if symmetric else 0, columns, side)
    ]


@dataclass(frozen=True)
class Block:
    """One matrix to compute: distances from the clouds `a`, its rows, to the clouds `b`, its columns.

    Where `b` is `a` and the distance symmetric, each pair is computed once, the earlier cloud first.

    Attributes:
        title: what progress calls it.
        distance: a name of `pair_distance`.
        a: (S, N, 3).
        b: (R, N, 3).
        nearest: compute only what nearest neighbours depend on: the least entries of rows and columns, the first of
            equal ones among them; others may be left infinite. For the distance "exact" alone.
        below: the key of an earlier block with the same rows; of a row here all that is to be seen is whether its least
            entry is at most that block's.
    """

    title: str
    distance: str
    a: Tensor  # (S, N, 3)
    b: Tensor  # (R, N, 3)
    nearest: bool = False
    below: Hashable = None

    @property
    def symmetric(self) -> bool:
        """Whether half of the matrix is enough."""
        return self.b is self.a and pair_distance(self.distance).symmetric

    @property
    def kind(self) -> Kind:
        """What the time of a pair depends on."""
        return "nearest" if self.nearest else self.distance, self.a.shape[1], self.b.shape[1]

    @property
    def pairs(self) -> int:
        """How many distances the whole matrix takes."""
        return sum(tile.pairs for tile in self.tiles())

    @property
    def label(self) -> str:
        """What progress says."""
        return f"{pair_distance(self.distance).label}: {self.title}"

    @property
    def device(self) -> torch.device:
        """Where its distances are computed: where its clouds are, if the distance can be computed there."""
        return self.a.device if self.a.device.type in pair_distance(self.distance).devices else torch.device("cpu")

    @property
    def stored_as(self) -> str:
        """What finished tiles are kept under: devices differ in the last bits."""
        return self.distance if self.device.type == "cpu" else f"{self.distance} on {self.device.type}"

    @property
    def side(self) -> int:
        """The most clouds to a side of its tiles."""
        return _SIDE.get(self.distance, _SIDE_OF_OTHERS) * (_TIMES_ON_GPU if self.device.type == "cuda" else 1)

    def tiles(self) -> list[Tile]:
        return tiles(len(self.a), len(self.b), self.side, self.symmetric)

    def measure(self, a: Tensor, b: Tensor) -> Tensor:
        """The distances of some of its clouds, (S, R) float64 on the CPU."""
        first = a.to(self.device)
        return pair_distance(self.distance).measure(first, first if b is a else b.to(self.device)).double().cpu()

    def bounds(self) -> "Block":
        """The lower bounds that the search for nearest neighbours begins with."""
        return replace(self, distance="exact_bound", nearest=False, below=None)
