"""The affine map to principal axes, after which data has mean 0 and covariance I."""

import math

import torch
from torch import Tensor, nn

__all__ = ["Whitening"]

_LEAST = 1e-6  # of the mean variance: the variance along an axis on which data is constant


class Whitening(nn.Module):
    """e = diag(d)^-1 V^T (x - m), with m the mean of the data, V its principal axes and d its deviations along them.

    e_1 is the place along the axis on which data varies most, e_2 that along the next one, and so on. A density of e
    that begins as N(0, I) begins as the Gaussian of the data's mean and covariance. The covariance of rows that are few
    for their dimension is shrunk towards its mean variance, by as much as brings it nearest to the true one.

    Args:
        dim: numbers of a vector, D. Before `fit` it is the identity.

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
        self.register_buffer("deviation", torch.ones(dim))  # d, falling

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Take mean, axes and deviations from rows, (R, dim), or from the members of sets, (R, M, dim)."""
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
        """x of e."""
        return self.mean + (e * self.deviation) @ self.axes.T

    @property
    def log_det(self) -> Tensor:
        """log |de / dx| of one vector, ()."""
        return -self.deviation.log().sum()

    def smoothed(self, x: Tensor, share: float) -> Tensor:
        """x with a share of its variance in every direction drawn anew: mean and covariance stay as they are.

        m + sqrt(1 - share) (x - m) + sqrt(share) V diag(d) n,  n ~ N(0, I)
        """
        noise = self.inverse(torch.randn_like(x)) - self.mean
        kept = self.mean + math.sqrt(1 - share) * (x - self.mean)
        return kept + math.sqrt(share) * noise
