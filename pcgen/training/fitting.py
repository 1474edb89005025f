"""`fit`: the loop with validation, checkpoints, history and progress around it."""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from pcgen import ranks
from pcgen.data.clouds import Clouds
from pcgen.data.normalization import Normalization
from pcgen.data.origin import ZERO
from pcgen.errors import choose
from pcgen.models.base import Learner
from pcgen.training import loop
from pcgen.training.feed import as_rows
from pcgen.training.history import event_writer
from pcgen.training.identity import data_identity, describe_model, versions
from pcgen.training.keeper import Keeper
from pcgen.training.loop import NotFinite, Step
from pcgen.training.memory import keep_freed_memory
from pcgen.training.options import Options, options_of
from pcgen.training.progress import Display
from pcgen.training.resume import Continuation, continued, left_open
from pcgen.training.run import Run
from pcgen.training.signals import Interrupted, Watch, watching
from pcgen.training.validation import Validation

__all__ = ["check_asked", "fit"]

SAVE_SECONDS = 30.0  # Between checkpoints, unless their distance is given in steps.

M = TypeVar("M", bound=Learner)


def fit(
    model: M,
    data: Tensor | Clouds,
    *,
    labels: Tensor | None = None,
    validation: Tensor | Clouds | None = None,
    validation_labels: Tensor | None = None,
    out: str | Path | None = None,
    about: Mapping[str, Any] | None = None,
    options: Options | None = None,
    device: str | torch.device | None = None,
    resume: str | None = None,
    overwrite: bool = False,
    progress: bool | Callable[[Step], None] = False,
    **settings: Any,
) -> M:
    """Train a model; returns it in evaluation mode, with averaged weights if the options say so.

    Under torchrun the processes train one model together. A model that was trained before continues from its state.

    Args:
        model: to train, in place.
        data: (S, dim) vectors or (S, M, 3) clouds; a set of clouds has its own labels, and classes by name. It is
            learned relative to its own origin, which the run records.
        labels: (S,) int64, passed to the model with each batch.
        validation: held-out rows, (V, ...), moved to the origin of `data`; the checkpoint with the best validation is
            kept besides the last, unless the model says that its validation misjudges it (`Learner.early_choice`).
        validation_labels: (V,) int64; a set of clouds has its own.
        out: a run folder to write (see `Run`); None writes nothing.
        about: information about the data that the run stores: spec, split, normalization, ...
        options: of the training (see `Options`); open ones are those of the resumed run, or of the model's recipe.
        device: where to train; None is where the model is.
        resume: "auto" continues from the newest intact checkpoint of `out`, or starts from the beginning if there is
            none. On a CPU the final weights are, bit for bit, those of an uninterrupted training.
        overwrite: delete a run that is in `out`.
        progress: True shows it on the screen; a function is called with every `Step`.
        **settings: single options by name, which replace those in `options`: `steps=100`, `batch_size=32`, ...

    Raises:
        ValueError: an argument is not as above, or a resumed run was made with other arguments.
        FileExistsError: `out` has a run, and neither `resume` nor `overwrite` was given.
        NotFinite: a loss or gradient was not finite; with `out`, its batch is saved there, and checkpoints are not
            replaced.
        Interrupted: SIGINT, SIGTERM or SIGUSR1 came and the training was saved; without `out`, signals have their usual
            effect.
        OSError: a file could not be written.
    """
    data, validation, about = _together(data, validation, about)
    rows, labels = as_rows(model, data, labels)
    held_out, held_out_labels = (None, None) if validation is None else as_rows(model, validation, validation_labels)
    where = model.device if device is None else ranks.device(device)
    asked = options_of(options, settings)
    if resume is not None and out is not None:
        asked = left_open(asked, out)
    settled = asked.settled(model.recipe, len(rows), where)
    check_asked(out, resume, overwrite, bool(settled.tensorboard))
    with ExitStack() as stack:
        stack.enter_context(ranks.group(where))
        if where.type == "cpu":
            keep_freed_memory()
        model.to(where)
        measure = None if held_out is None else Validation(model, held_out, held_out_labels)
        config = _config(model, rows, labels, held_out, about, settled) if out is not None else {}
        going = Continuation() if out is None or resume is None else continued(model, out, config, settled)
        state, run = going.state, going.run
        updates = loop.steps(model, rows, labels=labels, options=settled, state=state)
        if out is not None and run is None:
            run = Run(Path(out), config)
            if ranks.index() == 0:
                run = stack.enter_context(Run.begin(out, config, overwrite or resume is not None))
        keeper = Keeper(model, state, run, measure, settled)
        stack.callback(keeper.close)
        watch = stack.enter_context(watching(run is not None))
        show, tell, say = _shown(progress, model.learner, stack)
        if going.said:
            say(going.said)
        for note in going.notes:
            tell(note)
        if _follow(updates, keeper, watch, settled, show, tell, out) < state.step:
            keeper.save("last")
        if state.average is not None:
            state.average.copy_to(model)
        ranks.alike(model)
    return model.eval()


def _together(
    data: Tensor | Clouds, validation: Tensor | Clouds | None, about: Mapping[str, Any] | None
) -> tuple[Tensor | Clouds, Tensor | Clouds | None, Mapping[str, Any] | None]:
    """Data and validation about one origin, that of the data, which is the normalisation of the run if it has no other.

    A tensor has true coordinates.
    """
    origin = data.origin if isinstance(data, Clouds) else ZERO
    if isinstance(validation, Clouds):
        validation = validation.at(origin)
    elif validation is not None and origin != ZERO:
        validation = Clouds.of(validation).at(origin)
    if isinstance(data, Clouds) and origin != ZERO and "normalization" not in (about or {}):
        about = {**(about or {}), "normalization": Normalization("none").fit(data).to_dict()}
    return data, validation, about


def _follow(
    updates: Iterator[Step],
    keeper: Keeper,
    watch: Watch,
    options: Options,
    show: Callable[[Step], None],
    tell: Callable[[str], None],
    out: str | Path | None,
) -> int:
    """Take a training to its end: every step kept and shown, checkpoints when they are due, signals obeyed.

    Returns the step that was saved last, 0 if none was.
    """
    saved, at = time.monotonic(), 0
    try:
        for step in map(keeper.after, updates):
            show(step)
            if options.save_every is None:
                due = time.monotonic() - saved > SAVE_SECONDS
            else:
                due = step.step % options.save_every == 0
            number, must_save = ranks.agree([watch.number, due and ranks.index() == 0])
            if must_save or number:
                keeper.save("last")
                saved, at = time.monotonic(), step.step
            if number:
                stopped = Interrupted(int(number), f"step {step.step} is saved in {out}; continue with --resume auto")
                tell(str(stopped))
                raise stopped
    except NotFinite as error:
        raise keeper.keep_batch(error) from error
    return at


def check_asked(out: str | Path | None, resume: str | None, overwrite: bool, tensorboard: bool) -> None:
    """Refuse what a training is asked to do with its run, where it cannot do it.

    Raises:
        ValueError: there is no run folder for it, `resume` is not "auto", a run is to be both continued and deleted, or
            tensorboard is not installed.
    """
    asked = {"resume": resume is not None, "overwrite": overwrite, "tensorboard": tensorboard}
    for name, given in asked.items():
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
    options: Options,
) -> dict[str, Any]:
    """What config.json holds; options that were left open are written as what they come to."""
    return {
        "model": describe_model(model),
        "data": {**(about or {}), **data_identity(data, labels)},
        "validation": None if validation is None else data_identity(validation),
        "training": options.to_dict(),
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
        display = stack.enter_context(
            Display(str(describe_model(learns)["name"] or type(learns).__name__).rpartition(":")[2])
        )
        return display.show, display.note, display.note
    show: Callable[[Step], None] = (lambda step: None) if isinstance(progress, bool) or ranks.index() > 0 else progress
    return show, lambda text: warnings.warn(text, stacklevel=3), lambda text: None
