"""Mixtures of Gaussians with parameters from a network: the distribution of the next coordinate or point."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pcgen.errors import at_least
from pcgen.models.flows.autoregressive import bounded

__all__ = ["MixtureHead", "Mixtures"]


@dataclass(frozen=True)
class Mixtures:
    """sum over k of w_k N(m_k, diag s_k^2): mixtures of K Gaussians of C independent numbers, one for each "..."."""

    log_weight: Tensor  # (..., K)
    mean: Tensor  # (..., K, C)
    log_scale: Tensor  # (..., K, C)

    def log_prob(self, x: Tensor, counts: Tensor | None = None) -> Tensor:
        """Natural logarithm of the density of x, (..., C): (...).

        Coordinates where `counts`, (..., C), is 0 are left out: it is the density of the others.
        """
        each = self.log_scale + 0.5 * ((x[..., None, :] - self.mean) * (-self.log_scale).exp()).square()
        each = each + 0.5 * math.log(2 * math.pi)
        if counts is not None:
            each = each * counts[..., None, :]
        return (self.log_weight - each.sum(-1)).logsumexp(-1)

    def draw(self, noise: Tensor | None = None) -> Tensor:
        """One sample of each, (..., C), from standard normal noise of that shape, and random components."""
        parts, size = self.mean.shape[-2:]
        weights = self.log_weight.exp().reshape(-1, parts)
        part = torch.multinomial(weights, 1)[..., None].expand(-1, 1, size)  # (R, 1, C)
        mean, log_scale = (each.reshape(-1, parts, size).gather(1, part)[:, 0] for each in (self.mean, self.log_scale))
        noise = torch.randn_like(mean) if noise is None else noise.reshape(-1, size)
        return (mean + log_scale.exp() * noise).reshape(*self.mean.shape[:-2], size)


class MixtureHead(nn.Module):
    """Maps a network's outputs, (..., outputs), to mixtures; zeros give nearly N(0, I).

    The components then have the standard deviation w = parts^(-1 / (2 size)), and means that are spread over N(0, 1 -
    w^2) in every coordinate, in different orders; a single component is N(0, I).

    Args:
        parts: components of every mixture, K.
        size: dimensions of a mixture, C.

    Raises:
        ValueError: an argument below 1.
    """

    centres: Tensor

    def __init__(self, parts: int, size: int) -> None:
        super().__init__()
        at_least(1, parts=parts, size=size)
        self.parts, self.size = parts, size
        self.outputs = parts * (1 + 2 * size)
        width = parts ** (-1 / (2 * size))
        self.log_width = math.log(width)
        places = torch.special.ndtri((torch.arange(parts) + 0.5) / parts)
        places = places / places.square().mean().sqrt().clamp_min(1e-6) * (1 - width**2) ** 0.5
        # A Latin hypercube: every number has all the places, each in an order that is drawn.
        orders = torch.stack([torch.randperm(parts) for _ in range(size)], dim=1)
        self.register_buffer("centres", places[orders])  # (K, C)

    def forward(self, told: Tensor) -> Mixtures:
        log_weight, mean, log_scale = told.split((self.parts, self.parts * self.size, self.parts * self.size), dim=-1)
        shape = (self.parts, self.size)
        return Mixtures(
            log_weight.log_softmax(-1),
            self.centres + mean.unflatten(-1, shape),
            self.log_width + bounded(log_scale.unflatten(-1, shape)),
        )
