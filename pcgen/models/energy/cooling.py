"""Annealed Langevin sampling: chains at decreasing noise levels, for energies of data at each level."""

from abc import abstractmethod
from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor

from pcgen.errors import at_least
from pcgen.models.chains.base import AlongAxes
from pcgen.models.conditional import Known
from pcgen.models.energy.langevin import langevin
from pcgen.models.states import State, last
from pcgen.nets.denoiser import spread_times
from pcgen.nets.gaussian import GaussianPart
from pcgen.nets.modes import evaluating
from pcgen.solvers import Field, solve

__all__ = ["Cooling"]

# Variance of a transition relative to that of the density, times D^(1/3). For Gaussians 2.7 is fastest; densities that
# are narrower in places want shorter steps.
_LENGTH = 1.5
_MEMORY = 0.01  # weight of a new row in the running mean of squared gradients


class Cooling(AlongAxes):
    """A model that samples by annealing: chains at decreasing noise levels s, with energies E(y, s).

        y <- y + (s' - s) s grad E(y, s)  from a level to the next, s';  before, transitions that keep exp(-E(y, s))

    The transitions are those of Langevin's chain, with steps in proportion to 1 / E[(dE/dy_i)^2] along each axis, which
    `measure` estimates at each level. With classes, E is the energy given the label, and may be guided. A subclass
    implements `slopes`, sets the levels in its `setup`, and calls `measure` during training.

    Args:
        dim: dimension of the rows.
        levels: number of noise levels.
    """

    sampling: ClassVar[str] = "a Markov chain with falling noise"
    sigma: Tensor
    information: Tensor

    def __init__(self, dim: int, levels: int) -> None:
        super().__init__()
        self.gaussian = GaussianPart(dim)
        self.register_buffer("sigma", torch.logspace(0, -1, levels))  # s, in descending order
        # E[(dE/dx_i)^2] relative to that of Gaussian data, along the axes of the data: at least 1, except by chance.
        self.register_buffer("information", torch.ones(levels, dim))

    @abstractmethod
    def slopes(self, y: Tensor, level: Tensor, known: Known | None = None, share: float = 1.0) -> tuple[Tensor, Tensor]:
        """E in nats, (B,), and its gradient, (B, dim), of states along the axes, (B, dim), at levels, (B,) int64.

        `known` is None if no label is known. `share`, from 0 to 1, multiplies the part of E that is not Gaussian.
        """

    def start(self, n: int) -> Tensor:
        first = self.sigma[:1].square()
        return self.back((self.variance + first).sqrt() * torch.randn(n, *self.shape, device=self.device))

    @torch.no_grad()
    def draw(self, n: int, labels: Tensor | None = None, steps: int | None = None, guidance: float = 1.0) -> Tensor:
        """Sample n rows, (n, dim).

        Args:
            n: number of samples.
            labels: (n,) int64, of a model with classes.
            steps: transitions of each chain at each level; by default the model's own number.
            guidance: how far the energy exaggerates the label; above 1 the objects are more typical of it and less
                diverse. Other values than 1 take twice as long.

        Raises:
            ValueError: no transition, a label of no class, or guidance without labels.
            FloatingPointError: an energy is not finite: the model has diverged.
        """
        return last(self.states(n, labels, steps, guidance))

    @torch.no_grad()
    def states(
        self, n: int, labels: Tensor | None = None, steps: int | None = None, guidance: float = 1.0
    ) -> Iterator[State]:
        """States of n samples at the largest noise, and after each level; the last one is `draw`.

        Arguments and errors are those of `draw`.
        """
        steps = self.steps if steps is None else steps
        at_least(1, steps=steps)
        begun, noises = self.start(n), [*self.sigma.tolist(), 0.0]
        known = self.labels.known(labels, begun, guidance)
        yield State(f"noise {noises[0]:.3g}", begun)
        y = self.along(begun)
        for level, (noise, less) in enumerate(pairwise(noises)):
            y = self.moved(y, level, steps, known)
            y = solve(self._field(self.all_at(level, y), known), y, (noise, less), "euler")
            yield State(f"noise {less:.3g}", self.back(y))

    def moves(self, y: Tensor, known: Known) -> Iterator[Tensor]:
        """Langevin's chain at the smallest noise."""
        while True:
            y = self.moved(y, len(self.sigma) - 1, 1, known)
            yield y

    def moved(self, y: Tensor, level: int, steps: int, known: Known | None = None, share: float = 1.0) -> Tensor:
        """States along the axes, (B, dim), after `steps` transitions at a level."""
        place = self.all_at(level, y)
        variance = _LENGTH * y.shape[1] ** (-1 / 3) * self.blurred(place[0]) / self.information[level].clamp_min(1)
        return langevin(lambda at: self.slopes(at, place, known, share), y, variance, steps)

    @torch.no_grad()
    def measure(self, y: Tensor, known: Known) -> None:
        """Update `information` by the gradients at rows along the axes, (B, dim), each with a random noise level."""
        level = self.spread(len(y))
        noisy = y + self.sigma[level][:, None] * torch.randn_like(y)
        with evaluating(self):  # as sampling has it: dropout would add a variance of its own
            slopes = self.slopes(noisy, level, known)[1]
        found = slopes.square() * self.blurred(level)
        rows = torch.zeros_like(self.sigma).index_add_(0, level, torch.ones_like(found[:, 0]))[:, None]
        sums = torch.zeros_like(self.information).index_add_(0, level, found)
        mean = torch.where(rows > 0, sums / rows.clamp_min(1), self.information)
        self.information.lerp_(mean, (_MEMORY * rows).clamp_max(1))

    def blurred(self, level: Tensor) -> Tensor:
        """Variances of noisy data along its axes at levels (B,), (B, dim), or at one level, (dim,)."""
        return self.variance + self.sigma[level].square()[..., None]

    def spread(self, rows: int) -> Tensor:
        """A random level for each row, (rows,) int64, spread evenly over all levels."""
        last = len(self.sigma) - 1
        return (spread_times(rows, self.device) * len(self.sigma)).long().clamp_max(last)

    def all_at(self, level: int, like: Tensor) -> Tensor:
        """The same level for each row of `like`, (B,) int64."""
        return torch.full((len(like),), level, device=like.device)

    def _field(self, level: Tensor, known: Known) -> Field:
        """dy/dnoise of the probability flow at levels, (B,) int64."""
        return lambda noise, y: noise * self.slopes(y, level, known)[1]
