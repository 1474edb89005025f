"""Kernel maximum mean discrepancy of two samples."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from pcgen.statistics._checks import check_samples
from pcgen.statistics._distances import row_distances

__all__ = ["gaussian_kernel", "kernel_mmd", "median_bandwidths"]

_WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # kernel widths in units of the median distance


def kernel_mmd(x: Tensor, y: Tensor, bandwidths: Sequence[float] | None = None, *, unbiased: bool = True) -> Tensor:
    """Squared maximum mean discrepancy of two samples, under a sum of Gaussian kernels.

        mean k(x, x') + mean k(y, y') - 2 mean k(x, y),  k(a, b) = sum_h exp(-|a - b|^2 / 2 h^2)

    The unbiased estimate (a U-statistic) omits the pairs of a row with itself. Its mean is 0 for equal distributions,
    so it may be negative. The biased estimate (a V-statistic) uses all pairs and is never negative. Both are computed
    in float64, on the device of the samples, and returned in the type of x, a scalar without unit.

    Args:
        x: (S, D), floating point.
        y: (R, D).
        bandwidths: the h of the kernels, in the unit of x; by default the `median_bandwidths` of x and y together,
            which have no gradient.
        unbiased: whether to compute the unbiased or the biased estimate.

    Raises:
        ValueError: shapes that differ in D, fewer rows than 2 (unbiased) or 1 (biased), or a bandwidth that is not
            positive.

    References:
        Gretton, Borgwardt, Rasch, Schölkopf, Smola (2012). A Kernel Two-Sample Test.
    """
    check_samples(x, y, least=2 if unbiased else 1)
    widths = median_bandwidths(torch.cat([x, y])) if bandwidths is None else bandwidths

    def within(a: Tensor) -> Tensor:
        k = gaussian_kernel(row_distances(a, a), widths)
        return (k.sum() - k.diagonal().sum()) / (len(a) * (len(a) - 1)) if unbiased else k.mean()

    return (within(x) + within(y) - 2 * gaussian_kernel(row_distances(x, y), widths).mean()).to(x.dtype)


def gaussian_kernel(distances: Tensor, bandwidths: Sequence[float]) -> Tensor:
    """sum_h exp(-d^2 / 2 h^2) of distances d, of the same shape.

    Raises:
        ValueError: no bandwidth h is given, or one is not positive and finite.
    """
    if not bandwidths or not all(0 < width < math.inf for width in bandwidths):
        raise ValueError(f"bandwidths: must be positive numbers, got {list(bandwidths)}")
    squared = distances**2
    return torch.stack([torch.exp(squared / (-2 * width**2)) for width in bandwidths]).sum(0)


def median_bandwidths(rows: Tensor) -> list[float]:
    """1/4, 1/2, 1, 2 and 4 times the median distance between two different rows (S, D), in the unit of the rows.

    Raises:
        ValueError: there are fewer than two rows, or the median is 0.
    """
    if len(rows) < 2:
        raise ValueError(f"bandwidths: a median distance needs two rows or more, got {len(rows)}; give bandwidths")
    median = float(torch.nn.functional.pdist(rows.detach().double()).median())
    if median == 0:
        raise ValueError("bandwidths: most rows are equal, so their median distance is 0; give bandwidths")
    return [width * median for width in _WIDTHS]
