"""A prior and a likelihood whose coordinates depend on those before them."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from pcgen.models.autoregressive.conditionals import MixtureHead, Mixtures
from pcgen.models.flows.autoregressive import AffineAutoregressive
from pcgen.models.priors import Normal
from pcgen.models.variational.likelihoods import VectorGaussian
from pcgen.nets.masked import MaskedMLP

__all__ = ["AutoregressiveGaussian", "AutoregressiveMixture", "FlowPrior"]


class AutoregressiveMixture(nn.Module):
    """p(u) = product over i of a mixture of Gaussians of u_i, with weights, means and deviations that depend on u_<i.

    Before training, it is nearly N(0, I).

    Args:
        dim: of u.
        parts: components of each mixture.
        widths: hidden widths of the masked perceptron that computes them.

    References:
        Papamakarios, Pavlakou, Murray (2017). Masked Autoregressive Flow for Density Estimation.
    """

    def __init__(self, dim: int, parts: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.head = MixtureHead(parts, 1)
        self.network = MaskedMLP(dim, widths, outputs=self.head.outputs)

    def log_prob(self, u: Tensor) -> Tensor:
        """Natural logarithm of the density, (B, dim) -> (B,)."""
        conditionals: Mixtures = self.head(self.network(u))
        return conditionals.log_prob(u[..., None]).sum(1)

    def draw(self, noise: Tensor) -> Tensor:
        """u, (B, dim), from standard normal noise, (B, dim), and random components, one coordinate after another."""
        u = torch.zeros_like(noise)
        for i in range(u.shape[1]):
            conditional: Mixtures = self.head(self.network(u)[:, i])
            u[:, i] = conditional.draw(noise[:, i, None])[:, 0]
        return u


class FlowPrior(Normal):
    """p(z) of z that autoregressive maps turn into autoregressive mixtures, with reversed coordinates in each map.

    Args:
        dim: of a latent.
        steps: maps; 0 is none.
        parts: of the mixtures; 1 is a Gaussian.
        widths: hidden widths of each map, and of the mixtures'.

    References:
        Chen, Kingma, Salimans, Duan, Dhariwal, Schulman, Sutskever, Abbeel (2017). Variational Lossy Autoencoder.
    """

    def __init__(self, dim: int, steps: int, parts: int, widths: Sequence[int]) -> None:
        super().__init__(dim)
        self.maps = nn.ModuleList(AffineAutoregressive(dim, widths) for _ in range(steps))
        self.base = AutoregressiveMixture(dim, parts, widths)

    def draw(self, n: int, truncation: float | None = None) -> Tensor:
        z = self.base.draw(super().draw(n, truncation))
        for step in reversed(self.maps):
            z = cast(AffineAutoregressive, step).inverse(z.flip(1))
        return z

    def log_prob(self, z: Tensor) -> Tensor:
        total = z.new_zeros(len(z))
        for step in self.maps:
            z, stretch = step(z)
            z, total = z.flip(1), total + stretch
        return self.base.log_prob(z) + total


class AutoregressiveGaussian(VectorGaussian):
    """p(x | z) of x = decode(z) + e, e_i ~ N(m_i, scale^2), m_i a function of the preceding e in a window.

    Args:
        dim: of x.
        scale: standard deviation of every e_i about its mean, in the units of x.
        learned: whether the scale is learned.
        window: how many preceding coordinates m_i depends on; 0 is none.
        widths: hidden widths of the masked perceptron that computes m; () is linear.
    """

    def __init__(self, dim: int, scale: float, learned: bool, window: int, widths: Sequence[int]) -> None:
        super().__init__(scale, learned)
        self.network = MaskedMLP(dim, widths, window=window)

    def nll(self, x: Tensor, decoded: Tensor) -> Tensor:
        return super().nll(x, decoded + self.network(x - decoded)[..., 0])

    def draw(self, decoded: Tensor) -> Tensor:
        e = torch.zeros_like(decoded)
        noise = self.log_scale.exp() * torch.randn_like(decoded)
        for i in range(e.shape[1]):
            e[:, i] = self.network(e)[:, i, 0] + noise[:, i]
        return decoded + e
