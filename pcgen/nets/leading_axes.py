"""The principal axes along which data varies most, where there are too many numbers to ask for all."""

import torch
from torch import Tensor, nn

from pcgen.errors import at_least

__all__ = ["LeadingAxes"]

_MORE, _ROUNDS = 8, 4  # of the randomised search: further axes that it takes along, and its iterations
_LEAST = 1e-6  # share of the largest deviation below which an axis is none


class LeadingAxes(nn.Module):
    """e = diag(d)^-1 V^T (y - m): places along the K leading principal axes V of data, in units of its deviations d.

    It is a map of D numbers, thousands say, to few. The way back, m + V diag(d) e, is as near as K axes come to y.
    Axes that the data has not, since its rows are few, are 0 both ways.

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
        """Take mean, axes and deviations from rows (S, D)."""
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
        """The rows nearest to y that the axes can tell, (B, K) -> (B, D)."""
        return self.mean + e @ self.outward.T

    @torch.no_grad()
    def before(self, linear: nn.Linear) -> nn.Linear:
        """A linear map of e as one of y."""
        both = nn.Linear(len(self.mean), linear.out_features, device=self.mean.device)
        both.weight.copy_(linear.weight @ self.inward)
        both.bias.copy_(linear.bias - both.weight @ self.mean)
        return both

    @torch.no_grad()
    def after(self, linear: nn.Linear) -> nn.Linear:
        """A linear map that gives e as one that gives y."""
        both = nn.Linear(linear.in_features, len(self.mean), device=self.mean.device)
        both.weight.copy_(self.outward @ linear.weight)
        both.bias.copy_(self.inverse(linear.bias))
        return both
