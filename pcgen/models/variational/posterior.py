"""The diagonal Gaussian posterior of each row: its samples and its divergence from the prior."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["DiagonalGaussian"]


@dataclass(frozen=True)
class DiagonalGaussian:
    """q(z | x) = N(mean, diag exp(log_variance)), (B, D) each, or of sets (B, M, C)."""

    mean: Tensor
    log_variance: Tensor

    def draw(self) -> Tensor:
        """One z for each row, with gradients to mean and variance, of their shape."""
        return self.mean + (self.log_variance / 2).exp() * torch.randn_like(self.mean)

    def kl_from_standard(self) -> Tensor:
        """KL(q | N(0, I)) of each row in nats, (B,)."""
        return 0.5 * (self.mean.square() + self.log_variance.exp() - 1 - self.log_variance).flatten(1).sum(dim=1)

    def entropy(self) -> Tensor:
        """Of each row in nats, (B,)."""
        return 0.5 * (self.log_variance + 1 + math.log(2 * math.pi)).flatten(1).sum(dim=1)

    def log_prob(self, z: Tensor) -> Tensor:
        """log q(z | x) of each row in nats, of z of the mean's shape, (B,)."""
        squares = (z - self.mean).square() * (-self.log_variance).exp()
        return -0.5 * (squares + self.log_variance + math.log(2 * math.pi)).flatten(1).sum(dim=1)

    def repeated(self, draws: int) -> "DiagonalGaussian":
        """The same rows `draws` times, one whole batch after another, (draws * B, ...)."""
        times = (draws, *(1 for _ in self.mean.shape[1:]))
        return DiagonalGaussian(self.mean.repeat(times), self.log_variance.repeat(times))
