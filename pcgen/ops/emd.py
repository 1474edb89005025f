"""Earth Mover's distance between clouds of equal size: exact, with a certificate, or within a certified gap."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pcgen.ops import _library, _transforms, _vmap
from pcgen.ops._checks import check_finite, cloud_pairs, cloud_sets
from pcgen.ops._transforms import lengths

__all__ = ["Matching", "emd", "emd_matrix", "match"]

_library.load()
_ops = torch.ops.pcgen
_PAIRS_AT_ONCE = {"cpu": 1, "cuda": 8192}  # of a matrix, in whole rows: a GPU solves hundreds in parallel


@dataclass(frozen=True)
class Matching:
    """One-to-one matchings of pairs of clouds, each with a certificate.

    lower_bound <= optimum <= cost. The certificate is a feasible solution of the dual problem: x_dual[i] + y_dual[j] <=
    |x_i - y_j| for all i and j, so no matching has a mean distance below lower_bound = mean(x_dual) + mean(y_dual), up
    to rounding in float64.

    Attributes:
        index: (B, N) int64; point i of x is matched with point index[:, i] of y.
        cost: (B,) float64, the mean Euclidean distance between matched points, not squared.
        lower_bound: (B,) float64, in the same unit.
        x_dual: (B, N) float64, in the same unit.
        y_dual: (B, N) float64, in the same unit; another matching can start from it: `match(x, y,
            start=matching.y_dual)`.

    On the GPU, an error would have to wait for the device. So a pair that cannot be matched (see `match`) has the index
    -1 there, and its other attributes are NaN.
    """

    index: Tensor
    cost: Tensor
    lower_bound: Tensor
    x_dual: Tensor
    y_dual: Tensor

    @property
    def gap(self) -> Tensor:
        """(cost - lower_bound) / cost, (B,) float64: 0 where the matching is optimal, and where the cost is 0.

        NaN for a pair that could not be matched.
        """
        return ((self.cost - self.lower_bound) / self.cost).clamp(min=0).where(self.cost != 0, 0.0)


@torch.no_grad()
def match(x: Tensor, y: Tensor, gap: float = 0.0, *, start: Tensor | None = None) -> Matching:
    """Match the points of each pair of clouds one to one, with the least mean distance.

    minimise (1/N) sum over i of |x_i - y_m(i)| over all permutations m, until (cost - lower_bound) <= gap * cost.

    No matching is less certain than that: for a gap of 0, cost and lower_bound agree within rounding, at worst to a
    share of 1e-9 of the cost, whatever the size of the clouds is.

    An auction with eps-scaling, then shortest augmenting paths, over blocks of neighbouring points; memory is linear in
    N. The matching is computed in float64, and certified over all N^2 pairs. The matching of a pair depends neither on
    its batch nor on the number of threads. Its cost does not depend on the order of the points.

    Args:
        x: (B, N, 3), float32 or float64.
        y: (B, N, 3), of the same type and device.
        gap: 0 for the optimum; in (0, 1) for a matching certified to cost at most 1 / (1 - gap) times the optimum.
        start: (B, N), initial duals of y's points, such as those of a similar pair; all finite values are allowed, and
            good ones save time.

    Returns:
        A `Matching`, without a gradient.

    Raises:
        ValueError: wrong shape, type or device, clouds of different sizes, an empty cloud, a coordinate or dual that is
            not finite, a gap outside [0, 1).
        RuntimeError: rounding hides the optimum, or a matching within the gap: some points are more than about 1e300
            times as far from the others as these from each other.

    On the GPU, clouds have at most 16,384 points. Errors that depend on values (a coordinate or dual that is not
    finite, a hidden optimum) are not raised there: the results of such a pair are NaN.

    Bertsekas, 1988, The Auction Algorithm: A Distributed Relaxation Method for the Assignment Problem; Jonker and
    Volgenant, 1987, A Shortest Augmenting Path Algorithm for Dense and Sparse Linear Assignment Problems.
    """
    x, y = cloud_pairs(x, y, points=True)
    if start is not None:
        start = _checked_start(start, x)
    return Matching(*_ops.match(x, y, _checked_gap(gap), start))


def emd(x: Tensor, y: Tensor, gap: float = 0.0) -> Tensor:
    """Earth Mover's distance of each pair of clouds: the least mean distance over one-to-one matchings.

    d(x, y) = min over permutations m of (1/N) sum over i of |x_i - y_m(i)|

    Distances are Euclidean, not squared, and the mean is over points, in the clouds' unit. This is the 1-Wasserstein
    distance of the two uniform distributions. It is exact if gap is 0; otherwise it is too large by a factor of at most
    1 / (1 - gap). For the gradient to both clouds, the matching is constant. The gradient is the unit vector between
    matched points divided by N, and 0 if they coincide.

    Args:
        x: (B, N, 3), float32 or float64.
        y: (B, N, 3), of the same type and device.
        gap: as in `match`.

    Returns:
        (B,), of the clouds' type.

    Raises:
        ValueError: as `match`; on the GPU, a pair that cannot be matched has NaN as its value and gradient.
        RuntimeError: a second derivative is requested, other than by `torch.func`; or rounding hides the optimum, as in
            `match`.

    Rubner, Tomasi and Guibas, 2000, The Earth Mover's Distance as a Metric for Image Retrieval.
    """
    x, y = cloud_pairs(x, y, points=True)
    gap = _checked_gap(gap)
    if _transforms.active():
        value, index = _ops.emd(x.detach(), y.detach(), gap)
        # A GPU gives the index -1 to a pair that cannot be matched.
        return _transforms.with_derivatives(value, lengths(x, y, index.clamp(min=0)).mean(1))
    result: Tensor = _ops.emd(x, y, gap)[0]
    return result


@torch.no_grad()
def emd_matrix(
    a: Tensor, b: Tensor, gap: float = 0.0, *, progress: Callable[[int, int], object] | None = None
) -> Tensor:
    """Earth Mover's distances between all clouds of two sets, on all of torch's threads or on the GPU.

    D[i, j] = emd(a[i], b[j], gap); if `b is a`, a pair of different blocks of rows is computed once.

    Args:
        a: (S, N, 3), float32 or float64.
        b: (R, N, 3), of the same type and device.
        gap: as in `match`.
        progress: called as progress(pairs done, pairs in all) after each block of rows; on the GPU, when it is started.

    Returns:
        (S, R) float64, in the clouds' unit, without a gradient; on the GPU, NaN for a pair that cannot be matched.
        Extra memory: a copy of the two sets in float64.

    Raises:
        ValueError: as `match`.
        RuntimeError: as `match`.
    """
    symmetric = b is a
    a, b = cloud_sets(a, b, points=True)
    check_finite(a=a, b=b)
    gap = _checked_gap(gap)
    rows, columns = len(a), len(b)
    out = torch.empty(rows, columns, dtype=torch.float64, device=a.device)
    total = rows * (rows + 1) // 2 if symmetric else rows * columns
    at_once = -(-_PAIRS_AT_ONCE[a.device.type] // max(columns, 1))
    for row in range(0, rows, at_once):
        first, end = row if symmetric else 0, min(row + at_once, rows)
        values = _ops.emd_matrix(a[row:end], b[first:], gap)  # (end - row, columns - first)
        if symmetric:
            square = values[:, : end - row]
            square.copy_(square.triu() + square.triu(1).T)
            out[first:, row:end] = values.T
        out[row:end, first:] = values
        if progress is not None:
            left = rows - end
            progress(total - left * (left + 1) // 2 if symmetric else end * columns, total)
    return out


def _checked_gap(gap: float) -> float:
    if not 0 <= gap < 1:
        raise ValueError(f"gap: must be in [0, 1), 0 for the optimum, got {gap}; 0.01 allows a gap of 1% of the cost")
    return float(gap)


def _checked_start(start: Tensor, x: Tensor) -> Tensor:
    if start.shape != x.shape[:2] or start.device != x.device:
        raise ValueError(
            f"start: must hold a dual for each point of y, {tuple(x.shape[:2])} on {x.device}, got "
            f"{tuple(start.shape)} on {start.device}; pass the y_dual of a Matching of clouds of this size"
        )
    return start.double().contiguous()


def _emd_shape(x: Tensor, y: Tensor, gap: float) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape[0]), x.new_empty(x.shape[:2], dtype=torch.int64)


def _backward_shape(gradient: Tensor, x: Tensor, y: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x), torch.empty_like(y)


def _match_shape(x: Tensor, y: Tensor, gap: float, start: Tensor | None) -> tuple[Tensor, ...]:
    value = x.new_empty(x.shape[0], dtype=torch.float64)
    dual = x.new_empty(x.shape[:2], dtype=torch.float64)
    return torch.empty_like(dual, dtype=torch.int64), value, value.clone(), dual, dual.clone()


def _matrix_shape(a: Tensor, b: Tensor, gap: float) -> Tensor:
    return a.new_empty(a.shape[0], b.shape[0], dtype=torch.float64)


def _bound_shape(x: Tensor, y: Tensor, x_dual: Tensor) -> Tensor:
    return x.new_empty(x.shape[0], dtype=torch.float64)


def _save(ctx: Any, inputs: tuple[Tensor, Tensor, float], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs[:2], output[1])
    ctx.mark_non_differentiable(output[1])


def _backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor, Tensor, None]:
    to_x, to_y = _ops.emd_backward(gradient.contiguous(), *ctx.saved_tensors)
    return to_x, to_y, None


def _double_backward(ctx: Any, *gradients: Tensor) -> None:
    raise RuntimeError(
        "emd: has only a first derivative, but a second was requested; do not differentiate through a gradient taken "
        "with create_graph=True"
    )


torch.library.register_fake("pcgen::emd", _emd_shape)
torch.library.register_fake("pcgen::emd_backward", _backward_shape)
torch.library.register_fake("pcgen::match", _match_shape)
torch.library.register_fake("pcgen::emd_matrix", _matrix_shape)
torch.library.register_fake("pcgen::emd_lower_bound", _bound_shape)
torch.library.register_autograd("pcgen::emd", _backward, setup_context=_save)
torch.library.register_autograd("pcgen::emd_backward", _double_backward)
for _name in ("emd", "emd_backward", "match"):
    torch.library.register_vmap(f"pcgen::{_name}", _vmap.rule(getattr(_ops, _name)))
