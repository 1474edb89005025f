"""Stick-breaking weights: their prior, and the posterior of an encoder."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pcgen.errors import at_least, positive
from pcgen.models.priors import Density
from pcgen.models.variational.sticks import INSIDE, Sticks

__all__ = ["BrokenSticks", "StickBreaking", "dirichlet", "gem", "log_weights", "sticks_of"]


def log_weights(v: Tensor) -> Tensor:
    """Logarithms of the weights of sticks between 0 and 1, (B, K - 1) -> (B, K).

    w_k = v_k prod over j < k of (1 - v_j), the last one is the rest
    """
    left = torch.log1p(-v).cumsum(-1)
    return torch.cat([v.log(), torch.zeros_like(v[..., :1])], -1) + torch.cat([torch.zeros_like(v[..., :1]), left], -1)


def sticks_of(weights: Tensor) -> tuple[Tensor, Tensor]:
    """The sticks of weights, and the length before each break: (B, K) -> (B, K - 1) twice.

    v_k = w_k / l_k,  l_k = sum over j >= k of w_j
    """
    left = weights.flip(-1).cumsum(-1).flip(-1)[..., :-1].clamp_min(torch.finfo(weights.dtype).tiny)
    return (weights[..., :-1] / left).clamp(*INSIDE), left


class StickBreaking(Density):
    """Weights of independent sticks v_k ~ Beta(alpha_k, beta_k).

    Args:
        alpha: (K - 1,).
        beta: (K - 1,).
    """

    alpha: Tensor
    beta: Tensor
    mean: Tensor  # E[w], (K,)

    def __init__(self, alpha: Tensor, beta: Tensor) -> None:
        super().__init__(len(alpha) + 1)
        count = alpha + beta
        mean = log_weights(alpha / count).exp()
        self.register_buffer("alpha", alpha, persistent=False)
        self.register_buffer("beta", beta, persistent=False)
        self.register_buffer("mean", mean, persistent=False)

    def draw(self, n: int, truncation: float | None = None) -> Tensor:
        self._whole(truncation)
        v = torch.distributions.Beta(self.alpha, self.beta).sample((n,)).clamp(*INSIDE)
        return log_weights(v).exp()

    def log_prob(self, weights: Tensor) -> Tensor:
        """Natural logarithm of the density of the first K - 1 weights, (B, K) -> (B,)."""
        v, left = sticks_of(weights)
        density: Tensor = torch.distributions.Beta(self.alpha, self.beta).log_prob(v)
        return (density - left.log()).sum(-1)


def gem(parts: int, concentration: float) -> StickBreaking:
    """The weights of a Dirichlet process, v_k ~ Beta(1, concentration); the last one is the rest.

    Named after Griffiths, Engen and McCloskey. Sethuraman (1994), A Constructive Definition of Dirichlet Priors.
    """
    at_least(2, parts=parts)
    positive(concentration=concentration)
    return StickBreaking(torch.ones(parts - 1), torch.full((parts - 1,), float(concentration)))


def dirichlet(parts: int, concentration: float) -> StickBreaking:
    """Weights of a symmetric Dirichlet distribution, v_k ~ Beta(concentration, (parts - k) concentration)."""
    at_least(2, parts=parts)
    positive(concentration=concentration)
    return StickBreaking(
        torch.full((parts - 1,), float(concentration)), concentration * torch.arange(parts - 1, 0, -1).float()
    )


@dataclass(frozen=True)
class BrokenSticks:
    """q(w | x): weights of sticks that an encoder gives, with a prior of sticks."""

    sticks: Sticks
    prior: StickBreaking

    @property
    def mean(self) -> Tensor:
        """E[w], (B, K): the weights of the mean sticks, since the sticks are independent."""
        return log_weights(self.sticks.mean.clamp(*INSIDE)).exp()

    def draw(self) -> Tensor:
        """One w for each row, (B, K), with gradients to the sticks' parameters."""
        return self.draw_log().exp()

    def draw_log(self) -> Tensor:
        """Its logarithm."""
        return log_weights(self.sticks.draw())

    def kl_from_prior(self) -> Tensor:
        """KL(q(w | x) | p(w)) of each row in nats, (B,): a sum over the sticks."""
        return self.sticks.kl_from_beta(self.prior.alpha, self.prior.beta).sum(-1)

    def log_prob(self, weights: Tensor) -> Tensor:
        """Natural logarithm of the density of the first K - 1 weights, (B, K) -> (B,)."""
        v, left = sticks_of(weights)
        return (self.sticks.log_prob(v) - left.log()).sum(-1)

    def repeated(self, draws: int) -> "BrokenSticks":
        """The same rows `draws` times, one whole batch after another."""
        return BrokenSticks(self.sticks.repeated(draws), self.prior)
