"""Kernel maximum mean discrepancy of two samples."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pcgen.statistics._checks import check_samples

__all__ = ["kernel_mmd"]


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
    check_samples(x, y, least=2 if unbiased else 1)
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


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    # Not cdist(...)**2, whose gradient at equal rows is 0 times an infinity; centred, as the expansion cancels far
    # from 0.
    centre = b.mean(0).detach()
    a, b = a - centre, b - centre
    return (a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T).clamp_min(0)


def _median_bandwidths(x: Tensor, y: Tensor) -> Tensor:
    both = torch.cat([x, y]).detach()
    return torch.nn.functional.pdist(both).median() * x.new_tensor([0.25, 0.5, 1.0, 2.0, 4.0])
