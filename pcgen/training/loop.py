"""The loop: `steps` yields after every update, and the caller logs, validates and saves."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pcgen import ranks
from pcgen.data.clouds import Clouds
from pcgen.models.base import Batch, Learner
from pcgen.training.averages import Average
from pcgen.training.feed import Feed, as_rows
from pcgen.training.limits import END, Course, Limit, rate_factor, set_rate, set_rates
from pcgen.training.options import Options, options_of
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
    phase: str = ""  # its name, of a training with phases
    ends: bool = False  # whether it is the last one of its phase


class NotFinite(FloatingPointError):
    """A loss, a gradient or a returned value was NaN or infinite; `step` and `batch` are those of the update."""

    def __init__(self, text: str, step: int, batch: Batch) -> None:
        super().__init__(text)
        self.step = step
        self.batch = batch

    @classmethod
    def at(cls, step: int, batch: Batch, what: str) -> "NotFinite":
        """Tell what was not finite, at which update and on which rows."""
        rows = [] if batch.rows is None else batch.rows.tolist()
        shown = ", ".join(map(str, rows[:8])) + (", ..." if len(rows) > 8 else "")
        return cls(f"step {step}: {what}, on a batch of the rows {shown} of data", step, batch)


def steps(
    model: Learner,
    data: Tensor | Clouds,
    *,
    labels: Tensor | None = None,
    options: Options | None = None,
    state: State | None = None,
    **settings: Any,
) -> Iterator[Step]:
    """Train a model and yield after every update; `model` is in training mode meanwhile.

    A model that was trained before continues: it is not set up again, and is trained in its last phase, as at the
    end of it, but at the optimizers' own learning rates.

    Args:
        model: learns in place, on the device that it is on.
        data: (S, dim) vectors or (S, M, 3) clouds; see `Feed`. A set of clouds brings its labels.
        labels: (S,) int64, handed to the model with each batch.
        options: of the training; what they leave open is the model's recipe's.
        state: where to begin, and where the position is kept; None is a fresh start.
        **settings: single options by name, which replace those in `options`: `steps=100`, `batch_size=32`, ...

    Raises:
        ValueError: an argument is not as above, or the model's last training has not come to its last phase; raised at
            the call, before any update.
        NotFinite: from the iterator, at an update whose loss, gradient or returned value is not finite.
    """
    state = State() if state is None else state
    rows, labels = as_rows(model, data, labels)
    settled = options_of(options, settings).settled(model.recipe, len(rows), model.device)
    if settled.seed is not None and state.step == 0:
        torch.manual_seed(settled.seed)
    feed = Feed(model, rows, labels, settled)
    state.timed = settled.minutes is not None
    if settled.average and state.average is None:
        state.average = Average(model, settled.average)
    limit = Limit.of(settled, feed.per_epoch)
    goes_on = bool(model.learned > state.step)  # It has learned in an earlier training.
    course = Course(_last_phase(model) if goes_on else model.recipe.phases, limit.updates)
    return _updates(model, feed, limit, course, not goes_on, settled, state)


def _updates(
    model: Learner, feed: Feed, limit: Limit, course: Course, new: bool, options: Options, state: State
) -> Iterator[Step]:
    model.train()
    if state.step == 0:
        _begin(model, feed, new, options, state)
    optimizers = _optimizers(model, options)
    moving = options.schedule != "constant" or options.warmup  # A model that moves its own rates is left to it.
    began = time.perf_counter() - state.seconds
    fraction = limit.fraction(state.step, state.seconds)
    while fraction < 1 or state.phase < len(course.names) - 1:
        place, progress = course.at(state.step, fraction, state.phase)
        if place != state.phase:
            if len(course.names) > 1:
                _enter(model, feed, place, course.names[place], state)
                optimizers = _optimizers(model, options)  # A phase may have made another one.
            state.phase, state.entered = place, state.step
        if moving:
            behind = state.step - state.entered
            set_rates(optimizers, rate_factor(options.schedule or "constant", options.warmup or 0, behind, progress))
        batch = state.drawn = feed.draw(state, progress if new else END)
        state.step += 1
        losses = _update(model, batch, state.step, bool(options.bf16))
        model.learned += 1
        if state.average is not None:
            state.average.update(model)
        if state.step == 1:
            ranks.check_alike(model, bool(optimizers))
        state.seconds = time.perf_counter() - began
        before, fraction = fraction, limit.fraction(state.step, state.seconds)
        if limit.minutes is not None:  # The ranks' clocks differ, and all must stop at one update.
            fraction = float(ranks.first(torch.tensor(fraction, dtype=torch.float64)))
        ends = fraction >= 1 or course.at(state.step, fraction, place)[0] > place
        name = course.names[place]
        yield Step(state.step, state.epoch, losses, state.seconds, fraction, before, phase=name, ends=ends)


def _begin(model: Learner, feed: Feed, new: bool, options: Options, state: State) -> None:
    """Set a new model up, and let the ranks begin alike."""
    if new and ranks.index() == 0:
        model.setup(feed.all())
    ranks.alike(model)
    for optimizer in model.optimizers().values():
        if optimizer.state:  # An earlier training was on another device, perhaps, where its state has stayed.
            optimizer.load_state_dict(optimizer.state_dict())
    for group in (group for optimizer in model.optimizers().values() for group in optimizer.param_groups):
        if "initial_lr" in group:  # An earlier training moved it, and has left it wherever its schedule ended.
            set_rate(group, group["initial_lr"])
    ranks.part_noise(options.seed)
    if state.average is not None:  # What `setup` prepared is where the average begins.
        state.average = Average(model, state.average.decay)


def _enter(model: Learner, feed: Feed, place: int, phase: str, state: State) -> None:
    """Begin a phase, on every rank with the state of rank 0; the average begins again with what it starts from.

    So does the search for the best checkpoint: what is measured in one phase says nothing of the next.
    """
    model.phase.fill_(place)
    model.enter(phase, feed.all())  # On all of them, since it may make an optimizer anew.
    ranks.alike(model)
    state.best = None
    if state.average is not None:
        state.average = Average(model, state.average.decay)


def _last_phase(model: Learner) -> dict[str, float]:
    """The phase in which a model that has learned goes on."""
    names = list(model.recipe.phases)
    if int(model.phase) != len(names) - 1:
        raise ValueError(
            f"model: its last training stopped in the phase {names[int(model.phase)]}, before {names[-1]}: continue "
            'that training (resume="auto", or state=), or make a new model'
        )
    return {names[-1]: 1.0}


def _optimizers(model: Learner, options: Options) -> list[torch.optim.Optimizer]:
    """The optimizers of the model, whose gradients are clipped as this training has it."""
    found = list(model.optimizers().values())
    for group in (group for optimizer in found for group in optimizer.param_groups):
        group["clip"] = options.clip
    return found


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
