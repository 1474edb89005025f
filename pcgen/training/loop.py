"""The loop: `steps` yields after every update, and the caller logs, validates and saves."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pcgen import ranks
from pcgen.data.clouds import Clouds
from pcgen.models.base import Batch, Learner
from pcgen.training.averages import Average, decay_of
from pcgen.training.feed import Feed, as_rows
from pcgen.training.limits import Limit, check_rates, rate_factor, set_rates
from pcgen.training.state import State

__all__ = ["NotFinite", "Step", "steps"]


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

    @classmethod
    def at(cls, step: int, batch: Batch, what: str) -> "NotFinite":
        """Tell what was not finite, at which update and on which rows."""
        shown = ", ".join(map(str, batch.rows[:8].tolist())) + (", ..." if len(batch.rows) > 8 else "")
        return cls(f"step {step}: {what}, on a batch of the rows {shown} of data", step, batch)


def steps(
    model: Learner,
    data: Tensor | Clouds,
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
        data: (S, dim) vectors or (S, M, 3) clouds; see `Feed`. A set of clouds brings its labels.
        labels: (S,) int64, handed to the model with each batch.
        batch_size: rows per update over all ranks; None is the model's recipe's.
        epochs, steps, minutes: the end, one of them; none is the recipe's number of steps.
        augment: applied to each batch of x.
        schedule: "constant", "cosine" or "linear" from the optimizers' own learning rates to zero at the end.
        warmup: updates in which the rates rise linearly from zero.
        clip: the largest norm of each optimizer group's gradients.
        average: decay of averaged weights, found in `state.average` (see `Average`); 0 is not to average, None what
            the model's recipe says.
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
    rows, labels = as_rows(data, labels)
    feed = Feed(model, rows, labels=labels, batch_size=batch_size, augment=augment)
    limit = Limit.choose(model.recipe, feed.per_epoch, epochs, steps, minutes)
    state.timed = limit.minutes is not None
    check_rates(schedule, warmup, clip)
    decay = decay_of(model, average)
    if decay and state.average is None:
        state.average = Average(model, decay)
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
        if ranks.index() == 0:
            model.setup(feed.all())
        ranks.alike(model)
        ranks.part_noise(seed)
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
        batch = state.drawn = feed.draw(state)
        state.step += 1
        losses = _update(model, batch, state.step, bf16)
        if state.average is not None:
            state.average.update(model)
        if state.step == 1:
            ranks.check_alike(model, bool(optimizers))
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
        raise NotFinite.at(step, batch, str(error)) from error
    # One transfer for all of them: on a device each `item` would wait for it.
    scalars = [value.detach().to(torch.float64).reshape(()) for value in values.values()]
    numbers = torch.stack(scalars).tolist() if scalars else []
    losses = dict(zip(values, numbers, strict=True))
    if not all(map(math.isfinite, numbers)):
        told = ", ".join(f"{name} {number:g}" for name, number in losses.items())
        raise NotFinite.at(step, batch, told)
    return losses
