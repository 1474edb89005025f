"""The base of chains: a start that needs no data, and a number of transitions."""

import math
from abc import abstractmethod
from collections.abc import Iterator
from itertools import islice
from typing import ClassVar

import torch
from torch import Tensor

from pcgen.errors import at_least
from pcgen.models import name_of
from pcgen.models.base import Batch
from pcgen.models.conditional import Conditional, Known
from pcgen.models.states import State
from pcgen.nets.gaussian import GaussianPart

__all__ = ["AlongAxes", "Chain"]

# An axis along which the data varies less than this share of the first one's variance is given that much.
_LEAST = 1e-6


class Chain(Conditional):
    """A model that samples by a Markov chain: from a start that needs no data, by `steps` transitions.

    The start is the same for all classes; the transitions depend on the label. A subclass sets `steps` and defines
    `start` and `walk`.
    """

    sampling: ClassVar[str] = "tens of transitions of a Markov chain"
    steps: int
    """Default number of transitions of a sample."""

    @abstractmethod
    def start(self, n: int) -> Tensor:
        """Start states of samples, (n, *shape), from torch's global generator."""

    @abstractmethod
    def walk(self, x: Tensor, known: Known) -> Iterator[Tensor]:
        """The states that follow x, (B, *shape) each, one after every transition; this iterator does not end."""

    @torch.no_grad()
    def chain(self, x: Tensor, steps: int, labels: Tensor | None = None, guidance: float = 1.0) -> Tensor:
        """The state after a number of transitions from x, (B, *shape) -> (B, *shape); after none it is x.

        Args:
            x: where the chains are.
            steps: transitions of each.
            labels: (B,) int64, of a model with classes: the chain is that of the label.
            guidance: as in `draw`.

        Raises:
            ValueError: a negative number of steps, a label of no class, or guidance without labels.
            FloatingPointError: a state is not finite: the chain has diverged.
        """
        at_least(0, steps=steps)
        state = x
        for following in islice(self.walk(x, self.labels.known(labels, x, guidance)), steps):
            state = following
        broken = int((~state.isfinite()).flatten(1).any(1).sum())
        if broken:
            raise FloatingPointError(
                f"chain: {broken} of {len(x)} states are not finite after {steps} transitions (the model has diverged; "
                "lower its lr, or take fewer steps)"
            )
        return state

    @torch.no_grad()
    def draw(self, n: int, labels: Tensor | None = None, steps: int | None = None, guidance: float = 1.0) -> Tensor:
        """Draw n new objects, (n, *shape): states of n chains.

        Args:
            n: number of samples.
            labels: (n,) int64, of a model with classes.
            steps: transitions of each; None is the model's own number.
            guidance: how far every transition exaggerates the label; above 1 the objects are more typical of it and
                less diverse. This adds up over the transitions: 1.5 is already much. Other values than 1 take twice as
                long.

        Raises:
            ValueError: a negative number of steps, a label of no class, or guidance without labels.
            FloatingPointError: a state is not finite: the chain has diverged.
        """
        return self.chain(self.start(n), self.steps if steps is None else steps, labels, guidance)

    @torch.no_grad()
    def states(
        self, n: int, labels: Tensor | None = None, steps: int | None = None, guidance: float = 1.0
    ) -> Iterator[State]:
        """The start of n chains and their state after each transition; the last one is `draw` with these arguments.

        Raises:
            ValueError: a negative number of steps, a label of no class, or guidance without labels.
        """
        steps = self.steps if steps is None else steps
        at_least(0, steps=steps)
        begun = self.start(n)
        known = self.labels.known(labels, begun, guidance)
        yield State("start", begun)
        for place, x in enumerate(islice(self.walk(begun, known), steps), 1):
            yield State(f"step {place}", x)


class AlongAxes(Chain):
    """A chain of vectors in the principal axes of the data, which starts from the Gaussian of the data.

        y = U^T (x - m),  m and U L U^T the mean and covariance of the training rows;  start: y ~ N(0, L)

    For Gaussian data the coordinates y are independent, so transitions that change each by itself are exact, and a
    network only has to learn what is not Gaussian. |det U| = 1, so x and y have the same density.
    """

    gaussian: GaussianPart

    @abstractmethod
    def moves(self, y: Tensor, known: Known) -> Iterator[Tensor]:
        """`walk` in coordinates along the axes, (B, dim)."""

    def setup(self, data: Batch) -> None:
        self.labels.fit(data, name_of(type(self)))
        self.gaussian.fit(data.x)

    def told(self, batch: Batch) -> Known:
        """What a loss tells of the classes of rows: in training mode a tenth of the labels is hidden."""
        return Known(self.labels.hidden(batch.labels, batch.x))

    @property
    def variance(self) -> Tensor:
        """Variances of the data along each axis, the diagonal of L, (dim,); nearly 0 for a constant coordinate."""
        return self.gaussian.floored(_LEAST)

    def along(self, x: Tensor) -> Tensor:
        """Coordinates along the axes, (B, dim), of rows (B, dim)."""
        return (x - self.gaussian.mean) @ self.gaussian.basis

    def back(self, y: Tensor) -> Tensor:
        """Rows (B, dim) of coordinates along the axes, (B, dim)."""
        return self.gaussian.mean + y @ self.gaussian.basis.T

    def smoothed(self, y: Tensor, share: float) -> Tensor:
        """Rows along the axes, (B, dim), with a share of their variance replaced by noise; mean and variance stay."""
        return math.sqrt(1 - share) * y + (share * self.variance).sqrt() * torch.randn_like(y)

    def start(self, n: int) -> Tensor:
        return self.back(self.variance.sqrt() * torch.randn(n, *self.shape, device=self.device))

    def walk(self, x: Tensor, known: Known) -> Iterator[Tensor]:
        return map(self.back, self.moves(self.along(x), known))
