"""Ratios that are sums of Gaussian kernels with weights from 0 on."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pcgen.errors import at_least, positive
from pcgen.statistics._checks import check_finite, check_samples
from pcgen.statistics._distances import row_distances
from pcgen.statistics.kernel_mmd import gaussian_kernel, median_bandwidths

__all__ = ["KernelRatio", "Kernels"]

_HALF = 1  # the median's half, by its place in `median_bandwidths`


@dataclass(frozen=True)
class Kernels:
    """k_l(x) = exp(-|x - c_l|^2 / (2 h^2)) about some rows c of a sample."""

    centres: Tensor  # (L, D)
    bandwidth: float  # h

    @classmethod
    def of(cls, x: Tensor, y: Tensor, count: int, bandwidth: float | None) -> "Kernels":
        """About at most `count` rows of x, evenly taken in their order; None is half the median distance of all rows.

        Raises:
            ValueError: x and y are not (S, D) and (R, D), finite, with two rows each, no kernels, or a bandwidth that
                is not positive.
        """
        check_samples(x, y, least=2)
        check_finite(x=x, y=y)
        at_least(1, kernels=count)
        if bandwidth is None:
            bandwidth = median_bandwidths(torch.cat([x, y]))[_HALF]
        positive(bandwidth=bandwidth)
        return cls(x[:: -(-len(x) // count)], bandwidth)

    def __call__(self, rows: Tensor) -> Tensor:
        """k_l of each row, (B, D) -> (B, L) float64."""
        return gaussian_kernel(row_distances(rows, self.centres), [self.bandwidth])


@dataclass(frozen=True)
class KernelRatio:
    """log of p(x) / q(x) = sum over l of weights_l k_l(x), as a function of rows (B, D) -> (B,), float64."""

    kernels: Kernels
    weights: Tensor  # (L,), from 0 on

    def __call__(self, rows: Tensor) -> Tensor:
        """The logarithm of the ratio at each row: by exponents, so that it is finite far from all kernels too."""
        exponents = row_distances(rows, self.kernels.centres).square() / (-2 * self.kernels.bandwidth**2)
        return torch.logsumexp(exponents + self.weights.log(), dim=1)
