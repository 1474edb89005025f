"""Mixtures of Gaussians with stick-breaking weights: a prior of latents, and the posterior of an encoder."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pcgen.models.priors import Density
from pcgen.models.variational.mixture import Components
from pcgen.models.variational.posterior import DiagonalGaussian
from pcgen.models.variational.stick_breaking import BrokenSticks, StickBreaking

__all__ = ["LatentMixture", "MixturePosterior"]


class LatentMixture(Density):
    """p(z | w) = sum over k of w_k N(z; m_k, diag v_k), with learned means and variances, and stick-breaking weights w.

    Samples and density are those of p(z), which has the mean weights, since p(z | w) is linear in w.

    Args:
        weights: p(w).
        dim: of z.
    """

    def __init__(self, weights: StickBreaking, dim: int) -> None:
        super().__init__(dim)
        self.weights = weights
        # All parts together are about N(0, I), which is what the codes of probabilistic PCA are.
        self.means = nn.Parameter(0.5 * torch.randn(weights.dim, dim))
        self.log_variances = nn.Parameter(torch.full((weights.dim, dim), math.log(0.75)))

    def draw(self, n: int, truncation: float | None = None) -> Tensor:
        part = torch.multinomial(self.weights.mean, n, replacement=True)
        return self.means[part] + (self.log_variances[part] / 2).exp() * self._noise(n, truncation)

    def log_parts(self, z: Tensor) -> Tensor:
        """log N(z; m_k, diag v_k) for every k, (..., dim) -> (..., K)."""
        return Components(self.means, self.log_variances).log_prob(z)

    def log_prob(self, z: Tensor) -> Tensor:
        return (self.weights.mean.log() + self.log_parts(z)).logsumexp(-1)


@dataclass(frozen=True)
class MixturePosterior:
    """q(w | x) and q(z | w, x) = sum over k of w_k N(z; m_k(x), diag v_k(x)).

    Samples and density are those of q(z | x), which has the mean weights.
    """

    weights: BrokenSticks
    parts: DiagonalGaussian  # mean and log-variance (B, K, dim)

    @property
    def likeliest(self) -> Tensor:
        """The mean of the component with the largest mean weight, (B, dim)."""
        return self._of(self.weights.mean.argmax(1), self.parts.mean)

    def draw(self) -> Tensor:
        """One z of each row, (B, dim), without a gradient to the weights."""
        return self._of(torch.multinomial(self.weights.mean, 1)[:, 0], self.parts.draw())

    def log_parts(self, z: Tensor) -> Tensor:
        """log N(z; m_k(x), diag v_k(x)) for every k, of any number of z for each row, (B, n, dim) -> (B, n, K)."""
        return Components(self.parts.mean[:, None], self.parts.log_variance[:, None]).log_prob(z)

    def log_prob(self, z: Tensor) -> Tensor:
        """log q(z | x) of each row in nats, (B, dim) -> (B,)."""
        return (self.weights.mean.log() + self.log_parts(z[:, None])[:, 0]).logsumexp(-1)

    def repeated(self, draws: int) -> "MixturePosterior":
        """The same rows `draws` times, one whole batch after another."""
        return MixturePosterior(self.weights.repeated(draws), self.parts.repeated(draws))

    def _of(self, part: Tensor, each: Tensor) -> Tensor:
        return each[torch.arange(len(each), device=each.device), part]
