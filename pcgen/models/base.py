"""The interface that every model of the suite has; `pcgen.models.abilities` names what else a model can do."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, choose
from pcgen.models.batch import Batch, Facts
from pcgen.models.recipe import Recipe
from pcgen.nets.modes import evaluating
from pcgen.ops import chamfer_matrix
from pcgen.ops.reference import chamfer
from pcgen.optim import descend
from pcgen.statistics import energy_distance

__all__ = ["Batch", "Facts", "GenerativeModel", "GradientLearner", "Learner", "Recipe", "check_finite"]

Progress = Callable[[int, int], None]

_VALIDATION_BATCH = 64
# Members of sets, and vectors, that are drawn at once: a network of width 256 then holds a few hundred MB.
_MEMBERS_AT_ONCE, _VECTORS_AT_ONCE = 2**16, 2**12


class Learner(nn.Module, ABC):
    """All that learns: autoencoders, classifiers, generative models.

    Everything that changes while learning is a parameter, a buffer, or an optimizer held in an attribute of a module.
    Every shape follows from the constructor's arguments, which are kept in `config`, so that a checkpoint is loaded
    without data and training goes on from it without `setup`.
    """

    accepts: ClassVar[tuple[str, ...]] = ("vector",)
    """Kinds of rows that it learns from, of `pcgen.models.shape.KINDS`."""
    domain: ClassVar[str] = "real"
    """What the numbers that it learns from must be, of `pcgen.models.domains.DOMAINS`."""

    objective: ClassVar[str] = ""
    """What it learns by, in a few words, as all three of these: they place the model among the others."""
    learning: ClassVar[str] = ""
    """How that is brought down, or up."""
    sampling: ClassVar[str] = ""
    """How an object is drawn; nothing for a model that does not generate."""

    follows_progress: bool = False
    """Whether its updates depend on `batch.progress`, and so on where the training ends."""

    even: bool = False
    """Whether it trains on clouds of more points than it has by evenly spread ones of them, not by random ones."""

    early_choice: ClassVar[bool] = True
    """Whether the checkpoint with the best validation is used, and not the last: a validation may misjudge a model."""

    shape: tuple[int, ...]
    """Of a row of x."""
    classes: tuple[str, ...] = ()
    """Names of the classes that its labels are places in; () for a model that takes no labels."""
    lacks: tuple[str, ...] = ()
    """Abilities that its class has and this instance has not: a bound that holds for vectors alone, say."""
    config: dict[str, Any]
    __signature__: ClassVar[inspect.Signature]  # of its constructor
    learned: Tensor  # int64, the updates that it has learned from
    phase: Tensor  # int64, the place in the recipe's phases of the one that it is in

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Before 3.11.4, Python says of a class that inherits `__init__` that it takes whatever `__new__` takes.
        own = inspect.signature(cls.__init__)
        cls.__signature__ = own.replace(parameters=list(own.parameters.values())[1:])

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        # Partial: `copy.deepcopy` makes an empty instance and fills in `config` afterwards, and a missing argument is
        # better told by `__init__` itself.
        bound = cls.__signature__.bind_partial(*args, **kwargs)
        bound.apply_defaults()
        self = super().__new__(cls)
        object.__setattr__(self, "config", dict(bound.arguments))
        return self

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("learned", torch.zeros((), dtype=torch.int64))
        self.register_buffer("phase", torch.zeros((), dtype=torch.int64))

    @classmethod
    def arguments(cls, facts: Facts) -> dict[str, Any]:
        """The constructor's arguments that the data gives: its shape, and for some models rows or classes."""
        return {"shape": facts.shape}

    @property
    def recipe(self) -> Recipe:
        """How it trains unless told otherwise; clouds and vectors may train differently."""
        return Recipe()

    @property
    def learns(self) -> tuple[int, ...]:
        """The shape of the rows that it learns from: its own, except where it learns codes of what it generates."""
        return self.shape

    @property
    def learner(self) -> "Learner":
        """What learns: the model itself, or the head of a model of codes."""
        return self

    def setup(self, data: Batch) -> None:
        """Prepare from the whole training data once, before the first update. Does nothing by default."""

    def enter(self, phase: str, data: Batch) -> None:
        """Begin a phase of a recipe that has several, with the whole training data; the first begins after `setup`.

        An optimizer may be made anew here, but of the parameters that the constructor gave it: a checkpoint is loaded
        into a new model, which has entered nothing.

        `self.phase` is set already. Does nothing by default.
        """

    @abstractmethod
    def update(self, batch: Batch) -> dict[str, Tensor]:
        """Learn from one batch by whatever rule the model has; returns named values, detached, without a sync."""

    @abstractmethod
    def validate(self, data: Batch) -> Tensor:
        """How badly the model does on held-out rows: a scalar to compare checkpoints by, without a graph.

        It may draw from torch's global generator; the caller keeps training's random stream apart and sets the mode.
        """

    @property
    def device(self) -> torch.device:
        """The device that the model's parameters and buffers live on."""
        return self.learned.device

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Every optimizer held by the model or a part of it, by the dotted name of its attribute."""
        return {
            f"{prefix}.{name}" if prefix else name: value
            for prefix, module in self.named_modules()
            for name, value in vars(module).items()
            if isinstance(value, torch.optim.Optimizer)
        }


def check_finite(clouds: Tensor, what: str) -> None:
    """Refuse clouds that a model has made, (B, N, 3), with NaN or infinity, before a distance blames the data.

    Raises:
        FloatingPointError: a coordinate is not finite: the model has diverged.
    """
    if not bool(clouds.isfinite().all()):
        raise FloatingPointError(f"{what} is not finite (the model has diverged; lower its lr)")


class GenerativeModel(Learner):
    """A learner that generates: vectors of `shape` (dim,), sets (members, channels), or clouds (points, 3).

    A subclass writes `draw`; users call `sample`.
    """

    varies: ClassVar[bool] = False
    """Whether samples vary at least as much as the training rows: networks are smoother, and theirs vary less."""

    @abstractmethod
    def draw(self, n: int) -> Tensor:
        """Draw n objects at once, (n, *shape), from torch's global generator; what `sample` does for every batch.

        Keyword arguments of a subclass are its options of sampling: `labels`, (n,) int64, if it has classes, and
        `points` if it has no fixed resolution, among them.
        """

    @torch.no_grad()
    def sample(
        self, n: int, *, labels: Tensor | None = None, progress: Progress | None = None, **options: Any
    ) -> Tensor:
        """Draw n new objects, (n, *shape), in evaluation mode, without a graph, in batches of bounded memory.

        Args:
            n: how many.
            labels: (n,) int64, for a model with classes; None are labels as frequent as in its training.
            progress: called after every batch with how many are drawn, and of how many.
            **options: of the model's `draw`.

        Raises:
            ValueError: n, or `points`, is below 1, labels are given to a model that takes none, or are not n, or `draw`
                has no such option.
        """
        at_least(1, n=n)
        self._check_options(options)
        if labels is not None and not self.classes:
            raise ValueError(f"labels: this {type(self).__name__} takes none: it has no classes; leave them out")
        if labels is not None and labels.shape != (n,):
            raise ValueError(f"labels: must be one for each of {n} objects, got shape {tuple(labels.shape)}")
        if options.get("points") is not None:
            at_least(1, points=options["points"])
        labels = self.draw_labels(n) if labels is None else labels.to(self.device)
        parts: list[Tensor] = []
        with evaluating(self):
            for start in range(0, n, size := self.at_once(options.get("points"))):
                count = min(size, n - start)
                own = {} if labels is None else {"labels": labels[start : start + count]}
                parts.append(self.draw(count, **own, **options))
                if progress is not None:
                    progress(start + count, n)
        return torch.cat(parts)

    def _check_options(self, options: Iterable[str]) -> None:
        """Refuse options that neither `draw` has nor that of the learner, to which a model of codes passes them on."""
        learner: Any = self.learner
        passed = inspect.signature(learner.draw).parameters
        if any(each.kind == each.VAR_KEYWORD for each in passed.values()):
            return
        named = {**inspect.signature(self.draw).parameters, **passed}
        known = [name for name, each in named.items() if each.kind != each.VAR_KEYWORD and name not in ("n", "labels")]
        for name in options:
            if not known:
                raise ValueError(f"{name}: this {type(self).__name__} has no options of sampling; leave it out")
            choose(name, known, "sampling option")

    def draw_labels(self, n: int) -> Tensor | None:
        """Labels as frequent as in the training data, (n,) int64; None for a model that takes no labels."""
        return None

    def at_once(self, points: int | None = None) -> int:
        """How many objects are drawn at once. It follows from their size alone, so that a seed repeats a sample."""
        return _VECTORS_AT_ONCE if len(self.shape) == 1 else max(1, _MEMBERS_AT_ONCE // (points or self.shape[0]))

    @torch.no_grad()
    def validate(self, data: Batch) -> Tensor:
        """Energy distance between as many samples and the held-out vectors; for sets the mean Chamfer distance of
        each held-out set to its nearest sample (MMD-CD)."""
        samples = self.sample(len(data), labels=data.labels if self.classes else None)
        if data.x.ndim == 2:
            return energy_distance(samples, data.x)
        check_finite(samples, "a sample")
        if data.x.shape[2] == 3:
            return chamfer_matrix(samples, data.x).amin(dim=0).mean()
        return torch.stack([chamfer(samples, row.expand_as(samples)).min() for row in data.x]).mean()


class GradientLearner(Learner):
    """A learner of one loss: a subclass makes an optimizer, or several, and writes `loss`, nothing else of learning."""

    learning: ClassVar[str] = "gradient descent"

    @property
    def recipe(self) -> Recipe:
        """What short trainings on few rows want: a warm-up, a cosine to zero, clipped gradients, averaged weights."""
        return Recipe(average=0.9999, schedule="cosine", warmup=50, clip=1.0)

    @abstractmethod
    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Named scalar terms; their sum is descended."""

    def update(self, batch: Batch) -> dict[str, Tensor]:
        terms = self.loss(batch)
        own = [value for value in vars(self).values() if isinstance(value, torch.optim.Optimizer)]
        descend(torch.stack(list(terms.values())).sum(), *own)
        return {name: term.detach() for name, term in terms.items()}

    @torch.no_grad()
    def validate(self, data: Batch) -> Tensor:
        """The mean over held-out rows of the loss that training descends."""
        total = torch.zeros((), device=data.x.device)
        for part in data.split(_VALIDATION_BATCH):
            total += len(part) * torch.stack(list(self.loss(part).values())).sum()
        return total / len(data)
