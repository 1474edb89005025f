"""Infusion training: a chain of few steps, trained on walks with coordinates of the target."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Normal

from pcgen.errors import fraction
from pcgen.models.base import Batch, Recipe
from pcgen.models.chains.operators import OperatorChain
from pcgen.models.conditional import Known
from pcgen.models.variational.posterior import DiagonalGaussian

__all__ = ["Infusion"]

_TARGET = 1e-2  # deviation of a coordinate that is infused, in that of the data: the paper's variance of 1e-4


class Infusion(OperatorChain):
    """A chain of T Gaussian steps from noise to data, trained on walks in which some coordinates are the data's.

        z_0 ~ p_0 = N(m, C),  z_t ~ p_t(z | z_(t-1)),  the last of which is a draw
        infused:  each coordinate of z_t is that of the target x with probability a_t, else one of p_t(z | z_(t-1))
        loss = sum over t = 1 ... T of (t / T) * -log p_t(x | z_(t-1)), z infused

    with a_t = rate + growth t. Every step is trained to predict the target, from more and more of its coordinates and
    from what earlier steps have made of them. The coordinates are those along the data's principal axes, which are
    independent under the Gaussian that the chain starts from; the paper's are pixels. The network corrects the best
    linear steps for infused walks of Gaussian data, which keep its distribution:

        N(r y + s m(y, t), diag s^2 e^v(y, t)),  s^2 = (1 - r^2) L,  r_1 = a_0,  r_(t+1) = a_t + (1 - a_t) r_t^2

    The last state is sampled like all others; the paper shows means.

    Args:
        shape: (dim,).
        steps: T.
        rate: a_0, the probability that a coordinate of z_0 is the target's.
        growth: increase per step; a_(T-1) must be below 1. With rate and growth 0 nothing is infused.
        width: of the network's hidden layers, one network for all steps.
        blocks: number of its blocks.
        dropout: of the network.
        classes: names of the labels' classes; () learns without labels.
        lr: Adam's learning rate.

    Logged:
        nll: -log p_t(x | z_(t-1)) in nats, mean over rows and steps, weighted by t; this is not a bound (see
            `log_prob_bound`).

    Raises:
        ValueError: a shape that is not (dim,), an argument out of range, or a last rate of 1 or more.

    References:
        Bordes, Honari, Vincent (2017). Learning to Generate Samples from Noise through Infusion Training.
    """

    objective: ClassVar[str] = "log-likelihood of data at every step of an infused chain"
    sampling: ClassVar[str] = "a few steps of a chain"
    kept: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        steps: int = 10,
        rate: float = 0.02,
        growth: float = 0.02,
        width: int = 128,
        blocks: int = 2,
        dropout: float = 0.3,
        classes: Sequence[str] = (),
        lr: float = 2e-3,
    ) -> None:
        super().__init__(shape, steps=steps, width=width, blocks=blocks, dropout=dropout, classes=classes, lr=lr)
        fraction(rate=rate, growth=growth)
        self.rates = [rate + growth * t for t in range(steps)]  # a_0 ... a_(T-1)
        if self.rates[-1] >= 1:
            raise ValueError(
                f"growth: must keep rate + growth * (steps - 1) below 1, got {self.rates[-1]:g}; give a smaller one, "
                "or fewer steps"
            )
        kept = [rate]  # r_1 ... r_T
        for each in self.rates[1:]:
            kept.append(each + (1 - each) * kept[-1] ** 2)
        self.register_buffer("kept", torch.tensor(kept), persistent=False)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=1000, batch_size=64)

    def step(self, z: Tensor, t: Tensor, known: Known | None = None) -> DiagonalGaussian:
        """p_t of what follows z_(t-1), (B, dim), along the axes.

        Args:
            z: z_(t-1).
            t: (B,) int64, from 1 to T.
            known: None if no label is known.
        """
        kept = self.kept[t - 1, None]  # (B, 1)
        variance = (1 - kept.square()) * self.variance
        law: DiagonalGaussian = self.operator(z, (t - 1) / self.steps, kept, variance, known)
        return law

    def moves(self, y: Tensor, known: Known) -> Iterator[Tensor]:
        """The T steps, then the last one again and again."""
        for t in count(1):
            y = self.step(y, self._times(min(t, self.steps), y), known).draw()
            yield y

    @torch.no_grad()
    def infused(self, y: Tensor, known: Known | None = None) -> Iterator[tuple[DiagonalGaussian, Tensor]]:
        """p_t and z_t of an infused walk towards y, (B, dim), for t = 0 ... T - 1."""
        p = self.begun(y)
        for t, rate in enumerate(self.rates, 1):
            target = y + _TARGET * self.variance.sqrt() * torch.randn_like(y)
            z = torch.where(torch.rand_like(y) < rate, target, p.draw())
            yield p, z
            if t < self.steps:
                p = self.step(z, self._times(t, y), known)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        y, known = self.along(batch.x), self.told(batch)
        z = torch.cat([z for _, z in self.infused(y, known)])  # (T B, dim): all steps are asked at once
        t = torch.arange(1, self.steps + 1, device=y.device).repeat_interleave(len(y))
        law = self.step(z, t, Known(known.labels.repeat(self.steps, 1)))
        nll = -law.log_prob(y.repeat(self.steps, 1))
        return {"nll": (t * nll).sum() / t.sum()}

    def _times(self, t: int, like: Tensor) -> Tensor:
        return torch.full((len(like),), t, device=like.device)

    def log_prob_bound(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """An unbiased estimate, by one infused walk, of a lower bound on log p(x), in nats, (B, dim) -> (B,).

            E log p_T(x | z_(T-1)) + sum over t = 0 ... T - 1 of log p_t(z_t | z_(t-1)) - log q_t(z_t | z_(t-1), x),
            q_t = (1 - a_t) p_t + a_t N(x, .01^2 L) for each coordinate

        The mean of its exponential over many walks is p(x). With labels, (B,), it is the density given the label.
        """
        y, known = self.along(x), self.labels.known(labels, x)
        walk = list(self.infused(y, known))
        bound = self.step(walk[-1][1], self._times(self.steps, y), known).log_prob(y)
        target = Normal(y, (_TARGET * self.variance.sqrt()).expand_as(y))
        for rate, (p, z) in zip(self.rates, walk, strict=True):
            own = Normal(p.mean, (p.log_variance / 2).exp()).log_prob(z)  # (B, dim)
            hint = target.log_prob(z) + (math.log(rate) if rate > 0 else -math.inf)
            bound = bound + (own - torch.logaddexp(own + math.log1p(-rate), hint)).sum(1)
        return bound
