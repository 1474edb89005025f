"""The loop: `steps` yields after every update, and the caller logs, validates and saves."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pcgen.models.base import Batch, Learner
from pcgen.training import ranks
from pcgen.training.averages import Average
from pcgen.training.limits import Limit, rate_factor, set_rates
from pcgen.training.state import State

__all__ = ["Feed", "NotFinite", "Step", "steps", "subsample"]


@dataclass(frozen=True)
class Step:
    """One update: its number (from 1) and epoch (from 0), the values it returned, and how far the training is."""

    step: int
    epoch: int
    losses: dict[str, float]
    seconds: float  # since the beginning, interruptions not counted
    fraction: float  # of the training that lies behind, 1 or more after its last update
    before: float  # the fraction before this update
    validation: float | None = None  # filled in by `fit` where it has validated


class NotFinite(FloatingPointError):
    """A loss, a gradient or a returned value was NaN or infinite; `step` and `batch` are those of the update."""

    def __init__(self, text: str, step: int, batch: Batch) -> None:
        super().__init__(text)
        self.step = step
        self.batch = batch


def subsample(clouds: Tensor, points: int) -> Tensor:
    """Draw `points` of the points of each cloud, uniformly without replacement: (B, M, 3) -> (B, points, 3)."""
    if clouds.shape[1] == points:
        return clouds
    keys = torch.rand(clouds.shape[:2], device=clouds.device)  # (B, M)
    rows = keys.topk(points, dim=1, sorted=False).indices  # (B, points)
    return clouds.gather(1, rows[..., None].expand(-1, -1, clouds.shape[2]))


class Feed:
    """The training data as batches for one model.

    Every epoch is a permutation of the rows. A last uneven batch is kept if it has two rows for every rank, since batch
    normalisation cannot learn from one, and dropped otherwise, unless it is the only one.

    Args:
        model: tells by its `shape` what a row must be; clouds of more points are subsampled afresh at each draw.
        data: (S, dim) vectors or (S, M, 3) clouds, M at least the model's number of points.
        labels: (S,) int64, or None.
        batch_size: rows per update over all ranks, at most S; None is the recipe's.
        augment: applied to every batch of x after subsampling.
    """

    def __init__(
        self,
        model: Learner,
        data: Tensor,
        *,
        labels: Tensor | None = None,
        batch_size: int | None = None,
        augment: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        """Check the data.

        Raises:
            ValueError: a shape does not fit the model, a value is not finite, or the batches are too small.
        """
        self.points = check_rows(model, data)
        if labels is not None and labels.shape != (len(data),):
            raise ValueError(f"labels: must be one per row of data, ({len(data)},), got {tuple(labels.shape)}")
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size: must be at least 1, got {batch_size}")
        self.data = data
        self.labels = labels
        self.augment = augment
        self.device = model.device
        self.batch_size = min(batch_size or model.recipe.batch_size or len(data), len(data))
        least = 2 * ranks.count() if ranks.count() > 1 else 1
        if self.batch_size < least:
            raise ValueError(
                f"batch_size: must be at least {least} for {ranks.count()} processes (two rows each), "
                f"got {self.batch_size}"
            )
        whole, rest = divmod(len(data), self.batch_size)
        self.per_epoch = whole + (rest >= 2 * ranks.count())

    def all(self) -> Tensor:
        """The whole data on the model's device, each cloud with as many points as the model has."""
        return self._shaped(self.data)

    def draw(self, state: State) -> Batch:
        """This rank's share of the next batch; `state` moves on by one batch."""
        if not len(state.order) or state.batch == self.per_epoch:
            state.epoch += state.batch > 0
            state.order, state.batch = ranks.first(torch.randperm(len(self.data))), 0
        start = state.batch * self.batch_size
        rows = state.order[start : start + self.batch_size].tensor_split(ranks.count())[ranks.index()]
        state.batch += 1
        return self.batch(rows)

    def batch(self, rows: Tensor) -> Batch:
        """The given rows of the data, (B,)."""
        x = self._shaped(self.data[rows.to(self.data.device)])
        labels = None if self.labels is None else self.labels[rows.to(self.labels.device)].to(self.device)
        return Batch(x if self.augment is None else self.augment(x), rows.to(self.device), labels)

    def _shaped(self, x: Tensor) -> Tensor:
        x = x.to(self.device, torch.float32)
        return x if self.points is None else subsample(x, self.points)


def check_rows(model: Learner, data: Tensor, name: str = "data") -> int | None:
    """Hold data against the rows that a model learns from; returns the model's number of points, None for vectors.

    Raises:
        ValueError: the shapes differ, a cloud has too few points, there is no row, or a value is not finite.
    """
    shape = _row_shape(model)
    kind = type(model).__name__
    if data.dim() != 1 + len(shape) or data.shape[-1] != shape[-1] or not len(data):
        wanted = f"(S, {shape[0]})" if len(shape) == 1 else f"(S, M, 3) with M >= {shape[0]}"
        raise ValueError(f"{name}: must be {wanted} with S >= 1 for this {kind}, got {tuple(data.shape)}")
    if len(shape) == 2 and data.shape[1] < shape[0]:
        raise ValueError(
            f"{name}: clouds must have at least the {shape[0]} points of this {kind}, got {data.shape[1]}; "
            "make the model with fewer points"
        )
    finite = torch.isfinite(data.flatten(1)).all(1)
    if not finite.all():
        bad = (~finite).nonzero().flatten()
        raise ValueError(f"{name}: row {int(bad[0])} has NaN or infinite values ({len(bad)} of {len(data)} rows have)")
    return shape[0] if len(shape) == 2 else None


def _row_shape(model: Learner) -> tuple[int, ...]:
    # A model of clouds made of an autoencoder and a head learns from codes: its rows are the head's.
    head = getattr(model, "head", None)
    learns = head if isinstance(head, Learner) else model
    shape = getattr(learns, "shape", learns.config.get("shape"))
    if shape is None:
        raise ValueError(
            f"model: {type(learns).__name__} has no `shape`: give it (dim,) for vectors, (points, 3) for clouds"
        )
    return tuple(shape)


def steps(
    model: Learner,
    data: Tensor,
    *,
    labels: Tensor | None = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    augment: Callable[[Tensor], Tensor] | None = None,
    schedule: str = "constant",
    warmup: int = 0,
    clip: float | None = None,
    average: float | None = None,
    bf16: bool = False,
    seed: int | None = None,
    state: State | None = None,
) -> Iterator[Step]:
    """Train a model and yield after every update; `model` is in training mode meanwhile.

    Args:
        model: learns in place, on the device that it is on.
        data: (S, dim) vectors or (S, M, 3) clouds; see `Feed`.
        labels: (S,) int64, handed to the model with each batch.
        batch_size: rows per update over all ranks; None is the model's recipe's.
        epochs, steps, minutes: the end, one of them; none is the recipe's number of steps.
        augment: applied to each batch of x.
        schedule: "constant", "cosine" or "linear" from the optimizers' own learning rates to zero at the end.
        warmup: updates in which the rates rise linearly from zero.
        clip: the largest norm of each optimizer group's gradients.
        average: decay of averaged weights, found in `state.average` (see `Average`).
        bf16: run updates under autocast to bfloat16.
        seed: seeds torch's global generators at a fresh start; None leaves them as they are.
        state: where to begin, and where the position is kept; None is a fresh start.

    Raises:
        ValueError: an argument is not as above; raised at the call, before any update.
        NotFinite: from the iterator, at an update whose loss, gradient or returned value is not finite.
    """
    state = State() if state is None else state
    if seed is not None and state.step == 0:
        torch.manual_seed(seed)
    feed = Feed(model, data, labels=labels, batch_size=batch_size, augment=augment)
    limit = Limit.choose(model.recipe, feed.per_epoch, epochs, steps, minutes)
    state.timed = limit.minutes is not None
    rate_factor(schedule, warmup, 0, 0.0)
    if warmup < 0:
        raise ValueError(f"warmup: must be a number of updates, at least 0, got {warmup}")
    if clip is not None and not 0 < clip < math.inf:
        raise ValueError(f"clip: must be a norm above 0, got {clip}")
    if average is not None and state.average is None:
        state.average = Average(model, average)
    return _updates(model, feed, limit, state, schedule=schedule, warmup=warmup, clip=clip, bf16=bf16, seed=seed)


def _updates(
    model: Learner,
    feed: Feed,
    limit: Limit,
    state: State,
    *,
    schedule: str,
    warmup: int,
    clip: float | None,
    bf16: bool,
    seed: int | None,
) -> Iterator[Step]:
    model.train()
    if state.step == 0:
        ranks.start_alike(model, feed.all(), seed)
        if state.average is not None:  # What `setup` prepared is where the average begins.
            state.average = Average(model, state.average.decay)
    optimizers = list(model.optimizers().values())
    if clip is not None:
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["clip"] = clip
    moving = schedule != "constant" or warmup > 0  # A model that moves its own rates is left to it.
    began = time.perf_counter() - state.seconds
    fraction = limit.fraction(state.step, state.seconds)
    while fraction < 1:
        if moving:
            set_rates(optimizers, rate_factor(schedule, warmup, state.step, fraction))
        batch = feed.draw(state)
        state.step += 1
        losses = _update(model, batch, state.step, bf16)
        if state.average is not None:
            state.average.update(model)
        if state.step == 1:
            ranks.check_alike(model)
        state.seconds = time.perf_counter() - began
        before, fraction = fraction, limit.fraction(state.step, state.seconds)
        if limit.minutes is not None:  # The ranks' clocks differ, and all must stop at one update.
            fraction = float(ranks.first(torch.tensor(fraction, dtype=torch.float64)))
        yield Step(state.step, state.epoch, losses, state.seconds, fraction, before)


def _update(model: Learner, batch: Batch, step: int, bf16: bool) -> dict[str, float]:
    try:
        with torch.autocast(batch.x.device.type, torch.bfloat16, enabled=bf16):
            values = model.update(batch)
    except FloatingPointError as error:
        raise NotFinite(_where(step, batch, str(error)), step, batch) from error
    # One transfer for all of them: on a device each `item` would wait for it.
    scalars = [value.detach().to(torch.float64).reshape(()) for value in values.values()]
    numbers = torch.stack(scalars).tolist() if scalars else []
    losses = dict(zip(values, numbers, strict=True))
    if not all(map(math.isfinite, numbers)):
        told = ", ".join(f"{name} {number:g}" for name, number in losses.items())
        raise NotFinite(_where(step, batch, told), step, batch)
    return losses


def _where(step: int, batch: Batch, what: str) -> str:
    shown = ", ".join(map(str, batch.rows[:8].tolist())) + (", ..." if len(batch.rows) > 8 else "")
    return f"step {step}: {what}, on a batch of the rows {shown} of data"
