"""The affine map to principal axes, after which data has mean 0 and covariance I."""

import math

import torch
from torch import Tensor, nn

__all__ = ["Whitening"]

_LEAST = 1e-6  # variance, relative to the mean variance, along an axis on which data is constant


class Whitening(nn.Module):
    """e = diag(d)^-1 V^T (x - m): m is the mean of the data, V its principal axes, d its standard deviations on them.

    e_1 is the coordinate along the axis with the largest variance, e_2 along the next one, and so on. If a density of e
    starts as N(0, I), the density of x starts as the Gaussian with the mean and covariance of the data. If there are
    few rows for their dimension, the covariance is shrunk towards the identity times the mean variance, by the amount
    that minimises the expected error.

    Args:
        dim: dimension of the vectors, D. Before `fit` the map is the identity.

    Shapes: (..., dim) -> (..., dim).

    References:
        Chen, Wiesel, Eldar, Hero (2010). Shrinkage Algorithms for MMSE Covariance Estimation.
    """

    mean: Tensor
    axes: Tensor
    deviation: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("axes", torch.eye(dim))  # V, in columns
        self.register_buffer("deviation", torch.ones(dim))  # d, in descending order

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Estimate mean, axes and deviations from rows, (R, dim), or from the members of sets, (R, M, dim)."""
        from sklearn.covariance import oas

        rows = x.flatten(0, -2).double()
        covariance = torch.as_tensor(oas(rows.cpu().numpy())[0], device=x.device)
        variances, axes = torch.linalg.eigh(covariance)
        least = _LEAST * (float(variances.mean()) or 1.0)
        self.mean.copy_(rows.mean(0))
        self.axes.copy_(axes.flip(1))
        self.deviation.copy_(variances.flip(0).clamp_min(least).sqrt())

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) @ self.axes / self.deviation

    def inverse(self, e: Tensor) -> Tensor:
        """The inverse map, from e to x, (..., dim) -> (..., dim)."""
        return self.mean + (e * self.deviation) @ self.axes.T

    @property
    def log_det(self) -> Tensor:
        """log |de / dx| of one vector, ()."""
        return -self.deviation.log().sum()

    def smoothed(self, x: Tensor, share: float) -> Tensor:
        """x with a share of its variance in every direction replaced by noise; mean and covariance do not change.

        m + sqrt(1 - share) (x - m) + sqrt(share) V diag(d) n,  n ~ N(0, I)
        """
        noise = self.inverse(torch.randn_like(x)) - self.mean
        kept = self.mean + math.sqrt(1 - share) * (x - self.mean)
        return kept + math.sqrt(share) * noise
