"""Matrices of distances between sets of clouds: tile by tile, resumable, over all ranks, with the time that is left."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from pcgen.metrics.distances import pair_distance
from pcgen.metrics.store import TileStore, digests
from pcgen.optim import reduce_sum

__all__ = ["Block", "Progress", "Tile", "pair_matrices", "tiles"]

Key = TypeVar("Key", bound=Hashable)
_Kind = tuple[str, int, int]  # distance, points of a, points of b

# Clouds to a side of a tile: a tile is what a killed evaluation loses, and what the threads share.
_SIDE = {"chamfer": 64}
_SIDE_OF_OTHERS = 16
_ESTIMATE_SECONDS = 0.1  # how long the pairs take that the time is estimated from


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
    """

    title: str
    distance: str
    a: Tensor  # (S, N, 3)
    b: Tensor  # (R, N, 3)

    @property
    def symmetric(self) -> bool:
        """Whether half of the matrix is enough."""
        return self.b is self.a and pair_distance(self.distance).symmetric

    @property
    def kind(self) -> _Kind:
        """What the time of a pair depends on."""
        return self.distance, self.a.shape[1], self.b.shape[1]

    def tiles(self) -> list[Tile]:
        side = _SIDE.get(self.distance, _SIDE_OF_OTHERS)
        return tiles(len(self.a), len(self.b), side, self.symmetric)


@dataclass(frozen=True)
class Progress:
    """How far the matrices are: pairs done of all, over all ranks, and an estimate of the seconds that are left."""

    title: str
    done: int
    total: int
    seconds_left: float


def pair_matrices(
    blocks: dict[Key, Block],
    store: TileStore | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> dict[Key, Tensor]:
    """The distance matrices of `blocks`, (S, R) float64 each.

    A pair's value is a function of the pair alone, in the order (row, column), earlier cloud first within a set; so
    neither tiles, ranks nor a resumed run change a bit. Under torch.distributed the ranks share the tiles and all get
    all matrices.

    Args:
        blocks: what to compute.
        store: where finished tiles are kept and looked up; None keeps none.
        progress: called before the first tile, with the time measured on a few pairs, and after each.
    """
    rank, ranks = (dist.get_rank(), dist.get_world_size()) if dist.is_available() and dist.is_initialized() else (0, 1)
    clock = _Clock(list(blocks.values()), ranks, progress)
    matrices = {}
    for key, block in blocks.items():
        names = (digests(block.a), digests(block.b)) if store else ([], [])
        matrix = torch.zeros(len(block.a), len(block.b), dtype=torch.float64)
        for number, tile in enumerate(block.tiles()):
            if number % ranks == rank:
                clouds = (*names[0][tile.rows], "to", *names[1][tile.columns])
                values = store.get(block.distance, clouds) if store else None
                if values is None:
                    clock.start()
                    values = _measure(block, tile)
                    clock.stop(block, tile)
                    if store:
                        store.put(block.distance, clouds, values)
                matrix[tile.rows, tile.columns] = values
                if block.symmetric and not tile.diagonal:
                    matrix[tile.columns, tile.rows] = values.T
            clock.finish(block, tile)
        reduce_sum([matrix])  # every entry is 0 on all ranks but one: no bit changes
        matrices[key] = matrix
    return matrices


def _measure(block: Block, tile: Tile) -> Tensor:
    measure, a = pair_distance(block.distance).measure, block.a[tile.rows]
    values = measure(a, a if tile.diagonal else block.b[tile.columns]).double().cpu()
    if tile.diagonal:
        values = values.triu(1)
        values = values + values.T
    return values


class _Clock:
    """Estimates the time left: from a few pairs of each kind at first, then from what this rank computed."""

    def __init__(self, blocks: Sequence[Block], ranks: int, progress: Callable[[Progress], None] | None) -> None:
        self.left: Counter[_Kind] = Counter()
        for block in blocks:
            self.left[block.kind] += sum(tile.pairs for tile in block.tiles())
        self.total, self.ranks, self.progress = self.left.total(), ranks, progress
        self.seconds: defaultdict[_Kind, float] = defaultdict(float)
        self.computed: Counter[_Kind] = Counter()
        self.guess = {block.kind: _seconds_per_pair(block) for block in blocks} if progress else {}
        self.begin = 0.0
        self._report("estimate")

    def start(self) -> None:
        self.begin = time.perf_counter()

    def stop(self, block: Block, tile: Tile) -> None:
        self.seconds[block.kind] += time.perf_counter() - self.begin
        self.computed[block.kind] += tile.pairs

    def finish(self, block: Block, tile: Tile) -> None:
        self.left[block.kind] -= tile.pairs
        self._report(f"{pair_distance(block.distance).label}: {block.title}")

    def _report(self, title: str) -> None:
        if self.progress:
            seconds = sum(pairs * self._rate(kind) for kind, pairs in self.left.items()) / self.ranks
            self.progress(Progress(title, self.total - self.left.total(), self.total, seconds))

    def _rate(self, kind: _Kind) -> float:
        computed = self.computed[kind]
        return self.seconds[kind] / computed if computed else self.guess[kind]


def _seconds_per_pair(block: Block) -> float:
    """Measured on as many pairs as take a while: on fewer, starting the threads would be all that is seen."""
    measure = pair_distance(block.distance).measure
    most = max(len(block.a), len(block.b))
    side = 2
    while True:
        a, b = block.a[:side], block.b[:side]
        begin = time.perf_counter()
        measure(a, b)
        seconds = time.perf_counter() - begin
        if seconds > _ESTIMATE_SECONDS or side >= min(most, _SIDE.get(block.distance, _SIDE_OF_OTHERS)):
            return seconds / (len(a) * len(b))
        side *= 2
