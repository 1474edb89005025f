"""Two layers of hidden bits above the data: energies, chains and mean field."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from pcgen.models.energy.annealing import Path
from pcgen.models.energy.learning import Learning
from pcgen.models.energy.tied import TiedLayer

__all__ = ["MeanField", "TwoLayers"]


@dataclass(frozen=True)
class MeanField:
    """The factorised distribution nearest to p(h_1, h_2 | x).

    Attributes:
        first: log-odds of h_1, (B, H_1).
        second: log-odds of h_2, (B, H_2).
        change: the largest change of a probability in the last sweep, ().
    """

    first: Tensor
    second: Tensor
    change: Tensor


class TwoLayers(nn.Module):
    """Bits v, h_1 and h_2, each layer connected to the next.

        E(v, h_1, h_2) = -b^T v - c_1^T h_1 - c_2^T h_2 - (v - m)^T W_1 (h_1 - 1/2) - (h_1 - m_1)^T W_2 (h_2 - 1/2)

    Given h_1 all others are independent, so h_1 is the whole state of a chain. Methods with a `beta` refer to exp(-beta
    E + (1 - beta) logit(m)^T v), which is independent bits at 0 and the model at 1.

    Args:
        visible: width of v.
        first: of h_1.
        second: of h_2.
        learning: of each layer by itself.

    References:
        Salakhutdinov, Hinton (2009). Deep Boltzmann Machines.
    """

    def __init__(self, visible: int, first: int, second: int, learning: Learning) -> None:
        super().__init__()
        self.lower = TiedLayer(visible, first, learning, below=2)
        self.upper = TiedLayer(first, second, learning, above=2)

    def energy(self, v: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """E in nats of bits, or its mean over independent bits of these probabilities, (B, width) each -> (B,)."""
        lower, upper = self.lower, self.upper
        biases = v @ lower.visible_bias + first @ self.first_bias + second @ upper.hidden_bias
        between = ((v - lower.mean) @ lower.weight * (first - 0.5)).sum(1)
        return -biases - between - ((first - upper.mean) @ upper.weight * (second - 0.5)).sum(1)

    @property
    def first_bias(self) -> Tensor:
        """c_1, which both layers have learned."""
        return 0.5 * (self.lower.hidden_bias + self.upper.visible_bias)

    def first_logits(self, v: Tensor, second: Tensor) -> Tensor:
        """Log-odds of h_1 given the layers beside it, (B, first): the mean of those in the two phases before."""
        return 0.5 * (self.lower.hidden_logits(v) + self.upper.visible_logits(second))

    def first_energy(self, first: Tensor, beta: float = 1.0) -> Tensor:
        """The free energy of h_1: minus the log of the sum over v and h_2, in nats, (B, first) -> (B,)."""
        lower, upper = self.lower, self.upper
        below, above = lower.visible_logits(first), upper.hidden_logits(first)
        own = (below - lower.visible_bias) @ lower.mean + 0.5 * (above - upper.hidden_bias).sum(1)
        base = (1 - beta) * lower.mean.logit()
        summed = softplus(base + beta * below).sum(1) + softplus(beta * above).sum(1)
        return beta * (own - first @ self.first_bias) - summed

    def move(self, first: Tensor, beta: float = 1.0) -> Tensor:
        """A sweep of block Gibbs sampling: v and h_2 given h_1, then h_1, (B, first)."""
        base = (1 - beta) * self.lower.mean.logit()
        v = (base + beta * self.lower.visible_logits(first)).sigmoid().bernoulli()
        second = (beta * self.upper.hidden_logits(first)).sigmoid().bernoulli()
        return (beta * self.first_logits(v, second)).sigmoid().bernoulli()

    @torch.no_grad()
    def gibbs(self, first: Tensor, steps: int) -> Tensor:
        """h_1 after a number of sweeps, (B, first)."""
        for _ in range(steps):
            first = self.move(first)
        return first

    def mean_field(self, x: Tensor, sweeps: int, within: float = 0.0) -> MeanField:
        """q(h_1, h_2) of rows (B, dim) after a number of sweeps over both layers, or fewer once changes are within.

        It starts at q(h_1) given the data alone, with doubled input, as in the first phase.
        """
        data = self.lower.hidden_logits(x)
        first, second = data, data.new_zeros(len(x), len(self.upper.hidden_bias))
        change = data.new_zeros(())
        for _ in range(sweeps):
            before = first.sigmoid(), second.sigmoid()
            second = self.upper.hidden_logits(first.sigmoid())
            first = 0.5 * (data + self.upper.visible_logits(second.sigmoid()))
            now = first.sigmoid(), second.sigmoid()
            change = torch.stack([(a - b).detach().abs().max() for a, b in zip(now, before, strict=True)]).max()
            if within and float(change) <= within:
                break
        return MeanField(first, second, change)

    def start(self, n: int) -> Tensor:
        """n draws of h_1 of the machine without weights, (n, first)."""
        return torch.full_like(self.first_bias, 0.5).expand(n, -1).bernoulli()

    def path(self) -> Path:
        """From independent bits with the means of the data to the model, of h_1."""
        hidden = len(self.lower.hidden_bias) + len(self.upper.hidden_bias)
        log_z = softplus(self.lower.mean.logit()).sum() + hidden * math.log(2)
        return Path(self.start, log_z, self.first_energy, self.move)
