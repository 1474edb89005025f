"""`fit`: the loop with validation, checkpoints, history and progress around it."""

import math
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from pcgen.errors import choose
from pcgen.models.base import Learner
from pcgen.training import loop, ranks
from pcgen.training.files import write_tensors
from pcgen.training.history import History
from pcgen.training.loop import NotFinite, Step
from pcgen.training.progress import Display
from pcgen.training.resume import continued, name_of
from pcgen.training.run import Run, data_identity, describe_model, versions
from pcgen.training.signals import Interrupted, watching
from pcgen.training.state import State, write_state
from pcgen.training.validation import Validation

__all__ = ["fit"]

SAVE_SECONDS = 30.0  # Between checkpoints, unless their distance is given in steps.
LOG_EVERY = 50
VALIDATIONS = 20  # Over the whole training, unless their distance is given in steps.

M = TypeVar("M", bound=Learner)


def fit(
    model: M,
    data: Tensor,
    *,
    labels: Tensor | None = None,
    validation: Tensor | None = None,
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
        data: (S, dim) vectors or (S, M, 3) clouds.
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
    for name, every in {"validate_every": validate_every, "save_every": save_every, "log_every": log_every}.items():
        if every is not None and every < 1:
            raise ValueError(f"{name}: must be a number of steps, at least 1, got {every}")
    if resume is not None:
        choose(resume, ["auto"], "resume")
    for name, given in {"resume": resume is not None, "overwrite": overwrite, "tensorboard": tensorboard}.items():
        if given and out is None:
            raise ValueError(f"{name}: needs a run folder; give out=")
    if resume is not None and overwrite:
        raise ValueError("resume, overwrite: give one of them: a run is either continued or deleted")
    where = model.device if device is None else ranks.device(device)
    with ExitStack() as stack:
        stack.enter_context(ranks.group(where))
        model.to(where)
        measure = None if validation is None else Validation(model, validation)
        options: dict[str, Any] = {"schedule": schedule, "warmup": warmup, "clip": clip, "average": average}
        options |= {"bf16": bf16, "seed": seed}
        end: dict[str, Any] = {"epochs": epochs, "steps": steps, "minutes": minutes}
        config: dict[str, Any] = {}
        state, notes, run = State(), list[str](), None
        if out is not None:
            config = {
                "model": describe_model(model),
                "data": {**(about or {}), **data_identity(data, labels)},
                "training": {
                    **(end if any(end.values()) else {"steps": model.recipe.steps}),
                    "batch_size": min(batch_size or model.recipe.batch_size or len(data), len(data)),
                    **options,
                    "augment": name_of(augment),
                    "validate_every": validate_every,
                    "log_every": log_every,
                },
                "versions": versions(),
                "threads": torch.get_num_threads(),
                "device": where.type,
                "ranks": ranks.count(),
            } | ({} if validation is None else {"validation": data_identity(validation)})
            if resume is not None:
                state, notes, run = continued(model, out, config)
        updates = loop.steps(
            model, data, labels=labels, batch_size=batch_size, augment=augment, state=state, **end, **options
        )
        if out is not None and run is None:
            run = (
                Run.create(out, config, overwrite or resume is not None)
                if ranks.index() == 0
                else Run(Path(out), config)
            )
        keeper = _Keeper(model, state, run, measure, validate_every, log_every, tensorboard)
        stack.callback(keeper.close)
        watch = stack.enter_context(watching(run is not None))
        show = _shown(progress, type(model).__name__, notes, stack)
        saved = time.monotonic()
        try:
            for step in updates:
                step = keeper.after(step)
                show(step)
                due = time.monotonic() - saved > SAVE_SECONDS if save_every is None else step.step % save_every == 0
                number, must_save = ranks.agree([watch.number, due and ranks.index() == 0])
                if must_save or number or step.fraction >= 1:
                    keeper.save("last")
                    saved = time.monotonic()
                if number:
                    raise Interrupted(int(number))
        except NotFinite as error:
            raise keeper.keep_batch(error) from error
        if state.average is not None:
            state.average.copy_to(model)
        ranks.alike(model)
    return model.eval()


class _Keeper:
    """Keeps the losses, the history, the validation and the checkpoints of one training."""

    def __init__(
        self,
        model: Learner,
        state: State,
        run: Run | None,
        measure: Validation | None,
        validate_every: int | None,
        log_every: int,
        tensorboard: bool,
    ) -> None:
        self._model, self._state, self._run, self._measure = model, state, run, measure
        self._validate_every, self._log_every = validate_every, log_every
        self._history = None
        if run is not None and ranks.index() == 0:
            self._history = History(run.history_path, state.step, tensorboard)
            state.seconds = state.seconds or self._history.seconds
        self._optimizers = model.optimizers()

    def close(self) -> None:
        if self._history is not None:
            self._history.close()

    def after(self, step: Step) -> Step:
        """All that belongs to a step but `last`, so that a checkpoint of the step lacks nothing of it."""
        state = self._state
        for name, value in step.losses.items():
            state.totals[name] = state.totals.get(name, 0.0) + value
        state.counted += 1
        better = False
        if self._measure is not None and self._validates(step):
            measured = self._validate(self._measure)
            step = replace(step, validation=measured)
            if measured is not None and (state.best is None or measured < state.best):
                state.best, better = measured, True
        if step.validation is not None or step.step % self._log_every == 0 or step.fraction >= 1:
            self._log(step)
        if self._measure is not None and ranks.agree([better])[0]:
            self.save("best")
        return step

    def _validates(self, step: Step) -> bool:
        if step.fraction >= 1:
            return True
        if self._validate_every is not None:
            return step.step % self._validate_every == 0
        return math.floor(step.fraction * VALIDATIONS) > math.floor(step.before * VALIDATIONS)

    def _validate(self, measure: Validation) -> float | None:
        """The measure on averaged weights where there are some; None where it is not a number, and on other ranks."""
        if ranks.index() > 0:
            return None
        if self._state.average is None:
            value = measure(self._model)
        else:
            with self._state.average.applied(self._model):
                value = measure(self._model)
        return value if math.isfinite(value) else None

    def _log(self, step: Step) -> None:
        state = self._state
        row: dict[str, Any] = {
            "step": step.step,
            "epoch": step.epoch,
            "seconds": round(step.seconds, 3),
            "losses": {name: total / state.counted for name, total in state.totals.items()},
            "rates": {name: float(own.param_groups[0]["lr"]) for name, own in self._optimizers.items()},
        }
        if step.validation is not None:
            row["validation"] = step.validation
        state.totals, state.counted = {}, 0
        if self._history is not None:
            self._history.add(row)

    def save(self, name: str) -> None:
        """Write a checkpoint; every rank calls it at one step."""
        if self._run is not None:
            ranks.check_alike(self._model)
            write_state(self._run.checkpoint(name), self._model, self._state)

    def keep_batch(self, error: NotFinite) -> NotFinite:
        """Save the batch of an update that failed beside the checkpoints, and say where."""
        if self._run is None:
            return error
        rank = f"-rank{ranks.index()}" if ranks.count() > 1 else ""
        path = self._run.path / f"batch-{error.step}{rank}.safetensors"
        tensors = {"x": error.batch.x, "rows": error.batch.rows}
        write_tensors(path, tensors, {"step": error.step, "error": str(error)})
        return NotFinite(f"{error}; the batch is in {path}, the checkpoints are as they were", error.step, error.batch)


def _shown(
    progress: bool | Callable[[Step], None], name: str, notes: list[str], stack: ExitStack
) -> Callable[[Step], None]:
    if ranks.index() > 0 or not progress:
        for note in notes:
            warnings.warn(note, stacklevel=3)
        return lambda step: None
    if progress is not True:
        for note in notes:
            warnings.warn(note, stacklevel=3)
        return progress
    display = stack.enter_context(Display(name))
    for note in notes:
        display.note(note)
    return display.show
