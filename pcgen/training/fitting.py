"""`fit`: the loop with validation, checkpoints, history and progress around it."""

import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from pcgen import ranks
from pcgen.data.clouds import Clouds
from pcgen.errors import choose
from pcgen.models import MODELS
from pcgen.models.base import Learner
from pcgen.training import loop
from pcgen.training.averages import decay_of
from pcgen.training.feed import as_rows
from pcgen.training.history import event_writer
from pcgen.training.keeper import Keeper
from pcgen.training.loop import NotFinite, Step
from pcgen.training.memory import keep_freed_memory
from pcgen.training.progress import Display
from pcgen.training.resume import Continuation, continued, name_of
from pcgen.training.run import Run, data_identity, describe_model, versions
from pcgen.training.signals import Interrupted, watching
from pcgen.training.validation import Validation

__all__ = ["fit"]

SAVE_SECONDS = 30.0  # Between checkpoints, unless their distance is given in steps.
LOG_EVERY = 50

M = TypeVar("M", bound=Learner)


def fit(
    model: M,
    data: Tensor | Clouds,
    *,
    labels: Tensor | None = None,
    validation: Tensor | Clouds | None = None,
    out: str | Path | None = None,
    about: Mapping[str, Any] | None = None,
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
    device: str | torch.device | None = None,
    seed: int | None = None,
    validate_every: int | None = None,
    save_every: int | None = None,
    log_every: int = LOG_EVERY,
    resume: str | None = None,
    overwrite: bool = False,
    tensorboard: bool = False,
    progress: bool | Callable[[Step], None] = False,
) -> M:
    """Train a model; returns it in evaluation mode, on averaged weights if asked.

    Options that are not below are those of `steps`. Under torchrun the processes train one model together.

    Args:
        model: learns in place.
        data: (S, dim) vectors or (S, M, 3) clouds; a set of clouds brings its labels.
        validation: held-out rows, (V, ...); the checkpoint that does best on them is kept beside the last.
        out: a run folder to write (see `Run`); None writes nothing.
        about: what the run shall remember of the data: spec, split, normalization, ...
        device: where to train; None is where the model is.
        seed: of the training's randomness at a fresh start; None goes on with torch's global generator.
        validate_every: steps between validations; None spreads 20 over the training. The last step always validates.
        save_every: steps between checkpoints; None is every 30 seconds. The end and a signal always save.
        log_every: steps between rows of the history, whose losses are means over the updates since the row before.
        resume: "auto" goes on from the newest whole checkpoint of `out`, or starts afresh where there is none. On a CPU
            the end is, bit for bit, that of a training that was never stopped.
        overwrite: delete a run that is in `out`.
        tensorboard: write event files into `out` too.
        progress: True shows it on the screen; a function is called with every `Step`.

    Raises:
        ValueError: an argument is not as above, or a resumed run was made with other ones.
        FileExistsError: `out` has a run, and neither `resume` nor `overwrite` was given.
        NotFinite: a loss or gradient was not finite; with `out`, its batch is saved there, and no checkpoint replaced.
        Interrupted: SIGINT, SIGTERM or SIGUSR1 came and the training was saved; without `out` signals act as they do
            elsewhere.
        OSError: a file could not be written.
    """
    _check(out, resume, overwrite, tensorboard, validate_every, save_every, log_every)
    rows, labels = as_rows(data, labels)
    held_out = None if validation is None else as_rows(validation, None)[0]
    options: dict[str, Any] = {"epochs": epochs, "steps": steps, "minutes": minutes, "batch_size": batch_size}
    options |= {
        "schedule": schedule,
        "warmup": warmup,
        "clip": clip,
        "average": decay_of(model, average),
        "bf16": bf16,
        "seed": seed,
    }
    where = model.device if device is None else ranks.device(device)
    with ExitStack() as stack:
        stack.enter_context(ranks.group(where))
        if where.type == "cpu":
            keep_freed_memory()
        model.to(where)
        measure = None if held_out is None else Validation(model, held_out)
        going, config = Continuation(), dict[str, Any]()
        if out is not None:
            cadence = {"validate_every": validate_every, "log_every": log_every}
            config = _config(model, rows, labels, held_out, about, {**options, **cadence, "augment": name_of(augment)})
            if resume is not None:
                going = continued(model, out, config)
        state, run = going.state, going.run
        updates = loop.steps(model, rows, labels=labels, augment=augment, state=state, **options)
        if out is not None and run is None:
            run = Run(Path(out), config)
            if ranks.index() == 0:
                run = stack.enter_context(Run.begin(out, config, overwrite or resume is not None))
        keeper = Keeper(model, state, run, measure, validate_every, log_every, tensorboard)
        stack.callback(keeper.close)
        watch = stack.enter_context(watching(run is not None))
        show, tell, say = _shown(progress, getattr(model, "head", model), stack)
        if going.said:
            say(going.said)
        for note in going.notes:
            tell(note)
        saved, at = time.monotonic(), 0
        try:
            for step in updates:
                step = keeper.after(step)
                show(step)
                due = time.monotonic() - saved > SAVE_SECONDS if save_every is None else step.step % save_every == 0
                number, must_save = ranks.agree([watch.number, due and ranks.index() == 0])
                if must_save or number:
                    keeper.save("last")
                    saved, at = time.monotonic(), step.step
                if number:
                    stopped = Interrupted(int(number), f"step {step.step} is saved in {out}; go on with --resume auto")
                    tell(str(stopped))
                    raise stopped
        except NotFinite as error:
            raise keeper.keep_batch(error) from error
        if at < state.step:
            keeper.save("last")
        if state.average is not None:
            state.average.copy_to(model)
        ranks.alike(model)
    return model.eval()


def _check(
    out: str | Path | None,
    resume: str | None,
    overwrite: bool,
    tensorboard: bool,
    validate_every: int | None,
    save_every: int | None,
    log_every: int,
) -> None:
    for name, every in {"validate_every": validate_every, "save_every": save_every, "log_every": log_every}.items():
        if every is not None and every < 1:
            raise ValueError(f"{name}: must be a number of steps, at least 1, got {every}")
    for name, given in {"resume": resume is not None, "overwrite": overwrite, "tensorboard": tensorboard}.items():
        if given and out is None:
            raise ValueError(f"{name}: needs a run folder; give out=")
    if resume is not None:
        choose(resume, ["auto"], "resume")
    if resume is not None and overwrite:
        raise ValueError("resume, overwrite: give one of them: a run is either continued or deleted")
    if tensorboard:
        event_writer()


def _config(
    model: Learner,
    data: Tensor,
    labels: Tensor | None,
    validation: Tensor | None,
    about: Mapping[str, Any] | None,
    options: dict[str, Any],
) -> dict[str, Any]:
    """What config.json holds; options that were left open are written as what they come to."""
    options = {**options, "batch_size": min(options["batch_size"] or model.recipe.batch_size or len(data), len(data))}
    if not any(options[name] for name in ("epochs", "steps", "minutes")):
        options["steps"] = model.recipe.steps
    return {
        "model": describe_model(model),
        "data": {**(about or {}), **data_identity(data, labels)},
        "validation": None if validation is None else data_identity(validation),
        "training": options,
        "versions": versions(),
        "threads": torch.get_num_threads(),
        "device": model.device.type,
        "ranks": ranks.count(),
    }


def _shown(
    progress: bool | Callable[[Step], None], learns: Learner, stack: ExitStack
) -> tuple[Callable[[Step], None], Callable[[str], None], Callable[[str], None]]:
    """What is called with every step, with a text that the user must read, and with one for the screen alone."""
    if progress is True and ranks.index() == 0:
        display = stack.enter_context(Display(MODELS.name_of(type(learns)) or type(learns).__name__))
        return display.show, display.note, display.note
    show: Callable[[Step], None] = (lambda step: None) if isinstance(progress, bool) or ranks.index() > 0 else progress
    return show, lambda text: warnings.warn(text, stacklevel=3), lambda text: None
