"""Priors of latents: by name, or your own sampler."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, positive

__all__ = ["PRIORS", "Ball", "Censored", "Density", "Mixture", "Normal", "Prior", "Uniform"]


class Prior(nn.Module, ABC):
    """A distribution of latents (B, dim), on the device of its buffer.

    Args:
        dim: of a latent.
        scale: its unit of length.
    """

    scale: Tensor

    def __init__(self, dim: int, scale: float = 1.0) -> None:
        super().__init__()
        at_least(1, dim=dim)
        positive(scale=scale)
        self.dim = dim
        self.register_buffer("scale", torch.tensor(scale), persistent=False)

    @abstractmethod
    def draw(self, n: int, truncation: float | None = None) -> Tensor:
        """n latents, (n, dim), from torch's global generator.

        With a truncation t, coordinates of noise farther than t standard deviations from 0 are redrawn (Brock, Donahue,
        Simonyan, 2019, Large Scale GAN Training for High Fidelity Natural Image Synthesis).

        Raises:
            ValueError: a truncation that is not positive, or of a prior without tails.
        """

    def _noise(self, n: int, truncation: float | None) -> Tensor:
        """e ~ N(0, I), (n, dim), within the truncation."""
        if truncation is None:
            return torch.randn(n, self.dim, device=self.scale.device)
        if not truncation > 0:
            raise ValueError(f"truncation: must be a positive number of standard deviations, or None, got {truncation}")
        return nn.init.trunc_normal_(torch.empty(n, self.dim, device=self.scale.device), a=-truncation, b=truncation)

    def _whole(self, truncation: float | None) -> None:
        if truncation is not None:
            raise ValueError(
                f"truncation: must be None for a prior {type(self).__name__.lower()}, which has no tails, "
                f"got {truncation}"
            )


class Density(Prior):
    """A prior whose density is known."""

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """Natural logarithm of the density, (B, dim) -> (B,)."""


class Normal(Density):
    """N(0, scale^2 I)."""

    def draw(self, n: int, truncation: float | None = None) -> Tensor:
        return self.scale * self._noise(n, truncation)

    def log_prob(self, z: Tensor) -> Tensor:
        constant = self.dim * (self.scale.log() + 0.5 * math.log(2 * math.pi))
        log_prob: Tensor = -0.5 * (z / self.scale).square().sum(1) - constant
        return log_prob


class Censored(Prior):
    """max(e, 0) of e ~ N(0, scale^2 I), as in Brock et al. (2019)."""

    def draw(self, n: int, truncation: float | None = None) -> Tensor:
        return self.scale * self._noise(n, truncation).clamp_min(0)


class Uniform(Prior):
    """Uniform in the cube [-scale, scale]^dim."""

    def draw(self, n: int, truncation: float | None = None) -> Tensor:
        self._whole(truncation)
        return self.scale * (2 * torch.rand(n, self.dim, device=self.scale.device) - 1)


class Ball(Prior):
    """Uniform in the ball of radius `scale`."""

    def draw(self, n: int, truncation: float | None = None) -> Tensor:
        self._whole(truncation)
        direction = nn.functional.normalize(self._noise(n, None), dim=1)
        radius = torch.rand(n, 1, device=self.scale.device) ** (1 / self.dim)
        return self.scale * radius * direction


class Mixture(Prior):
    """A mixture of N(m_k, scale^2 I) with equal weights, and means on a circle about 0 in two coordinates or a line.

    Args:
        dim: of a latent.
        scale: standard deviation of each component.
        parts: number of components.
        radius: of the circle; half of the line for latents of one dimension.
    """

    means: Tensor

    def __init__(self, dim: int, scale: float = 0.5, parts: int = 10, radius: float = 4.0) -> None:
        super().__init__(dim, scale)
        at_least(1, parts=parts)
        positive(radius=radius)
        means = torch.zeros(parts, dim)
        if dim == 1:
            means[:, 0] = torch.linspace(-radius, radius, parts)
        else:
            angle = 2 * math.pi * torch.arange(parts) / parts
            means[:, :2] = radius * torch.stack((angle.cos(), angle.sin()), dim=1)
        self.register_buffer("means", means, persistent=False)

    def draw(self, n: int, truncation: float | None = None) -> Tensor:
        part = torch.randint(len(self.means), (n,), device=self.scale.device)
        return self.means[part] + self.scale * self._noise(n, truncation)


PRIORS: dict[str, Callable[..., Prior]] = {
    "normal": Normal,
    "censored": Censored,
    "uniform": Uniform,
    "ball": Ball,
    "mixture": Mixture,
}
