"""Expectations over bits whose gradients are known by enumeration, in float64."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Bernoulli
from torch.nn.functional import softplus

from pcgen.estimators.scores import Function

BITS, SEEN, ROWS = 8, 12, 8  # of the belief net: latent bits, visible bits, visible rows
TARGET = 0.499  # of Tucker et al.


@dataclass(frozen=True)
class Problem:
    """E energy(b) for several rows, each with logits of its own."""

    name: str
    x: Tensor  # (R, dim)
    logits: Tensor  # (R, K)
    energy: Callable[[Tensor], Function]  # of rows (B, dim): a function of bits (B, K) -> (B,)
    draws: int = 1  # how many times as many it takes

    def exact(self) -> Tensor:
        """The gradient of E energy(b) for the logits, (R, K)."""
        logits = self.logits.clone().requires_grad_()
        every = all_bits(logits.shape[1])[:, None].expand(-1, len(logits), -1)  # (2^K, R, K)
        chance = Bernoulli(logits=logits).log_prob(every).sum(2).exp()
        energy = torch.stack([self.energy(self.x)(b) for b in every])
        return torch.autograd.grad((chance * energy).sum(), logits)[0]

    def exact_bound(self) -> Tensor:
        """Minus the gradient of the bound by two draws, (R, K)."""
        logits = self.logits.clone().requires_grad_()
        every = all_bits(logits.shape[1])[:, None].expand(-1, len(logits), -1)
        log_q = Bernoulli(logits=logits).log_prob(every).sum(2)  # (2^K, R)
        weight = torch.stack([-self.energy(self.x)(b) for b in every]) - log_q
        pairs = (log_q[:, None] + log_q).exp() * (torch.logaddexp(weight[:, None], weight) - math.log(2))
        return -torch.autograd.grad(pairs.sum(), logits)[0]


def toy() -> Problem:
    """(b - .499)^2 of one bit, at a log-odds of 1: both values are nearly alike, and the gradient is small."""
    row = torch.ones(1, 1, dtype=torch.float64)
    return Problem("toy", row, row, lambda x: lambda b: (b[:, 0] - TARGET).square(), draws=50)


def belief_net() -> Problem:
    """-log p(x, b) of a sigmoid belief net with one latent layer, at rows that it has drawn, with random q(b | x)."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(BITS, SEEN, generator=generator, dtype=torch.float64)
    bias = torch.randn(SEEN, generator=generator, dtype=torch.float64) / 2
    b = torch.rand(ROWS, BITS, generator=generator, dtype=torch.float64).round()
    x = ((b @ weight + bias).sigmoid() > torch.rand(ROWS, SEEN, generator=generator)).double()

    def energy(x: Tensor) -> Function:
        def of_bits(b: Tensor) -> Tensor:
            seen = b @ weight + bias
            return (softplus(seen) - x * seen).sum(1) + BITS * math.log(2)

        return of_bits

    logits = torch.randn(ROWS, BITS, generator=generator, dtype=torch.float64)
    return Problem("belief net", x, logits, energy)


def all_bits(bits: int) -> Tensor:
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=bits)), dtype=torch.float64)
