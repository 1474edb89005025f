"""Divergences between two sets of vectors: energy distance, kernel maximum mean discrepancy, sliced Wasserstein.

Each takes x, (S, D), and y, (R, D), and is a differentiable scalar.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["energy_distance", "kernel_mmd", "sliced_wasserstein"]


def energy_distance(x: Tensor, y: Tensor) -> Tensor:
    """Energy distance of two samples, as a V-statistic.

        2 mean |x_i - y_j| - mean |x_i - x_j| - mean |y_i - y_j|

    Euclidean norms, not squared; the means run over all pairs, a row with itself included, so the value is never
    negative, and 0 for equal sets. Two samples of one distribution have (1/S + 1/R) E|x - x'| on average.

    Raises:
        ValueError: x and y are not (S, D) and (R, D) with at least one row each.

    References:
        Székely, Rizzo (2013). Energy Statistics: A Class of Statistics Based on Distances.
    """
    _check(x, y, least=1)
    return 2 * torch.cdist(x, y).mean() - torch.cdist(x, x).mean() - torch.cdist(y, y).mean()


def kernel_mmd(x: Tensor, y: Tensor, bandwidths: Sequence[float] | None = None, *, unbiased: bool = True) -> Tensor:
    """Squared maximum mean discrepancy of two samples, under a sum of Gaussian kernels.

        mean k(x, x') + mean k(y, y') - 2 mean k(x, y),  k(a, b) = sum_h exp(-|a - b|^2 / 2 h^2)

    Unbiased: a row's pair with itself is left out (a U-statistic, whose mean is 0 for equal distributions, so that it
    may be negative). Biased: all pairs (a V-statistic, never negative).

    Args:
        x: (S, D).
        y: (R, D).
        bandwidths: the h of the kernels, in the units of x; None takes 1/4, 1/2, 1, 2 and 4 times the median distance
            between two different rows of x and y together, through which no gradient flows.
        unbiased: which of the two statistics.

    Raises:
        ValueError: shapes that differ in D, fewer rows than 2 (unbiased) or 1 (biased), or a bandwidth that is not
            positive.

    References:
        Gretton, Borgwardt, Rasch, Schölkopf, Smola (2012). A Kernel Two-Sample Test.
    """
    _check(x, y, least=2 if unbiased else 1)
    widths = _median_bandwidths(x, y) if bandwidths is None else x.new_tensor(list(bandwidths))
    if len(widths) == 0 or not bool((widths > 0).all()):
        raise ValueError(
            f"bandwidths: must be positive numbers, got {widths.tolist()}"
            + ("; all rows of x and y are equal: give bandwidths" if bandwidths is None else "")
        )

    def kernel(a: Tensor, b: Tensor) -> Tensor:  # (S, D), (R, D) -> (S, R)
        squared = _squared_distances(a, b)
        return torch.stack([torch.exp(squared / (-2 * h * h)) for h in widths]).sum(0)

    def within(a: Tensor) -> Tensor:
        k = kernel(a, a)
        return (k.sum() - k.diagonal().sum()) / (len(a) * (len(a) - 1)) if unbiased else k.mean()

    return within(x) + within(y) - 2 * kernel(x, y).mean()


def sliced_wasserstein(
    x: Tensor, y: Tensor, projections: int = 128, *, order: int = 2, seed: int | None = None
) -> Tensor:
    """Sliced Wasserstein distance of two samples, not squared.

        (mean over directions u of W_p(u x, u y)^p)^(1/p)

    Directions u are random unit vectors; each one-dimensional distance is exact, of unequal sample sizes too: the
    integral over q in [0, 1] of the p-th power of the difference between both quantiles at q.

    Args:
        x: (S, D).
        y: (R, D).
        projections: number of directions; the value's relative error falls as its square root.
        order: p, 1 or more.
        seed: of the directions, for equal values at equal input; None draws from torch's global generator.

    Raises:
        ValueError: shapes that differ in D, no rows, or `projections` or `order` below 1.

    References:
        Rabin, Peyré, Delon, Bernot (2012). Wasserstein Barycenter and Its Application to Texture Mixing.
    """
    _check(x, y, least=1)
    if projections < 1:
        raise ValueError(f"projections: must be at least 1, got {projections}")
    if order < 1:
        raise ValueError(f"order: must be at least 1, got {order}")
    # Drawn on the CPU: one seed gives the same directions on every device.
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    directions = torch.randn(x.shape[1], projections, generator=generator, dtype=x.dtype).to(x.device)
    directions = directions / directions.norm(dim=0)  # (D, P)
    a, b = (x @ directions).sort(dim=0).values, (y @ directions).sort(dim=0).values  # (S, P), (R, P)
    # Both quantile functions are constant between neighbours of the grid {i/S} u {j/R}, held as integers over S*R.
    s, r = len(a), len(b)
    ends = torch.cat([torch.arange(1, s + 1) * r, torch.arange(1, r + 1) * s]).unique().to(x.device)
    lengths = ends.diff(prepend=ends.new_zeros(1)).to(x.dtype) / (s * r)  # (M,)
    i, j = (ends - 1) // r, (ends - 1) // s
    costs: Tensor = (lengths[:, None] * (a[i] - b[j]).abs() ** order).sum(0)  # (P,)
    return costs.mean().pow(1 / order)


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    # Not cdist(...)**2, whose gradient at equal rows is 0 times an infinity; centred, as the expansion cancels far
    # from 0.
    centre = b.mean(0).detach()
    a, b = a - centre, b - centre
    return (a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T).clamp_min(0)


def _median_bandwidths(x: Tensor, y: Tensor) -> Tensor:
    both = torch.cat([x, y]).detach()
    return torch.nn.functional.pdist(both).median() * x.new_tensor([0.25, 0.5, 1.0, 2.0, 4.0])


def _check(x: Tensor, y: Tensor, least: int) -> None:
    if x.dim() != 2 or y.dim() != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"x, y: must be (S, D) and (R, D), got {tuple(x.shape)} and {tuple(y.shape)}")
    if min(len(x), len(y)) < least:
        raise ValueError(f"x, y: must have at least {least} rows each, got {len(x)} and {len(y)}")
