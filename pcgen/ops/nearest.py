"""Exact nearest neighbours under the Earth Mover's distance; lower bounds avoid most of the distances."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pcgen.errors import choose
from pcgen.ops._checks import cloud_sets
from pcgen.ops.chamfer import chamfer_matrix
from pcgen.ops.search import Search

__all__ = ["Nearest", "nearest"]


@dataclass(frozen=True)
class Nearest:
    """The nearest clouds of each cloud.

    Attributes:
        index: (S, k) int64, nearest first; ties by index.
        distance: (S, k) float64, in the unit of the distance; on a GPU, NaN for a pair that cannot be compared, which
            comes after all others.
        solved: number of exact distances computed; if `b is a`, of each pair once.
    """

    index: Tensor
    distance: Tensor
    solved: int


@torch.no_grad()
def nearest(
    a: Tensor,
    b: Tensor,
    k: int = 1,
    *,
    distance: str = "emd",
    progress: Callable[[int, int], object] | None = None,
) -> Nearest:
    """The k nearest clouds of b for each cloud of a, the same as from the full matrix of distances; ties by index.

    With "emd", few distances are computed. Lower bounds exclude the other pairs: the one-sided means of nearest
    distances; distances of projections on fixed directions, where the optimal matching is by sorting; and bounds from
    the duals of pairs that are matched already (see `pcgen.ops.search`).

    Args:
        a: (S, N, 3), float32 or float64.
        b: (R, N, 3), of the same type and device; if `b is a`, no cloud is its own neighbour.
        k: number of neighbours, at most R (R - 1 if `b is a`).
        distance: "emd", or "chamfer", for which the full matrix is computed.
        progress: called as progress(clouds of a done, S) after each round; with "chamfer", after each block of rows.

    Returns:
        A `Nearest`. Extra memory: several matrices (S, R), and for each cloud its duals and sorted projections.

    Raises:
        ValueError: as `match`; k out of range; an unknown distance.
    """
    same = b is a
    choose(distance, ("chamfer", "emd"), "distance")
    others = len(b) - same
    if not 1 <= k <= others:
        raise ValueError(f"k: must be in [1, {others}], the number of candidates, got {k}")
    a, b = cloud_sets(a, b, points=distance == "emd")
    if distance == "emd":
        values, solved = _search(a, a if same else b, k, progress)
    else:
        values = chamfer_matrix(a, a if same else b, progress=_by_clouds(progress, len(a), len(b), same))
        solved = len(a) * others // 2 if same else len(a) * len(b)
        if same:
            values.fill_diagonal_(torch.inf)
    # NaN, which only a GPU gives, is farther than all distances, but nearer than what is no neighbour: infinity.
    farthest = torch.finfo(values.dtype).max
    index = values.where(~values.isnan(), farthest).sort(dim=1, stable=True).indices[:, :k].contiguous()
    return Nearest(index, values.gather(1, index), solved)


def _by_clouds(
    progress: Callable[[int, int], object] | None, rows: int, columns: int, symmetric: bool
) -> Callable[[int, int], object] | None:
    """`progress`, from the number of a matrix's pairs that are done."""
    if progress is None:
        return None

    def called(done: int, pairs: int) -> None:
        left = pairs - done  # of k rows k * columns, or k (k + 1) / 2 if symmetric
        progress(rows - ((math.isqrt(8 * left + 1) - 1) // 2 if symmetric else left // columns), rows)

    return called


def _search(a: Tensor, b: Tensor, k: int, progress: Callable[[int, int], object] | None) -> tuple[Tensor, int]:
    """Matrix (S, R) with at least the k least distances of each row, infinite elsewhere, and how many were computed."""
    search, solved = Search.begin(a, b, k, columns=0), 0
    while True:
        left = search.open()
        possible = left.any(1) | left.any(0) if b is a else left.any(1)
        if progress is not None:
            progress(len(a) - int(possible.sum()), len(a))
        if not possible.any():
            break
        solved += search.advance()
    values = search.matrix()
    return values.fill_diagonal_(torch.inf) if b is a else values, solved
