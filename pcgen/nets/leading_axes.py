"""The leading principal axes of data whose dimension is too high for a full decomposition."""

import torch
from torch import Tensor, nn

from pcgen.errors import at_least

__all__ = ["LeadingAxes"]

_MORE, _ROUNDS = 8, 4  # of the randomised decomposition: oversampling and power iterations
_LEAST = 1e-6  # axes are dropped if their deviation is a smaller share of the largest


class LeadingAxes(nn.Module):
    """e = diag(d)^-1 V^T (y - m): coordinates along the K leading principal axes V of data, in standard deviations d.

    It maps D numbers, possibly thousands, to K. The inverse m + V diag(d) e is the best approximation of y by K axes.
    If there are too few rows for K axes, the remaining coordinates are 0 in both directions.

    Args:
        dim: D. Before `fit` the axes are the first coordinates.
        count: K, from 1 to D.

    Shapes: (B, D) -> (B, K).

    Raises:
        ValueError: no axis, or more than D.

    References:
        Halko, Martinsson, Tropp (2011). Finding Structure with Randomness: Probabilistic Algorithms for Constructing
        Approximate Matrix Decompositions.
    """

    mean: Tensor
    inward: Tensor
    outward: Tensor

    def __init__(self, dim: int, count: int) -> None:
        super().__init__()
        at_least(1, count=count)
        at_least(count, dim=dim)
        self.count = count
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("inward", torch.eye(count, dim))  # diag(d)^-1 V^T
        self.register_buffer("outward", torch.eye(dim, count))  # V diag(d)

    @torch.no_grad()
    def fit(self, y: Tensor) -> None:
        """Estimate mean, axes and deviations from rows (S, D)."""
        mean = y.mean(0)
        _, singular, axes = torch.svd_lowrank(y - mean, min(self.count + _MORE, *y.shape), _ROUNDS)
        deviation = singular[: self.count] / len(y) ** 0.5
        known = deviation > _LEAST * deviation[0]
        axes, deviation = axes[:, : self.count][:, known], deviation[known]
        self.mean.copy_(mean)
        self.inward.zero_()[: len(deviation)] = axes.T / deviation[:, None]
        self.outward.zero_()[:, : len(deviation)] = axes * deviation

    def forward(self, y: Tensor) -> Tensor:
        return (y - self.mean) @ self.inward.T

    def inverse(self, e: Tensor) -> Tensor:
        """The rows m + V diag(d) e, (B, K) -> (B, D)."""
        return self.mean + e @ self.outward.T

    @torch.no_grad()
    def before(self, linear: nn.Linear) -> nn.Linear:
        """A linear map of e, written as a linear map of y."""
        both = nn.Linear(len(self.mean), linear.out_features, device=self.mean.device)
        both.weight.copy_(linear.weight @ self.inward)
        both.bias.copy_(linear.bias - both.weight @ self.mean)
        return both

    @torch.no_grad()
    def after(self, linear: nn.Linear) -> nn.Linear:
        """A linear map to e, written as a linear map to y."""
        both = nn.Linear(linear.in_features, len(self.mean), device=self.mean.device)
        both.weight.copy_(self.outward @ linear.weight)
        both.bias.copy_(self.inverse(linear.bias))
        return both
