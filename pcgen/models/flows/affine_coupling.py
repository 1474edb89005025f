"""Affine coupling layers: each half of a vector is shifted and scaled by functions of the other half."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from pcgen.errors import at_least
from pcgen.models.flows.autoregressive import bounded
from pcgen.nets.mlp import MLP

__all__ = ["AffineCoupling", "CouplingStack"]

_REACH = 1.0  # of the logarithm of a layer's scale


class AffineCoupling(nn.Module):
    """Two coupling layers with alternating masks, which together change every coordinate; the identity at first.

        u_2 = (x_2 - m(x_1)) exp(-s(x_1)),  u_1 = (x_1 - m'(u_2)) exp(-s'(u_2))

    x_1 and x_2 are the halves of x. Both directions take one evaluation of each network. The Jacobian is the product of
    two triangular ones, and the logarithm of its determinant is -sum s - sum s'. A scale is between exp(-1) and exp(1):
    several layers reach further, and no single layer moves a sample far. This is not related to couplings of noise and
    data (`pcgen.models.flows.coupling`).

    Args:
        dim: dimensions of x, at least 2.
        widths: hidden widths of the networks that compute m and s; () makes them linear.
        condition: number of further inputs of the networks, C.
        dropout: probability that a hidden unit is zeroed.

    Shapes: x (B, dim), condition (B, C).

    Raises:
        ValueError: fewer than 2 dimensions, or an argument out of range.

    References:
        Dinh, Sohl-Dickstein, Bengio (2017). Density Estimation Using Real NVP.
    """

    def __init__(self, dim: int, widths: Sequence[int], condition: int = 0, dropout: float = 0.0) -> None:
        super().__init__()
        at_least(2, dim=dim)
        self.sizes = (dim // 2, dim - dim // 2)
        one, two = self.sizes
        self.of_one = MLP((one + condition, *widths, 2 * two), activation="silu", dropout=dropout)
        self.of_two = MLP((two + condition, *widths, 2 * one), activation="silu", dropout=dropout)
        for last in (self.of_one[-1], self.of_two[-1]):
            for parameter in last.parameters():
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """u, (B, dim), and the logarithm of |du / dx|, (B,)."""
        one, two = x.split(self.sizes, dim=1)
        shift, log_scale = _told(self.of_one, one, condition)
        two = (two - shift) * (-log_scale).exp()
        shift, other = _told(self.of_two, two, condition)
        one = (one - shift) * (-other).exp()
        return torch.cat([one, two], dim=1), -log_scale.sum(1) - other.sum(1)

    def inverse(self, u: Tensor, condition: Tensor) -> Tensor:
        """x, (B, dim), of u."""
        one, two = u.split(self.sizes, dim=1)
        shift, log_scale = _told(self.of_two, two, condition)
        one = shift + one * log_scale.exp()
        shift, log_scale = _told(self.of_one, one, condition)
        return torch.cat([one, shift + two * log_scale.exp()], dim=1)


class CouplingStack(nn.Module):
    """Pairs of coupling layers, each pair after a fixed random rotation.

    A vector has no natural halves. Rotations mix all coordinates, and do not change the density.

    Args:
        dim: dimensions of x, at least 2.
        pairs: number of pairs.
        widths, condition, dropout: as in `AffineCoupling`.

    Shapes: x (B, dim), condition (B, C).
    """

    rotations: Tensor

    def __init__(self, dim: int, pairs: int, widths: Sequence[int], condition: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(AffineCoupling(dim, widths, condition, dropout) for _ in range(pairs))
        self.register_buffer("rotations", torch.linalg.qr(torch.randn(pairs, dim, dim)).Q)

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """u, (B, dim), and the logarithm of |du / dx|, (B,)."""
        log_det = x.new_zeros(len(x))
        for rotation, layer in zip(self.rotations, self.layers, strict=True):
            x, stretch = layer(x @ rotation, condition)
            log_det = log_det + stretch
        return x, log_det

    def inverse(self, u: Tensor, condition: Tensor) -> Tensor:
        """x, (B, dim), of u."""
        for rotation, layer in zip(self.rotations.flip(0), reversed(self.layers), strict=True):
            u = cast(AffineCoupling, layer).inverse(u, condition) @ rotation.T
        return u


def _told(network: nn.Module, half: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
    """The shift of one half, and the logarithm of its scale, as functions of the other half."""
    shift, log_scale = network(torch.cat([half, condition], dim=1)).chunk(2, dim=1)
    return shift, bounded(log_scale, _REACH)
