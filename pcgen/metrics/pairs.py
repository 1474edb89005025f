"""Matrices of distances between sets of clouds: part by part, resumable, over all ranks, with the time that is left."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from pcgen.metrics.clock import Clock, Kind, Progress
from pcgen.metrics.distances import pair_distance
from pcgen.metrics.store import TileStore, digests
from pcgen.ops.search import Search
from pcgen.ranks import reduce_sum, share

__all__ = ["Block", "Tile", "pair_matrices", "tiles"]

Key = TypeVar("Key", bound=Hashable)

# Clouds to a side of a tile: a tile is what a killed evaluation loses, and what the threads of a CPU share. A GPU works
# on thousands of pairs at once.
_SIDE = {"chamfer": 64, "exact_bound": 64}
_SIDE_OF_OTHERS = 16
_TIMES_ON_GPU = 8
_ESTIMATE_SECONDS = 0.1  # how long the pairs take that the time is estimated from
_LEAST_SIDE = {"exact_bound": 16}  # on fewer clouds, what is done once for each of them would be most of it
_WITH_TRANSFERS = 1.3  # a pair of a search that is matched had its bound raised from both sides: 1.3 times a matching
_SAVE_SECONDS = 10.0  # between savings of a search


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


def pair_matrices(
    blocks: dict[Key, Block],
    store: TileStore | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> dict[Key, Tensor]:
    """The distance matrices of `blocks`, (S, R) float64 each.

    A pair's value is a function of the pair alone, in the order (row, column), earlier cloud first within a set; so
    neither tiles, ranks nor a resumed run change a bit. Under torch.distributed the ranks share the work and all get
    all matrices.

    Args:
        blocks: what to compute, in this order.
        store: where finished tiles, and searches under way, are kept and looked up; None keeps none.
        progress: called at first, with the time measured on a few pairs, and whenever pairs are done.
    """
    work: Counter[Kind] = Counter()
    examples: dict[Kind, Block] = {}
    for block in blocks.values():
        for part in (block.bounds(), block) if block.nearest else (block,):
            work[part.kind] += part.pairs
            examples.setdefault(part.kind, part)
    clock = Clock(work, lambda kind: _seconds_per_pair(examples[kind]), progress)
    matrices: dict[Key, Tensor] = {}
    for key, block in blocks.items():
        if block.nearest:
            below = None if block.below is None else matrices[block.below].amin(1)  # type: ignore[index]
            matrices[key] = _search(block, below, store, clock)
        else:
            matrices[key] = _whole(block, store, clock)
    return matrices


def _whole(block: Block, store: TileStore | None, clock: Clock) -> Tensor:
    """All entries, tile by tile."""
    names = (digests(block.a), digests(block.b)) if store else ([], [])
    matrix = torch.zeros(len(block.a), len(block.b), dtype=torch.float64)
    every = block.tiles()
    own = share(len(every))
    for number, tile in enumerate(every):
        if number in own:
            # A square on the diagonal holds each pair in one order, and zeros: no tile of two equal sets.
            clouds = (*names[0][tile.rows], "itself" if tile.diagonal else "to", *names[1][tile.columns])
            kept = store.get(block.stored_as, clouds) if store else None
            if kept is None:
                begin = time.perf_counter()
                kept = {"values": _measure(block, tile)}
                clock.compute(block.kind, tile.pairs, time.perf_counter() - begin)
                if store:
                    store.put(block.stored_as, clouds, kept)
            matrix[tile.rows, tile.columns] = kept["values"]
            if block.symmetric and not tile.diagonal:
                matrix[tile.columns, tile.rows] = kept["values"].T
        clock.finish(block.kind, tile.pairs, block.label)
    reduce_sum([matrix])  # every entry is 0 on all ranks but one: no bit changes
    return matrix


def _measure(block: Block, tile: Tile) -> Tensor:
    a = block.a[tile.rows]
    values = block.measure(a, a if tile.diagonal else block.b[tile.columns])
    if tile.diagonal:
        values = values.triu(1)
        values = values + values.T
    return values


def _search(block: Block, below: Tensor | None, store: TileStore | None, clock: Clock) -> Tensor:
    """The entries that nearest neighbours depend on."""
    search = Search.begin(block.a, block.b, below=below, bounds=_whole(block.bounds(), store, clock))
    keep = store if 0 in share(1) else None  # all ranks have the same: the first one keeps it
    clouds: list[str] = []
    if store:
        clouds = [*digests(block.a), "itself" if block.symmetric else "to", *digests(block.b)]
        clouds += [] if below is None else ["below", hashlib.sha256(below.numpy().tobytes()).hexdigest()]
        search.resume(_of_first_rank({**search.state(), **((keep and keep.get("nearest exact", clouds)) or {})}))
    left = int(search.open().sum())
    clock.begin_search(block.pairs)
    clock.finish(block.kind, block.pairs - left, block.label)
    saved = time.monotonic()
    while left:
        begin = time.perf_counter()
        matched = search.advance(_shared)
        clock.compute(block.kind, len(share(matched)), time.perf_counter() - begin)
        before, left = left, int(search.open().sum())
        clock.finish(block.kind, before - left, block.label)
        if keep and (not left or time.monotonic() - saved > _SAVE_SECONDS):
            keep.put("nearest exact", clouds, search.state() if left else search.outcome())
            saved = time.monotonic()
    return search.matrix()


def _shared(
    count: int, shapes: Sequence[tuple[int, ...]], compute: Callable[[Tensor], tuple[Tensor, ...]]
) -> tuple[Tensor, ...]:
    """float64 tensors (count, *shape) of which each rank computes the rows that are its own."""
    mine = share(count)
    own = torch.tensor(mine, dtype=torch.int64)
    if mine.step == 1:
        return compute(own)
    found = tuple(torch.zeros(count, *shape, dtype=torch.float64) for shape in shapes)
    if len(own):
        for whole, part in zip(found, compute(own), strict=True):
            whole[own] = part
    reduce_sum(found)  # each row is 0 on all ranks but one: no bit changes
    return found


def _of_first_rank(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The first rank's tensors, on every rank."""
    first = 0 in share(1)
    values = {name: value.double() if first else torch.zeros_like(value).double() for name, value in state.items()}
    reduce_sum(values.values())
    return {name: value.to(state[name].dtype) for name, value in values.items()}


def _seconds_per_pair(block: Block) -> float:
    """Measured on as many pairs as take a while, after one that starts the threads."""
    most = min(max(len(block.a), len(block.b)), block.side)
    side = _LEAST_SIDE.get(block.distance, 4)
    block.measure(block.a[:1], block.b[-1:])
    while True:
        a, b = block.a[:side], block.b[-side:]  # other clouds, where b is a
        begin = time.perf_counter()
        block.measure(a, b)
        seconds = time.perf_counter() - begin
        if side >= most or seconds > _ESTIMATE_SECONDS:
            return seconds / (len(a) * len(b)) * (_WITH_TRANSFERS if block.nearest else 1)
        side *= 2
