"""What chains share: so many transitions from a state on, and a start that needs no data."""

import math
from abc import abstractmethod
from collections.abc import Iterator
from itertools import islice
from typing import ClassVar

import torch
from torch import Tensor

from pcgen.errors import at_least
from pcgen.models.base import Batch, GenerativeModel
from pcgen.models.states import State
from pcgen.nets.gaussian import GaussianPart

__all__ = ["AlongAxes", "Chain"]

# An axis along which the data varies less than this share of the first one's variance is given that much.
_LEAST = 1e-6


class Chain(GenerativeModel):
    """A model that draws by a Markov chain: from a state that needs no data, by `steps` transitions.

    A subclass sets `steps` and writes `start` and `walk`.
    """

    sampling: ClassVar[str] = "tens of transitions of a Markov chain"
    steps: int
    """Transitions of a draw unless told otherwise."""

    @abstractmethod
    def start(self, n: int) -> Tensor:
        """States that a draw begins from, (n, *shape), from torch's global generator."""

    @abstractmethod
    def walk(self, x: Tensor) -> Iterator[Tensor]:
        """The states that follow x, (B, *shape) each, one after every transition, without an end."""

    @torch.no_grad()
    def chain(self, x: Tensor, steps: int) -> Tensor:
        """The state after so many transitions from x on, (B, *shape) -> (B, *shape); after none it is x.

        Raises:
            ValueError: a negative number of steps.
            FloatingPointError: a state is not finite: the chain has diverged.
        """
        at_least(0, steps=steps)
        state = x
        for following in islice(self.walk(x), steps):
            state = following
        broken = int((~state.isfinite()).flatten(1).any(1).sum())
        if broken:
            raise FloatingPointError(
                f"chain: {broken} of {len(x)} states are not finite after {steps} transitions (the model has diverged; "
                "lower its lr, or let it walk fewer steps)"
            )
        return state

    @torch.no_grad()
    def draw(self, n: int, steps: int | None = None) -> Tensor:
        """Draw n new objects, (n, *shape): states of n chains.

        Args:
            n: how many.
            steps: transitions of each; None is the model's own number.

        Raises:
            ValueError: a negative number of steps.
            FloatingPointError: a state is not finite: the chain has diverged.
        """
        return self.chain(self.start(n), self.steps if steps is None else steps)

    @torch.no_grad()
    def states(self, n: int, steps: int | None = None) -> Iterator[State]:
        """The start of n chains and their state after each transition; the last one is `draw(n, steps)`.

        Raises:
            ValueError: a negative number of steps.
        """
        steps = self.steps if steps is None else steps
        at_least(0, steps=steps)
        begun = self.start(n)
        yield State("start", begun)
        for place, x in enumerate(islice(self.walk(begun), steps), 1):
            yield State(f"step {place}", x)


class AlongAxes(Chain):
    """A chain of vectors that moves along the principal axes of the data, and starts from its Gaussian.

        y = U^T (x - m),  m and U L U^T the mean and covariance of the training rows;  start: y ~ N(0, L)

    Coordinates y of Gaussian data are independent, so transitions that change each by itself are right for it, and
    what a network has to learn is what is not Gaussian. |det U| = 1: densities of x and of y are the same numbers.
    """

    gaussian: GaussianPart

    @abstractmethod
    def moves(self, y: Tensor) -> Iterator[Tensor]:
        """`walk` in coordinates along the axes, (B, dim)."""

    def setup(self, data: Batch) -> None:
        self.gaussian.fit(data.x)

    @property
    def variance(self) -> Tensor:
        """Of the data along each axis, the diagonal of L, (dim,); that of a constant coordinate is nearly 0."""
        spectrum = self.gaussian.spectrum
        return torch.maximum(spectrum, _LEAST * spectrum.max().clamp_min(_LEAST))

    def along(self, x: Tensor) -> Tensor:
        """Coordinates along the axes, (B, dim), of rows (B, dim)."""
        return (x - self.gaussian.mean) @ self.gaussian.basis

    def back(self, y: Tensor) -> Tensor:
        """Rows (B, dim) of coordinates along the axes, (B, dim)."""
        return self.gaussian.mean + y @ self.gaussian.basis.T

    def smoothed(self, y: Tensor, share: float) -> Tensor:
        """Rows along the axes, (B, dim), with a share of the data's variance drawn anew; mean and variance stay."""
        return math.sqrt(1 - share) * y + (share * self.variance).sqrt() * torch.randn_like(y)

    def start(self, n: int) -> Tensor:
        return self.back(self.variance.sqrt() * torch.randn(n, *self.shape, device=self.device))

    def walk(self, x: Tensor) -> Iterator[Tensor]:
        return map(self.back, self.moves(self.along(x)))
