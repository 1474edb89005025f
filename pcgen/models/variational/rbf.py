"""The squared exponential kernel, and its expectations under Gaussian inputs."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["RBF", "Expectations", "pairs"]


@dataclass(frozen=True)
class Expectations:
    """Of the kernel between inputs h_n ~ N(m_n, diag s_n) and fixed points z: the psi statistics, in float64."""

    psi0: Tensor  # (), E k(h_n, h_n), the same for every n
    psi1: Tensor  # (B, M), E k(h_n, z_i)
    psi2: Tensor  # (B, P), E k(h_n, z_i) k(h_n, z_j) of the P = M (M + 1) / 2 pairs i <= j, in the order of `pairs`


def pairs(count: int, device: torch.device) -> Tensor:
    """The pairs i <= j of so many points, (2, P)."""
    return torch.triu_indices(count, count, device=device)


class RBF(nn.Module):
    """k(a, b) = variance exp(-1/2 sum over q of (a_q - b_q)^2 / length_q^2), computed in float64.

    A dimension with a large length has no influence, so the lengths show the relevance of each dimension (automatic
    relevance determination).

    Args:
        dim: of its inputs.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.log_variance = nn.Parameter(torch.zeros(()))
        self.log_lengths = nn.Parameter(torch.zeros(dim))

    @property
    def variance(self) -> Tensor:
        """k(a, a), ()."""
        return self.log_variance.double().exp()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """k of every a with every b, (A, dim), (B, dim) -> (A, B)."""
        weights = (-2 * self.log_lengths.double()).exp().expand_as(a)
        return self.variance * (-0.5 * _squares(weights, a.double(), b.double())).exp()

    def expectations(self, mean: Tensor, variance: Tensor, points: Tensor) -> Expectations:
        """Of inputs N(mean, diag variance), (B, dim) each, and fixed points (M, dim).

            psi1 = variance product over q of (1 + s / l^2)^(-1/2) exp(-1/2 (m - z_i)^2 / (l^2 + s))
            psi2 = variance^2 product over q of (1 + 2 s / l^2)^(-1/2)
                   exp(-(z_i - z_j)^2 / (4 l^2) - (m - (z_i + z_j) / 2)^2 / (l^2 + 2 s))

        References:
            Titsias, Lawrence (2010). Bayesian Gaussian Process Latent Variable Model.
        """
        mean, s, points = mean.double(), variance.double(), points.double()
        squared = (2 * self.log_lengths.double()).exp()
        one = -0.5 * ((s / squared).log1p().sum(1, keepdim=True) + _squares(1 / (squared + s), mean, points))
        first, second = (points[place] for place in pairs(len(points), points.device))  # (P, dim) each
        apart = 0.25 * ((first - second).square() / squared).sum(1)
        middles = (first + second) / 2
        two = -0.5 * (2 * s / squared).log1p().sum(1, keepdim=True) - _squares(1 / (squared + 2 * s), mean, middles)
        psi1 = (self.log_variance.double() + one).exp()
        psi2 = (2 * self.log_variance.double() + two - apart).exp()
        return Expectations(self.variance, psi1, psi2)


def _squares(weights: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Sum over q of w_nq (a_nq - b_kq)^2, (A, dim), (A, dim), (B, dim) -> (A, B), by products of matrices."""
    weighted = weights * a
    return (weighted * a).sum(1, keepdim=True) - 2 * weighted @ b.T + weights @ b.square().T
