"""What a training keeps as it goes: losses, history, validation, checkpoints."""

import math
import time
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from pcgen import ranks
from pcgen.files import write_tensors
from pcgen.models.base import Learner
from pcgen.training.history import History
from pcgen.training.loop import NotFinite, Step
from pcgen.training.options import LOG_EVERY, Options
from pcgen.training.run import Run
from pcgen.training.state import State, write_state
from pcgen.training.validation import Validation

__all__ = ["Keeper"]

VALIDATIONS = 20  # Over the whole training, unless their distance is given in steps.
MOST_VALIDATING = 0.1  # Of the training's time, unless their distance is given; 2 seconds are always allowed.


class Keeper:
    """Keeps the losses, the history, the validation and the checkpoints of one training."""

    def __init__(
        self,
        model: Learner,
        state: State,
        run: Run | None,
        measure: Validation | None,
        options: Options,
    ) -> None:
        """Open the history of the run, if there is one, where `state` stands."""
        self._model, self._state, self._run, self._measure = model, state, run, measure
        self._options = options
        self._history = None
        if run is not None and ranks.index() == 0:
            self._history = History(run.history_path, state.step, bool(options.tensorboard))
            state.seconds = state.seconds or self._history.seconds

    def close(self) -> None:
        """Close the history."""
        if self._history is not None:
            self._history.close()

    def after(self, step: Step) -> Step:
        """All that belongs to a step but `last`, so that a checkpoint of the step lacks nothing of it."""
        state = self._state
        for name, value in step.losses.items():
            state.totals[name] = state.totals.get(name, 0.0) + value
            state.counted[name] = state.counted.get(name, 0) + 1
        better = False
        if self._measure is not None and self._validates(step):
            try:
                measured = self._validate(self._measure)
            except FloatingPointError as error:
                if state.drawn is None:
                    raise
                raise NotFinite.at(step.step, state.drawn, f"validation: {error}") from error
            step = replace(step, validation=measured)
            if measured is not None and (state.best is None or measured < state.best):
                state.best, better = measured, True
        if step.validation is not None or step.step % (self._options.log_every or LOG_EVERY) == 0 or step.ends:
            self._log(step)
        if self._measure is not None and self._model.learner.early_choice:
            if ranks.agree([better])[0]:
                self.save("best")
            elif state.phase > 0 and step.step == state.entered + 1:
                self._forget_best()
        return step

    def _forget_best(self) -> None:
        """Remove the best checkpoint of the phase before, which would be used instead of the present model."""
        self.save("last")  # It may be older than the best one, and what is learned must be kept.
        if self._run is not None and ranks.index() == 0:
            self._run.checkpoint("best").unlink(missing_ok=True)

    def _validates(self, step: Step) -> bool:
        if step.fraction >= 1:
            return True
        if self._options.validate_every is not None:
            return step.step % self._options.validate_every == 0
        due = math.floor(step.fraction * VALIDATIONS) > math.floor(step.before * VALIDATIONS)
        # Left out where it would take more than its share; ranks agree, since rank 0 alone has a watch on it.
        late = self._state.validating > max(2.0, MOST_VALIDATING * step.seconds)
        return due and not ranks.agree([late and ranks.index() == 0])[0]

    def _validate(self, measure: Validation) -> float | None:
        """The measure on averaged weights where there are some; None where it is not a number, and on other ranks."""
        if ranks.index() > 0:
            return None
        began = time.perf_counter()
        with nullcontext() if self._state.average is None else self._state.average.applied(self._model):
            value = measure(self._model)
        self._state.validating += time.perf_counter() - began
        return value if math.isfinite(value) else None

    def _log(self, step: Step) -> None:
        state = self._state
        row: dict[str, Any] = {
            "step": step.step,
            "epoch": step.epoch,
            "seconds": round(step.seconds, 3),
            "losses": {name: total / state.counted[name] for name, total in state.totals.items()},
            **({"phase": step.phase} if step.phase else {}),
            "rates": {name: float(own.param_groups[0]["lr"]) for name, own in self._model.optimizers().items()},
        }
        if step.validation is not None:
            row["validation"] = step.validation
        state.totals, state.counted = {}, {}
        if self._history is not None:
            self._history.add(row)

    def save(self, name: str) -> None:
        """Write a checkpoint; every rank calls it at one step."""
        if self._run is not None:
            ranks.check_alike(self._model, bool(self._model.optimizers()))
            write_state(self._run.checkpoint(name), self._model, self._state)

    def keep_batch(self, error: NotFinite) -> NotFinite:
        """Save the batch of an update that failed beside the checkpoints, and say where."""
        if self._run is None:
            return error
        rank = f"-rank{ranks.index()}" if ranks.count() > 1 else ""
        path = self._run.path / f"batch-{error.step}{rank}.safetensors"
        given = {"x": error.batch.x, "rows": error.batch.rows, "labels": error.batch.labels}
        tensors = {name: value for name, value in given.items() if value is not None}
        write_tensors(path, tensors, {"step": error.step, "error": str(error)})
        return NotFinite(f"{error}; the batch is in {path}, the checkpoints are as they were", error.step, error.batch)
