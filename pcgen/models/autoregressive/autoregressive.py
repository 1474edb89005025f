"""Autoregressive sequences of coordinates, or of the points of a cloud."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from pcgen.errors import at_least, choose, fraction, positive
from pcgen.models.autoregressive.conditionals import MixtureHead, Mixtures
from pcgen.models.autoregressive.orders import ORDERS, in_order
from pcgen.models.base import Batch, Recipe
from pcgen.models.likelihood import ExactLikelihood
from pcgen.nets.causal import CAUSAL, Memory
from pcgen.nets.step_linear import StepLinear
from pcgen.nets.waves import CHANNELS_PER_COORDINATE, waves

__all__ = ["Autoregressive"]


class Autoregressive(ExactLikelihood):
    """A sequence whose steps follow mixtures of Gaussians, which a network predicts from the steps before.

        p(x) = product over t of p(x_t | x_<t),  p(x_t | x_<t) = sum over k of w_k N(x_t; m_k, diag s_k^2)

    For a vector, a step is its coordinates along a few principal axes of the data, largest variance first: from coarse
    to fine. For a cloud, a step is a point, in the order of a space-filling curve or of height. Training computes all
    steps at once; sampling caches what it has computed. For a cloud, `log_prob` is the density of the sequence of its N
    points in that order. If the points of a sample are shuffled, the density of the array is at least 1 / N! of it,
    with equality if the model has learned the order.

    Steps are whitened, and every mixture starts as nearly N(0, I). So training starts near the full Gaussian of
    vectors, or near independent Gaussian points. With classes every step also sees the label.

    With scheduled sampling, the network sees its own samples instead of true steps, more and more often, so that it
    learns to continue from them. The paper samples step by step. Here all steps are sampled at once, each given the
    true steps before it, which costs one more pass for a sequence of any length. The loss is then no longer a
    log-likelihood.

    Args:
        shape: (dim,) or (points, 3).
        network: "recurrent" (gated recurrent units) or "transformer" (attention to the steps so far).
        order: of a cloud's points, "hilbert" or "axis", the height y.
        group: axes of a step of a vector, independent within a component of its mixture.
        parts: Gaussians of each mixture.
        width: of the network.
        layers: of the network; a transformer needs more than one.
        heads: of a transformer's attention, a divisor of the width.
        dropout: of the network.
        scheduled: probability of a sample instead of a true step; it rises from 0 to this value during training.
        smoothing: share of a row's variance that is replaced by noise each time it is used; None is .1 for vectors, and
            0 for clouds.
        classes: names of the labels' classes; () learns without labels.
        lr: Adam's learning rate.

    Logged:
        nll: minus the log-likelihood of the smoothed rows in nats, mean over rows; with scheduled sampling, given the
            steps that the network saw.

    Raises:
        ValueError: an unsupported shape, or an argument out of range.

    References:
        Graves (2013). Generating Sequences With Recurrent Neural Networks.
        van den Oord, Kalchbrenner, Kavukcuoglu (2016). Pixel Recurrent Neural Networks.
        Bengio, Vinyals, Jaitly, Shazeer (2015). Scheduled Sampling for Sequence Prediction with Recurrent Neural
        Networks.
        Mihaylova, Martins (2019). Scheduled Sampling for Transformers.
        (All steps at once.)
    """

    sampling: ClassVar[str] = "one step after another"
    accepts: ClassVar[tuple[str, ...]] = ("vector", "cloud")
    low: Tensor
    high: Tensor
    places: Tensor
    counts: Tensor | None

    def __init__(
        self,
        shape: Sequence[int],
        network: str = "recurrent",
        order: str = "hilbert",
        group: int = 4,
        parts: int = 8,
        width: int = 128,
        layers: int = 1,
        heads: int = 4,
        dropout: float = 0.2,
        scheduled: float = 0.0,
        smoothing: float | None = None,
        classes: Sequence[str] = (),
        lr: float = 1e-3,
    ) -> None:
        vector = len(shape) == 1
        super().__init__(shape, (0.1 if vector else 0.0) if smoothing is None else smoothing, classes)
        choose(network, CAUSAL, "network")
        self.order = choose(order, ORDERS, "order")
        at_least(1, group=group, width=width, layers=layers, heads=heads)
        fraction(scheduled=scheduled)
        positive(lr=lr)
        self.scheduled = scheduled
        self.follows_progress = scheduled > 0
        self.size = min(group, self.shape[0]) if vector else self.shape[1]  # numbers of a step, C
        self.steps = math.ceil(self.shape[0] / self.size) if vector else self.shape[0]  # T
        self.head = MixtureHead(parts, self.size)
        # Steps of a vector are unlike each other, and have maps of their own; a cloud's know where they are.
        maps, spread = (self.steps, 0) if vector else (1, CHANNELS_PER_COORDINATE)
        self.register_buffer("places", waves(torch.linspace(-1, 1, self.steps)[:, None])[:, :spread], persistent=False)
        counts = torch.arange(self.steps * self.size).view(self.steps, -1) < math.prod(self.shape)
        self.register_buffer("counts", None if bool(counts.all()) else counts.float(), persistent=False)
        self.entry = StepLinear(maps, self.size + len(self.labels) + spread, width)
        self.network = CAUSAL[network](width, layers, heads, dropout)
        self.exit = StepLinear(maps, width, self.head.outputs)
        torch.nn.init.zeros_(self.exit.weight)
        self.register_buffer("low", torch.full((3,), -1.0))  # corners of the box in which points are put in order
        self.register_buffer("high", torch.ones(3))
        learned = [*self.entry.parameters(), *self.network.parameters(), *self.exit.parameters()]
        self.optimizer = torch.optim.Adam(learned, lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        rows = 64 if len(self.shape) == 1 else max(4, min(64, 8192 // self.shape[0]))
        return replace(super().recipe, steps=1000, batch_size=rows)

    @torch.no_grad()
    def setup(self, data: Batch) -> None:
        super().setup(data)
        if data.x.ndim == 3:
            self.low.copy_(data.x.amin((0, 1)))
            self.high.copy_(data.x.amax((0, 1)))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        e, y = self._sequence(self.seen(batch.x)), self.labels.hidden(batch.labels, batch.x)
        shown = e
        if self.training and self.scheduled:
            with torch.no_grad():
                own = self._conditionals(e, y).draw()
            instead = torch.rand(*e.shape[:2], 1, device=e.device) < self.scheduled * batch.progress
            shown = torch.where(instead, own, e)
        return {"nll": -(self._conditionals(shown, y).log_prob(e, self.counts).sum(1) + self._log_det).mean()}

    def log_density(self, x: Tensor, y: Tensor) -> Tensor:
        e = self._sequence(x)
        return self._conditionals(e, y).log_prob(e, self.counts).sum(1) + self._log_det

    @torch.no_grad()
    def draw(self, n: int, labels: Tensor | None = None) -> Tensor:
        """Draw n new vectors, or clouds whose points come in the model's order, (n, *shape).

        Args:
            n: number of samples.
            labels: (n,) int64, of a model with classes.
        """
        step = self.whitening.mean.new_zeros(n, self.size)
        y, memory = self.labels.vectors(labels, step), self.network.begin(n, self.steps, step)
        e = step.new_zeros(n, self.steps, self.size)
        for t in range(self.steps):
            step = e[:, t] = self._conditional(step, t, y, memory).draw()
        if len(self.shape) == 1:
            e = e.flatten(1)[:, : self.shape[0]]
        return self.whitening.inverse(e)

    def _sequence(self, x: Tensor) -> Tensor:
        """Rows (B, *shape) as steps, whitened, (B, T, C); the last step of a vector is padded with 0."""
        e: Tensor = self.whitening(in_order(x, self.low, self.high, self.order) if x.ndim == 3 else x)
        if e.ndim == 2:
            e = pad(e, (0, self.steps * self.size - e.shape[1])).unflatten(1, (self.steps, self.size))
        return e

    def _conditionals(self, e: Tensor, y: Tensor) -> Mixtures:
        """The distributions of all steps, given those before them in e, (B, T, C), and labels as vectors (B, K)."""
        before = pad(e[:, :-1], (0, 0, 1, 0))  # 0 stands before the first
        known = [y[:, None].expand(-1, self.steps, -1), self.places.expand(len(e), -1, -1)]
        mixtures: Mixtures = self.head(self.exit(self.network(self.entry(torch.cat([before, *known], dim=2)))))
        return mixtures

    def _conditional(self, before: Tensor, t: int, y: Tensor, memory: Memory) -> Mixtures:
        """The distribution of step t, given the step before it, (B, C), and the cache of the others."""
        given = self.entry.at(t, torch.cat([before, y, self.places[t].expand(len(y), -1)], dim=1))
        mixtures: Mixtures = self.head(self.exit.at(t, self.network.step(given, t, memory)))
        return mixtures

    @property
    def _log_det(self) -> Tensor:
        """Of the whitening of a row, ()."""
        return self.whitening.log_det * (1 if len(self.shape) == 1 else self.steps)
