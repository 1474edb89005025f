"""Exact nearest neighbours under the Earth Mover's distance, without most of the distances."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pcgen.errors import choose
from pcgen.ops._checks import cloud_sets
from pcgen.ops.bounds import emd_bounds, emd_lower_bound
from pcgen.ops.chamfer import chamfer_matrix
from pcgen.ops.emd import match

__all__ = ["Nearest", "nearest"]

_PARTNERS = 2  # a cloud's duals are transferred once it has been matched with so many others


@dataclass(frozen=True)
class Nearest:
    """The nearest clouds of each cloud.

    Attributes:
        index: (S, k) int64, nearest first; of several at the same distance the one of least index.
        distance: (S, k) float64.
        solved: number of exact distances computed.
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
    """The k nearest clouds of b for each cloud of a: those of the full matrix of distances, ties by index.

    Under "emd" few distances are computed. Lower bounds rule out the others: one-sided means of nearest distances;
    distances along fixed directions, where matching is sorting; and the duals u of a's cloud from a neighbour already
    matched, with what they leave to another cloud of b: mean_i u_i + mean_j min_i (|x_i - y_j| - u_i).

    Args:
        a: (S, N, 3), float32 or float64.
        b: (R, N, 3), of the same type and device; where `b is a`, no cloud is its own neighbour.
        k: how many, at most R (R - 1 where `b is a`).
        distance: "emd", or "chamfer", whose full matrix is computed.
        progress: called as progress(clouds of a done, S) after each round.

    Returns:
        A `Nearest`. Memory beyond it: (S, R) numbers, and for each cloud of a its duals and sorted projections.

    Raises:
        ValueError: as `match`; k out of range; an unknown distance.
    """
    same = b is a
    choose(distance, ("chamfer", "emd"), "distance")
    others = len(b) - same
    if not 1 <= k <= others:
        raise ValueError(f"k: must be in [1, {others}], the clouds to choose from, got {k}")
    a, b = cloud_sets(a, b, points=distance == "emd")
    if distance == "emd":
        values, solved = _search(a, a if same else b, k, progress)
    else:
        values, solved = chamfer_matrix(a, a if same else b), len(a) * len(b)
        if same:
            values.fill_diagonal_(torch.inf)
    value, index = values.sort(dim=1, stable=True)
    return Nearest(index[:, :k].contiguous(), value[:, :k].contiguous(), solved)


def _search(a: Tensor, b: Tensor, k: int, progress: Callable[[int, int], object] | None) -> tuple[Tensor, int]:
    """Matrix (S, R) of distances, infinite beyond the k least of a row, and how many of them were computed."""
    same = b is a
    bounds = emd_bounds(a, b)
    values = torch.full_like(bounds, torch.inf)
    done = torch.zeros_like(bounds, dtype=torch.bool)
    if same:
        done.fill_diagonal_(True)
    transferred = torch.zeros_like(done)
    # Duals of several matchings together bound better than those of one: each has less of its partner's own noise.
    duals = torch.zeros(a.shape[:2], dtype=torch.float64, device=a.device)  # sums over the clouds it was matched with
    partners = torch.zeros(len(a), dtype=torch.float64, device=a.device)
    solved = 0
    while True:
        farthest = values.kthvalue(k, 1).values
        possible = (~done & (bounds <= farthest[:, None])).any(1)
        if progress is not None:
            progress(len(a) - int(possible.sum()), len(a))
        rows = possible.nonzero()[:, 0]
        if len(rows) == 0:
            return values, solved
        columns = bounds[rows].masked_fill(done[rows], torch.inf).argmin(1)

        # A bound from duals costs a tenth of a matching: tried once for each pair before it is matched.
        untried = (partners[rows] >= _PARTNERS) & ~transferred[rows, columns]
        i, j = rows[untried], columns[untried]
        if len(i) > 0:
            transferred[i, j] = True
            bounds[i, j] = bounds[i, j].maximum(emd_lower_bound(a[i], b[j], duals[i] / partners[i, None]))

        i, j = rows[~untried], columns[~untried]
        if len(i) == 0:
            continue
        if same:
            i, j = torch.stack([torch.minimum(i, j), torch.maximum(i, j)], 1).unique(dim=0).unbind(1)
        matching = match(a[i], b[j])
        solved += len(i)
        ends = [(i, j, matching.x_dual), (j, i, matching.y_dual)] if same else [(i, j, matching.x_dual)]
        for p, q, dual in ends:
            values[p, q], done[p, q] = matching.cost, True
            duals.index_add_(0, p, dual)
            partners.index_add_(0, p, torch.ones_like(matching.cost))
