"""Matrices of distances between sets of clouds, in resumable parts, over all ranks, with an estimate of the time."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from pcgen.metrics.blocks import Block, Tile
from pcgen.metrics.clock import Clock, Kind, Progress
from pcgen.metrics.store import TileStore, digests
from pcgen.ops.search import Search
from pcgen.ranks import agree, reduce_sum, share

__all__ = ["pair_matrices", "shared"]

Key = TypeVar("Key", bound=Hashable)

_ESTIMATE_SECONDS = 0.1  # duration of the measurement from which the time is estimated
_LEAST_SIDE = {"exact_bound": 16}  # with fewer clouds, the cost per cloud would dominate the cost per pair
_WITH_TRANSFERS = 1.3  # cost of a matched pair of a search, in matchings: its bound was raised from both sides before
_SEARCH = "nearest exact"  # under which searches are stored
_SAVE_SECONDS = 10.0  # interval between saves of a search


def pair_matrices(
    blocks: dict[Key, Block],
    store: TileStore | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> dict[Key, Tensor]:
    """The distance matrices of `blocks`, (S, R) float64 each.

    The value of a pair depends only on the pair, in the order (row, column), or within a set, earlier cloud first. So
    tiles, ranks and resuming do not change a bit. With torch.distributed, the ranks share the work, and all return all
    matrices.

    Args:
        blocks: the matrices to compute, in this order.
        store: for finished tiles and the states of searches; None stores nothing.
        progress: called at the start, with the time estimated from a few pairs, and whenever pairs are done; pairs of
            matrices that are stored as a whole are not counted.
    """
    matrices = _stored(blocks, store) if store else {}
    missing = {key: block for key, block in blocks.items() if key not in matrices}
    work: Counter[Kind] = Counter()
    examples: dict[Kind, Block] = {}
    for block in missing.values():
        for part in (block.bounds(), block) if block.nearest else (block,):
            work[part.kind] += part.pairs
            examples.setdefault(part.kind, part)
    clock = Clock(work, lambda kind: _seconds_per_pair(examples[kind]), progress)
    for key, block in missing.items():
        if block.nearest:
            matrices[key] = _search(block, _below(block, matrices), store, clock)
        else:
            matrices[key] = _whole(block, store, clock)
    return {key: matrices[key] for key in blocks}


def _stored(blocks: dict[Key, Block], store: TileStore) -> dict[Key, Tensor]:
    """The matrices of which every rank finds all parts in its store."""
    found: dict[Key, Tensor] = {}
    for key, block in blocks.items():
        matrix = _stored_search(block, found, store) if block.nearest else _stored_whole(block, store)
        if matrix is not None:
            found[key] = matrix
    lacking = agree([float(key not in found) for key in blocks])
    return {key: found[key] for key, lacks in zip(blocks, lacking, strict=True) if not lacks}


def _stored_whole(block: Block, store: TileStore) -> Tensor | None:
    """All entries from the store; None if a tile is missing."""
    matrix = torch.zeros(len(block.a), len(block.b), dtype=torch.float64)
    names = digests(block.a), digests(block.b)
    for tile in block.tiles():
        kept = store.get(block.stored_as, _tile_name(tile, names))
        if kept is None:
            return None
        _place(matrix, block, tile, kept["values"])
    return matrix


def _stored_search(block: Block, found: Mapping[Key, Tensor], store: TileStore) -> Tensor | None:
    """The entries of a finished search from the store; None if a part is missing."""
    if block.below is not None and block.below not in found:
        return None
    bounds, below = _stored_whole(block.bounds(), store), _below(block, found)
    state = None if bounds is None else store.get(_SEARCH, _search_name(block, below))
    if state is None:
        return None
    search = _begin(block, below, bounds)
    search.resume(state)
    return None if search.open().any() else search.matrix()


def _below(block: Block, matrices: Mapping[Key, Tensor]) -> Tensor | None:
    """The values below which nearest distances are to be decided, (S,)."""
    return None if block.below is None else matrices[block.below].amin(1)  # type: ignore[index]


def _whole(block: Block, store: TileStore | None, clock: Clock) -> Tensor:
    """All entries, tile by tile."""
    names = (digests(block.a), digests(block.b)) if store else ([], [])
    matrix = torch.zeros(len(block.a), len(block.b), dtype=torch.float64)
    every = block.tiles()
    own = share(len(every))
    for number, tile in enumerate(every):
        if number in own:
            clouds = _tile_name(tile, names)
            kept = store.get(block.stored_as, clouds) if store else None
            if kept is None:
                begin = time.perf_counter()
                kept = {"values": _measure(block, tile)}
                clock.compute(block.kind, tile.pairs, time.perf_counter() - begin)
                if store:
                    store.put(block.stored_as, clouds, kept)
            _place(matrix, block, tile, kept["values"])
        clock.finish(block.kind, tile.pairs, block.label)
    reduce_sum([matrix])  # exact, since every entry is 0 on all ranks but one
    return matrix


def _tile_name(tile: Tile, names: tuple[list[str], list[str]]) -> list[str]:
    """The clouds of a tile, whose order a pair's value depends on."""
    # A square on the diagonal has each pair in one order, and zeros, unlike a tile of two equal sets.
    return [*names[0][tile.rows], "itself" if tile.diagonal else "to", *names[1][tile.columns]]


def _place(matrix: Tensor, block: Block, tile: Tile, values: Tensor) -> None:
    """Write a tile's values into the matrix, and into its mirror image if the matrix is symmetric."""
    matrix[tile.rows, tile.columns] = values
    if block.symmetric and not tile.diagonal:
        matrix[tile.columns, tile.rows] = values.T


def _measure(block: Block, tile: Tile) -> Tensor:
    a = block.a[tile.rows]
    values = block.measure(a, a if tile.diagonal else block.b[tile.columns])
    if tile.diagonal:
        values = values.triu(1)
        values = values + values.T
    return values


def _search(block: Block, below: Tensor | None, store: TileStore | None, clock: Clock) -> Tensor:
    """The entries on which nearest neighbours depend."""
    search = _begin(block, below, _whole(block.bounds(), store, clock))
    keep = store if 0 in share(1) else None  # all ranks have the same state, so the first one saves it
    clouds: list[str] = []
    if store:
        clouds = _search_name(block, below)
        search.resume(_of_first_rank({**search.state(), **((keep and keep.get(_SEARCH, clouds)) or {})}))
    left = int(search.open().sum())
    clock.begin_search(block.pairs)
    clock.finish(block.kind, block.pairs - left, block.label)
    saved = time.monotonic()
    while left:
        begin = time.perf_counter()
        matched = search.advance(shared)
        clock.compute(block.kind, len(share(matched)), time.perf_counter() - begin)
        before, left = left, int(search.open().sum())
        clock.finish(block.kind, before - left, block.label)
        if keep and (not left or time.monotonic() - saved > _SAVE_SECONDS):
            keep.put(_SEARCH, clouds, search.state() if left else search.outcome())
            saved = time.monotonic()
    return search.matrix()


def _begin(block: Block, below: Tensor | None, bounds: Tensor | None) -> Search:
    return Search.begin(block.a, block.b, columns=2 if block.second else 1, below=below, bounds=bounds)


def _search_name(block: Block, below: Tensor | None) -> list[str]:
    """The clouds of a search, and the values that it searches below."""
    name = [*digests(block.a), "itself" if block.symmetric else "to", *digests(block.b)]
    name += ["second"] * block.second
    return name + ([] if below is None else ["below", hashlib.sha256(below.numpy().tobytes()).hexdigest()])


def shared(
    count: int, shapes: Sequence[tuple[int, ...]], compute: Callable[[Tensor], tuple[Tensor, ...]]
) -> tuple[Tensor, ...]:
    """float64 tensors (count, *shape); each rank computes its own share of rows."""
    mine = share(count)
    own = torch.tensor(mine, dtype=torch.int64)
    if mine.step == 1:
        return compute(own)
    found = tuple(torch.zeros(count, *shape, dtype=torch.float64) for shape in shapes)
    if len(own):
        for whole, part in zip(found, compute(own), strict=True):
            whole[own] = part
    reduce_sum(found)  # exact, since each row is 0 on all ranks but one
    return found


def _of_first_rank(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The first rank's tensors, on every rank."""
    first = 0 in share(1)
    values = {name: value.double() if first else torch.zeros_like(value).double() for name, value in state.items()}
    reduce_sum(values.values())
    return {name: value.to(state[name].dtype) for name, value in values.items()}


def _seconds_per_pair(block: Block) -> float:
    """Seconds per pair, measured on enough pairs to be reliable, after one pair that starts the threads."""
    most = min(max(len(block.a), len(block.b)), block.side)
    side = _LEAST_SIDE.get(block.distance, 4)
    block.measure(block.a[:1], block.b[-1:])
    while True:
        a, b = block.a[:side], block.b[-side:]  # different clouds, if b is a
        begin = time.perf_counter()
        block.measure(a, b)
        seconds = time.perf_counter() - begin
        if side >= most or seconds > _ESTIMATE_SECONDS:
            return seconds / (len(a) * len(b)) * (_WITH_TRANSFERS if block.nearest else 1)
        side *= 2
