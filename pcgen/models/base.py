"""The interface that every model of the suite has, and the protocols that name what else a model can do."""

import inspect
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import torch
from torch import Tensor, nn

from pcgen.ops import chamfer_matrix
from pcgen.optim import descend
from pcgen.statistics import energy_distance

__all__ = [
    "Batch",
    "Bounded",
    "Chain",
    "Conditional",
    "Density",
    "Energy",
    "GenerativeModel",
    "GradientLearner",
    "Latent",
    "Learner",
    "Recipe",
    "check_finite",
]


_VALIDATION_BATCH = 64


@dataclass(frozen=True)
class Batch:
    """Some rows of the training data: `x = data[rows]`, with their labels where the data has them."""

    x: Tensor  # (B, *shape)
    rows: Tensor  # (B,) int64
    labels: Tensor | None = None  # (B,) int64


@dataclass(frozen=True)
class Recipe:
    """How a model trains unless told otherwise.

    Attributes:
        steps: number of updates.
        batch_size: rows of each; None is the whole set at once.
        average: decay of averaged weights, which samples and validation then use; None is not to average.
    """

    steps: int
    batch_size: int | None
    average: float | None = None


class Learner(nn.Module, ABC):
    """All that learns: autoencoders, classifiers, generative models.

    Everything that changes while learning is a parameter, a buffer, or an optimizer held in an attribute of a module.
    Every shape follows from the constructor's arguments, which are kept in `config`, so that a checkpoint is loaded
    without data and training goes on from it without `setup`.
    """

    recipe: ClassVar[Recipe] = Recipe(steps=2000, batch_size=64)
    config: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        # Partial: `copy.deepcopy` makes an empty instance and fills in `config` afterwards, and a missing argument is
        # better told by `__init__` itself.
        bound = inspect.signature(cls.__init__).bind_partial(None, *args, **kwargs)
        bound.apply_defaults()
        self = super().__new__(cls)
        object.__setattr__(self, "config", dict(list(bound.arguments.items())[1:]))
        return self

    def setup(self, data: Tensor) -> None:
        """Prepare from the whole training data, (S, *shape), once, before the first update. Does nothing by default."""

    @abstractmethod
    def update(self, batch: Batch) -> dict[str, Tensor]:
        """Learn from one batch by whatever rule the model has; returns named values, detached, without a sync."""

    @abstractmethod
    def validate(self, data: Tensor) -> Tensor:
        """How badly the model does on held-out rows, (V, *shape): a scalar to compare checkpoints by, without a graph.

        It may draw from torch's global generator; the caller keeps training's random stream apart and sets the mode.
        """

    @property
    def device(self) -> torch.device:
        """The device that the model's parameters and buffers live on."""
        return next((t.device for group in (self.parameters(), self.buffers()) for t in group), torch.device("cpu"))

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Every optimizer held by the model or a part of it, by the dotted name of its attribute."""
        return {
            f"{prefix}.{name}" if prefix else name: value
            for prefix, module in self.named_modules()
            for name, value in vars(module).items()
            if isinstance(value, torch.optim.Optimizer)
        }


def check_finite(clouds: Tensor, what: str) -> None:
    """Hold clouds that a model has made, (B, N, 3), against NaN and infinity before a distance blames the data.

    Raises:
        FloatingPointError: a coordinate is not finite: the model has diverged.
    """
    if not bool(clouds.isfinite().all()):
        raise FloatingPointError(f"{what} is not finite (the model has diverged; lower its lr)")


class GenerativeModel(Learner):
    """A learner that generates: vectors of `shape` (dim,), or clouds of `shape` (points, 3)."""

    shape: tuple[int, ...]

    @abstractmethod
    def sample(self, n: int) -> Tensor:
        """Draw n new objects, (n, *shape), without a graph, from torch's global generator."""

    @torch.no_grad()
    def validate(self, data: Tensor) -> Tensor:
        """Energy distance between as many samples and the held-out vectors; for clouds the mean Chamfer distance of
        each held-out cloud to its nearest sample (MMD-CD)."""
        samples = self.sample(len(data))
        if data.ndim == 2:
            return energy_distance(samples, data)
        check_finite(samples, "a sample")
        return chamfer_matrix(samples, data).amin(dim=0).mean()


class GradientLearner(Learner):
    """A learner with one optimizer: a subclass makes `self.optimizer` and writes `loss`, nothing else of learning."""

    optimizer: torch.optim.Optimizer

    @abstractmethod
    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Named scalar terms; their sum is descended."""

    def update(self, batch: Batch) -> dict[str, Tensor]:
        terms = self.loss(batch)
        descend(sum(terms.values(), start=torch.zeros((), device=batch.x.device)), self.optimizer)
        return {name: term.detach() for name, term in terms.items()}

    @torch.no_grad()
    def validate(self, data: Tensor) -> Tensor:
        """The mean over held-out rows of the loss that training descends."""
        rows = torch.arange(len(data), device=data.device)
        total = torch.zeros((), device=data.device)
        for part in rows.split(_VALIDATION_BATCH):
            total += len(part) * sum(self.loss(Batch(data[part], part)).values())
        return total / len(data)


@runtime_checkable
class Density(Protocol):
    """Has an exact, normalised log-density."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Natural logarithm of the density at each row of x, (B,)."""
        ...


@runtime_checkable
class Bounded(Protocol):
    """Has a lower bound on the log-density (an ELBO, say); never called `log_prob`."""

    def log_prob_bound(self, x: Tensor) -> Tensor:
        """A lower bound (an unbiased estimate of one, where it is sampled) on the log-density of each row, (B,)."""
        ...


@runtime_checkable
class Energy(Protocol):
    """Has a free energy: minus the log-density up to a constant."""

    def free_energy(self, x: Tensor) -> Tensor:
        """Free energy of each row, (B,)."""
        ...


@runtime_checkable
class Latent(Protocol):
    """Has codes: `decode(encode(x))` is near x."""

    def encode(self, x: Tensor) -> Tensor:
        """Codes of each row, (B, D)."""
        ...

    def decode(self, z: Tensor) -> Tensor:
        """Objects of each code, (B, *shape)."""
        ...


@runtime_checkable
class Chain(Protocol):
    """Is a Markov chain that can be run from given states."""

    def chain(self, x: Tensor, steps: int) -> Tensor:
        """The states after `steps` transitions from x, (B, *shape)."""
        ...


@runtime_checkable
class Conditional(Protocol):
    """Generates by label."""

    def sample(self, n: int, labels: Tensor | None = None) -> Tensor:
        """Draw n objects of the given labels, (n,)."""
        ...
