"""Going on with a training that was stopped: which checkpoint, and whether it is the same training."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from pcgen import ranks
from pcgen.data.augmentation import Augmentation
from pcgen.files import read_tensors
from pcgen.models.base import Learner
from pcgen.training.limits import Limit
from pcgen.training.options import Options, batches
from pcgen.training.run import Run
from pcgen.training.state import State, read_state

__all__ = ["Continuation", "compare", "continued", "left_open"]

_LIMITS = ("training.epochs", "training.steps", "training.minutes")
_NOTED = ("versions.", "threads", "device", "ranks")
_READ = "data.training_set."
_BINDING = ("model.", "data.shape", "data.sha256", "validation", "training.")
# What changes neither the weights nor which checkpoint is the best.
_FREE = ("training.save_every", "training.log_every", "training.tensorboard")


@dataclass(frozen=True)
class Continuation:
    """Where a training goes on; the position is a fresh one, and the run None, where there is no checkpoint yet."""

    state: State = field(default_factory=State)
    run: Run | None = None
    said: str = ""  # where it goes on, in words
    notes: tuple[str, ...] = ()  # what the user must know of it


def continued(model: Learner, path: str | Path, config: dict[str, Any], options: Options) -> Continuation:
    """Bring a model to the newest whole checkpoint of a run, whose config takes the new end; not if it is finished.

    `options` are the settled ones of the training, which `config` holds as JSON.

    Raises:
        FileNotFoundError: the folder holds something that is not a run.
        ValueError: the run was made with other options, data or model, is past the end that is asked for, or all of its
            checkpoints are damaged.
    """
    path = Path(path)
    # Rank 0 looks and the others follow it: it may make the folder before they have looked.
    run = Run.open(path) if ranks.index() == 0 and path.is_dir() and any(path.iterdir()) else None
    checkpoint, notes = _newest(run) if run is not None else (None, [])
    chosen = int(ranks.first(torch.tensor(("last", "best", None).index(checkpoint))))
    if chosen == 2:
        return Continuation(notes=tuple(notes))
    run = Run.open(path) if run is None else run
    changes = compare(run, config, whole=len(model.recipe.phases) > 1 or model.follows_progress)
    state, differences = read_state(run.checkpoint(("last", "best")[chosen]), model)
    if _finished(run, options, state):
        said = f"{path}: is finished, at step {state.step}; nothing is left to train"
        return Continuation(state, run, said, tuple(notes))
    notes = [*notes, *changes, *differences]
    if ranks.index() == 0:
        kept = run.config.get("notes", [])
        run = Run(run.path, {**run.config, "training": config["training"], "notes": kept + notes})
        run.write_config()
    return Continuation(state, run, f"{path}: resumed at step {state.step}", tuple(notes))


def left_open(options: Options, path: str | Path) -> Options:
    """The options, where they are open as a run had them; unchanged if there is no run at `path`.

    So a training goes on without naming its options again. A function of the user's own for augmentation must be given
    again.

    Raises:
        FileNotFoundError: the folder holds something that is not a run.
        ValueError: its config.json is damaged.
    """
    path = Path(path)
    if not path.is_dir() or not any(path.iterdir()):
        return options
    known = {
        name: value
        for name, value in Run.open(path).config.get("training", {}).items()
        if getattr(options, name, 0) is None
        and not (options.limits and f"training.{name}" in _LIMITS)
        and not (name == "augment" and isinstance(value, str))
    }
    read = Options.from_dict(known)
    return dataclasses.replace(options, **{name: getattr(read, name) for name in known})


def _finished(run: Run, options: Options, state: State) -> bool:
    per_epoch = batches(run.config["data"]["shape"][0], options.batch_size or 1)
    fraction = Limit.of(options, per_epoch).fraction(state.step, state.seconds)
    same = all(run.config["training"].get(name) == value for name, value in options.limits.items())
    if fraction > 1 and not same:  # A training of some minutes ends a little after them.
        name, value = next(iter(options.limits.items()))
        raise ValueError(
            f"resume: {run.path} is at step {state.step}, and {name} {value} asks for no more; give more {name}"
        )
    return fraction >= 1


def _newest(run: Run) -> tuple[str | None, list[str]]:
    """The name of the whole checkpoint with the most steps, and a note on every damaged one."""
    steps: dict[str, int] = {}
    damaged = []
    for name in ("last", "best"):
        if run.checkpoint(name).is_file():
            try:
                steps[name] = int(read_tensors(run.checkpoint(name))[1]["step"])
            except (ValueError, KeyError) as error:
                damaged.append(str(error))
    if damaged and not steps:
        raise ValueError(f"{damaged[0]}; no whole checkpoint is left to resume from: train again with --overwrite")
    return max(steps, key=lambda name: steps[name], default=None), damaged


def _completed(config: dict[str, Any]) -> dict[str, Any]:
    """A run's configuration, with the default of each argument of augmentation that is younger than the run."""
    changes = config["training"].get("augment")
    if not isinstance(changes, dict):
        return config
    return {**config, "training": {**config["training"], "augment": dataclasses.asdict(Augmentation(**changes))}}


def compare(run: Run, config: dict[str, Any], *, whole: bool = False) -> list[str]:
    """Hold the configuration of a run against that of its continuation; returns notes on what may differ.

    The end may move where nothing depends on it: with the constant schedule, unless the model's own updates depend on
    the `whole` training (it has several phases, or follows the progress). `save_every`, `log_every` and
    `tensorboard` may change; `validate_every` may not, since it decides which checkpoint is the best. Versions,
    threads, device and ranks may differ, though the continuation is then no longer equal bit for bit.

    Raises:
        ValueError: something else differs; the text has both values.
    """
    if "training" not in run.config:
        raise ValueError(f"{run.path}: was written by pcgen.training.save, not by a training: nothing to resume")
    before, now = _flat(_completed(run.config)), _flat(config)
    movable = _LIMITS if now.get("training.schedule") == "constant" and not whole else ()
    notes, binding = [], list[str]()
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if old == new or name in movable or name in _FREE:
            continue
        if name.startswith(_BINDING):
            binding.append(name)
        elif name.startswith(_NOTED):
            notes.append(f"{name} was {old!r} and is {new!r} now: the continuation will not repeat the run bit for bit")
    if binding:
        told = "; ".join(
            f"{name.rpartition('.')[2] if name.startswith(_READ) else name.removeprefix('training.')} "
            f"was {before.get(name)!r} in {run.path} and is {now.get(name)!r} now"
            for name in _cause(before, now, binding)
        )
        raise ValueError(f"resume: {told}; give the former value, or train again in another folder")
    return notes


def _cause(before: dict[str, Any], now: dict[str, Any], binding: list[str]) -> list[str]:
    """Of the entries that differ, those that a user recognises: the model's name, then how the data was read."""
    if "model.name" in binding:
        return ["model.name"]
    if any(name.startswith("data.") for name in binding):
        names = sorted(before.keys() | now.keys())
        read = [name for name in names if name.startswith(_READ) and before.get(name) != now.get(name)]
        if read:
            return read
    return binding[:1]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
