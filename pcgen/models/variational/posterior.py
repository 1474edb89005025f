"""The diagonal Gaussian that an encoder makes of each row: its draws and its divergence from the prior."""

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
