"""Variational walkback: transitions that walk from data to noise at rising temperature, and back at falling."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import ClassVar

from torch import Tensor

from pcgen.errors import fraction, positive
from pcgen.models.base import Batch, Recipe
from pcgen.models.chains.operators import OperatorChain
from pcgen.models.conditional import Known
from pcgen.models.variational.posterior import DiagonalGaussian

__all__ = ["Walkback"]


class Walkback(OperatorChain):
    """One family of transitions: at rising temperatures from data to noise, at falling temperatures back to data.

        walk:  s_0 = x,  s_t ~ p_(T_t)(s | s_(t-1)),  T_t = temperature 2^(t-1),  t = 1 ... K
        draw:  s_K ~ p(s) = N(m, C),  s_(t-1) ~ p_(T_t)(s | s_t)
        log p(x) >= E log p(s_K) + sum over t of log p_(T_t)(s_(t-1) | s_t) - log p_(T_t)(s_t | s_(t-1))

    The chain learns from the states that its own transitions reach at high temperatures, also where no corrupted data
    lies, and learns to return from them to the data. A transition has noise of variance T, as in the paper, and the
    network corrects the one that keeps Gaussian data of covariance L unchanged,

        p_T(y' | y) = N(sqrt(1 - T) y + s m(y, t), diag s^2 e^v(y, t)),  s^2 = T L,

    so that the bound starts exactly at the log-likelihood of the full Gaussian. The paper's mean is (1 - a) y + a F(y),
    a = .5, at every temperature. Its network has a separate batch norm for each step; ours sees the step as an input.
    The paper's gradient treats the walk as given. The variances that its transitions learn are then not stable: the
    steps back are shorter than the steps forth, and the noise shrinks. Here the gradient is that of the whole bound,
    through the walk.

    On a few thousand rows of many dimensions, the bound still rises, also on new rows, when samples already become too
    narrow along the data's long axes: a nat counts the same along short axes, and there are many of them. So rows are
    smoothed, as for other likelihoods (`pcgen.models.likelihood`), and trainings are short.

    Args:
        shape: (dim,).
        steps: K.
        temperature: T_1; T_K must be below 1, at which a transition forgets its start. By default T_K is nearly 1, so
            that the end of a walk has no information about its row, like the start of a sample.
        smoothing: share of a row's variance that is replaced by noise each time it is used.
        width: of the network's hidden layers.
        blocks: number of its blocks.
        dropout: of the network.
        classes: names of the labels' classes; () learns without labels.
        lr: Adam's learning rate.

    Logged:
        bound: minus the bound of the smoothed rows in nats, mean over rows.

    Raises:
        ValueError: a shape that is not (dim,), an argument out of range, or a last temperature of 1 or more.

    References:
        Goyal, Ke, Ganguli, Bengio (2017). Variational Walkback: Learning a Transition Operator as a Stochastic
        Recurrent Net.
    """

    objective: ClassVar[str] = "a lower bound on the log-likelihood, by a walk to noise and back"
    sampling: ClassVar[str] = "a few steps of a chain with falling temperature"

    def __init__(
        self,
        shape: Sequence[int],
        steps: int = 7,
        temperature: float = 0.0155,
        smoothing: float = 0.1,
        width: int = 128,
        blocks: int = 2,
        dropout: float = 0.3,
        classes: Sequence[str] = (),
        lr: float = 2e-3,
    ) -> None:
        super().__init__(shape, steps=steps, width=width, blocks=blocks, dropout=dropout, classes=classes, lr=lr)
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

    def heated(self, y: Tensor, t: int, known: Known | None = None) -> DiagonalGaussian:
        """p_(T_t) of what follows y, (B, dim), along the axes.

        Args:
            y: the states.
            t: from 1, the coldest, to K.
            known: None if no label is known.
        """
        temperature = self.temperatures[t - 1]
        kept = y.new_full((1,), math.sqrt(1 - temperature))
        times = y.new_full((len(y),), (t - 1) / self.steps)
        law: DiagonalGaussian = self.operator(y, times, kept, temperature * self.variance, known)
        return law

    def moves(self, y: Tensor, known: Known) -> Iterator[Tensor]:
        """From the hottest transition to the coldest, then the coldest again and again."""
        for past in count():
            y = self.heated(y, max(1, self.steps - past), known).draw()
            yield y

    def log_prob_bound(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """An unbiased estimate, by one walk, of a lower bound on log p(x), in nats, (B, dim) -> (B,).

        With labels, (B,), it is the density given the label.
        """
        return self.bound(self.along(x), self.labels.known(labels, x))

    def bound(self, y: Tensor, known: Known) -> Tensor:
        """`log_prob_bound` of rows along the axes, (B, dim)."""
        bound = y.new_zeros(len(y))
        for t in range(1, self.steps + 1):
            away = self.heated(y, t, known)
            further = away.draw()
            bound = bound + self.heated(further, t, known).log_prob(y) - away.log_prob(further)
            y = further
        return bound + self.begun(y).log_prob(y)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        y, known = self.along(batch.x), self.told(batch)
        return {"bound": -self.bound(self.smoothed(y, self.smoothing) if self.training else y, known).mean()}
