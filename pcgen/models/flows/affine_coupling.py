"""An invertible map whose halves take turns: each is shifted and scaled by what the other one tells."""

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
    """Two coupling layers with alternating masks, which between them change every number; the identity at the start.

        u_2 = (x_2 - m(x_1)) exp(-s(x_1)),  u_1 = (x_1 - m'(u_2)) exp(-s'(u_2))

    x_1 and x_2 are the halves of x. Both directions take one evaluation of each network, and the Jacobian is the
    product of two triangular ones, whose logarithm is -sum s - sum s'. A scale is within exp(-1) and exp(1): several
    layers reach further, and none alone throws a draw far off. It has nothing to do with couplings of noise and data
    (`pcgen.models.flows.coupling`).

    Args:
        dim: numbers of x, at least 2.
        widths: hidden widths of the networks that make m and s; () makes them linear.
        condition: numbers that the networks see besides, C.
        dropout: probability that a hidden number of theirs is zeroed.

    Shapes: x (B, dim), condition (B, C).

    Raises:
        ValueError: fewer than 2 numbers, or an argument out of range.

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
    """Coupling layers, two by two, each two of them after a fixed random rotation.

    The numbers of a vector have no places that would tell its halves. Those of a rotation let every number meet all
    others, and a rotation costs the density nothing.

    Args:
        dim: numbers of x, at least 2.
        pairs: of layers.
        widths: as in `AffineCoupling`, of which condition and dropout are too.

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
    """What a half tells of the other one: its shift and the logarithm of its scale."""
    shift, log_scale = network(torch.cat([half, condition], dim=1)).chunk(2, dim=1)
    return shift, bounded(log_scale, _REACH)
