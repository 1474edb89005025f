"""Ratios that are sums of Gaussian kernels with nonnegative weights."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pcgen.errors import at_least, positive
from pcgen.statistics._checks import check_finite, check_samples
from pcgen.statistics._distances import row_distances
from pcgen.statistics.kernel_mmd import median_bandwidths

__all__ = ["KernelRatio", "Kernels"]

_HALF = 1  # index of half the median distance in `median_bandwidths`


@dataclass(frozen=True)
class Kernels:
    """Gaussian kernels k_l(x) = exp(-|x - c_l|^2 / (2 h^2)) around some rows c_l of a sample."""

    centres: Tensor  # (L, D)
    bandwidth: float  # h

    @classmethod
    def of(cls, x: Tensor, y: Tensor, count: int, bandwidth: float | None) -> "Kernels":
        """Kernels around at most `count` rows of x, at regular intervals; by default h is half the median distance.

        Raises:
            ValueError: x and y are not (S, D) and (R, D), finite, with at least two rows each; a count below 1; or a
                bandwidth that is not positive.
        """
        check_samples(x, y, least=2)
        check_finite(x=x, y=y)
        at_least(1, kernels=count)
        if bandwidth is None:
            bandwidth = median_bandwidths(torch.cat([x, y]))[_HALF]
        positive(bandwidth=bandwidth)
        return cls(x[:: -(-len(x) // count)], bandwidth)

    def __call__(self, rows: Tensor) -> Tensor:
        """k_l(x) of each row x, (B, D) -> (B, L) float64."""
        return self.log(rows).exp()

    def log(self, rows: Tensor) -> Tensor:
        """log k_l(x), (B, D) -> (B, L) float64, finite far from all centres too, where k_l(x) is 0 by underflow."""
        return row_distances(rows, self.centres).square() / (-2 * self.bandwidth**2)


@dataclass(frozen=True)
class KernelRatio:
    """Logarithm of p(x) / q(x) = sum over l of weights_l k_l(x), as a function of rows (B, D) -> (B,) float64."""

    kernels: Kernels
    weights: Tensor  # (L,), nonnegative

    def __call__(self, rows: Tensor) -> Tensor:
        """The logarithm of the ratio at each row, by log-sum-exp, so that it is finite far from all kernels too."""
        return torch.logsumexp(self.kernels.log(rows) + self.weights.log(), dim=1)
