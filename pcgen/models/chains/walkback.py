"""Variational walkback: one family of transitions that walks away from data heated, and back cooled."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import ClassVar

from torch import Tensor

from pcgen.errors import fraction, positive
from pcgen.models.base import Batch, Recipe
from pcgen.models.chains.operators import OperatorChain
from pcgen.models.variational.posterior import DiagonalGaussian

__all__ = ["Walkback"]


class Walkback(OperatorChain):
    """Transitions at doubling temperatures that lead from data to noise, and the same ones back from noise to data.

        walk:  s_0 = x,  s_t ~ p_(T_t)(s | s_(t-1)),  T_t = temperature 2^(t-1),  t = 1 ... K
        draw:  s_K ~ p(s) = N(m, C),  s_(t-1) ~ p_(T_t)(s | s_t)
        log p(x) >= E log p(s_K) + sum over t of log p_(T_t)(s_(t-1) | s_t) - log p_(T_t)(s_t | s_(t-1))

    A chain learns here from the states that its own transitions lead to when they are heated, also where no corrupted
    data lies, and learns to leave them towards the data. A transition has noise of variance T, as the paper's has, and
    corrects the one that leaves Gaussian data of covariance L as it is,

        p_T(y' | y) = N(sqrt(1 - T) y + s m(y, t), diag s^2 e^v(y, t)),  s^2 = T L,

    so that the bound begins at the log-likelihood of the full Gaussian, exactly. The paper's mean is
    (1 - a) y + a F(y), a = .5, whatever the temperature; its network has a batch norm of its own for each step, where
    this one is told the step. The paper takes the walk as given when it follows the gradient; what its transitions
    then learn of their noise has no hold, for they go back by less than they went forth and the noise shrinks. Here
    the gradient is that of the whole bound, through the walk.

    On a few thousand rows of many dimensions the bound goes on rising, on new rows too, when what is drawn has begun to
    narrow along the data's long axes: a nat counts the same along short ones, which are many. So rows are smoothed, as
    those of other likelihoods are (`pcgen.models.likelihood`), and trainings are short.

    Args:
        shape: (dim,).
        steps: K.
        temperature: T_1; T_K must be below 1, where a transition forgets what it is from. By default it is nearly 1, so
            that a walk's end knows nothing of its row, as what a draw begins from does not.
        smoothing: share of a row's variance that is drawn anew each time that it is seen.
        width: of the network's hidden layers.
        blocks: number of its blocks.
        dropout: of the network.
        lr: Adam's learning rate.

    Logged:
        bound: minus the bound of the smoothed rows in nats, a mean over them.

    Raises:
        ValueError: a shape that is not (dim,), an argument out of range, or a last temperature of 1 or more.

    References:
        Goyal, Ke, Ganguli, Bengio (2017). Variational Walkback: Learning a Transition Operator as a Stochastic
        Recurrent Net.
    """

    objective: ClassVar[str] = "a lower bound on the log-likelihood, by a walk to noise and back"
    sampling: ClassVar[str] = "a few steps of a chain that cools"

    def __init__(
        self,
        shape: Sequence[int],
        steps: int = 7,
        temperature: float = 0.0155,
        smoothing: float = 0.1,
        width: int = 128,
        blocks: int = 2,
        dropout: float = 0.3,
        lr: float = 2e-3,
    ) -> None:
        super().__init__(shape, steps=steps, width=width, blocks=blocks, dropout=dropout, lr=lr)
        positive(temperature=temperature)
        fraction(smoothing=smoothing)
        self.smoothing = smoothing
        self.temperatures = [temperature * 2**t for t in range(steps)]  # T_1 ... T_K
        if self.temperatures[-1] >= 1:
            raise ValueError(
                f"temperature: must be below 1 after {steps - 1} doublings, got {self.temperatures[-1]:g}; give a "
                "lower one, or fewer steps"
            )

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=250, batch_size=64)

    def heated(self, y: Tensor, t: int) -> DiagonalGaussian:
        """p_(T_t) of what follows y, (B, dim), along the axes; t from 1, the coldest, to K."""
        temperature = self.temperatures[t - 1]
        kept = y.new_full((1,), math.sqrt(1 - temperature))
        times = y.new_full((len(y),), (t - 1) / self.steps)
        law: DiagonalGaussian = self.operator(y, times, kept, temperature * self.variance)
        return law

    def moves(self, y: Tensor) -> Iterator[Tensor]:
        """From the hottest transition to the coldest, and from then on the coldest again and again."""
        for past in count():
            y = self.heated(y, max(1, self.steps - past)).draw()
            yield y

    def log_prob_bound(self, x: Tensor) -> Tensor:
        """An unbiased estimate, by one walk, of a lower bound on log p(x), in nats, (B, dim) -> (B,)."""
        return self.bound(self.along(x))

    def bound(self, y: Tensor) -> Tensor:
        """`log_prob_bound` of rows along the axes, (B, dim)."""
        bound = y.new_zeros(len(y))
        for t in range(1, self.steps + 1):
            away = self.heated(y, t)
            further = away.draw()
            bound = bound + self.heated(further, t).log_prob(y) - away.log_prob(further)
            y = further
        return bound + self.begun(y).log_prob(y)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        y = self.along(batch.x)
        return {"bound": -self.bound(self.smoothed(y, self.smoothing) if self.training else y).mean()}
