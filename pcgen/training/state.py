"""Where a training stands: all that is needed to go on from it as if it had never stopped."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pcgen import ranks
from pcgen.files import pack, read_tensors, unpack, write_tensors
from pcgen.models.base import Batch, Learner
from pcgen.training.averages import Average

__all__ = ["State", "fill", "read_state", "weights", "write_state"]

_FORMAT = 3


@dataclass
class State:
    """The position of a training in its data, and what its loop has gathered so far."""

    step: int = 0
    epoch: int = 0
    order: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))  # (S,) rows of this epoch
    batch: int = 0  # batches of this epoch that lie behind
    phase: int = -1  # the place of the present phase in the recipe; -1 before the first
    entered: int = 0  # the step after which it began
    seconds: float = 0.0
    validating: float = 0.0  # seconds of this process that went into validation
    timed: bool = False  # whether the end is a time, so that `seconds` belongs to the position
    average: Average | None = None
    totals: dict[str, float] = field(default_factory=dict)  # of the losses since the history's last row
    counted: dict[str, int] = field(default_factory=dict)  # the updates that each of them is of
    best: float | None = None
    drawn: Batch | None = None  # of the last update, to be saved if it has broken the model; not in checkpoints


def _generators(device: torch.device) -> dict[str, Tensor]:
    """The states of torch's global generators, one row per rank: the CPU's, and that of this rank's CUDA device."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return {name: torch.stack(ranks.gather(state)) for name, state in states.items()}


def write_state(path: Path, model: Learner, state: State) -> None:
    """Write model, optimizers, averages, generators and position as one file; every rank calls it, rank 0 writes."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"generator.{name}": value for name, value in _generators(model.device).items()}
    tensors["order"] = state.order
    about: dict[str, Any] = {
        "format": _FORMAT,
        "step": state.step,
        "epoch": state.epoch,
        "batch": state.batch,
        "phase": state.phase,
        "entered": state.entered,
        "best": state.best,
        "totals": state.totals,
        "counted": state.counted,
        "optimizers": {
            name: pack(optimizer.state_dict(), f"optimizer.{name}", tensors)
            for name, optimizer in model.optimizers().items()
        },
    }
    if state.timed:  # Not otherwise, so that equal trainings give equal files however fast they ran.
        about["seconds"] = state.seconds
    if state.average is not None:
        tensors |= {f"average.{name}": value for name, value in state.average.values.items()}
        about["average"] = {"decay": state.average.decay, "count": state.average.count}
    if ranks.index() == 0:
        write_tensors(path, tensors, about)


def read_state(path: Path, model: Learner) -> tuple[State, list[str]]:
    """Bring model, optimizers and generators to what a checkpoint holds; returns the position, and notes.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or its tensors or optimizers are not the model's.
    """
    tensors, about = read_tensors(path)
    if about.get("format") != _FORMAT:
        raise _format_error(path, about)
    counted = about["counted"]  # a single number in older checkpoints
    own = model.optimizers()
    if set(own) != set(about["optimizers"]):
        raise ValueError(f"{path}: has the optimizers {sorted(about['optimizers'])}, and the model {sorted(own)}")
    fill(model, _part(tensors, "model"), path)
    for name, optimizer in own.items():
        optimizer.load_state_dict(unpack(about["optimizers"][name], tensors))
    state = State(
        step=about["step"],
        epoch=about["epoch"],
        order=tensors["order"],
        batch=about["batch"],
        phase=about["phase"],
        entered=about["entered"],
        seconds=about.get("seconds", 0.0),
        timed="seconds" in about,
        totals=about["totals"],
        counted=dict.fromkeys(about["totals"], counted) if isinstance(counted, int) else counted,
        best=about["best"],
    )
    if "average" in about:
        state.average = Average(model, about["average"]["decay"])
        state.average.count = about["average"]["count"]
        for name, value in _part(tensors, "average").items():
            state.average.values[name].copy_(value)
    return state, _restore_generators(_part(tensors, "generator"), model.device)


def _restore_generators(states: dict[str, Tensor], device: torch.device) -> list[str]:
    notes = []
    saved, rank = len(states["cpu"]), ranks.index()
    if saved != ranks.count():
        notes.append(f"the checkpoint was written by {saved} process(es) and is continued by {ranks.count()}")
    if rank < saved:
        # Cloned, since torch reads a state from the beginning of its storage: a later row of it crashes.
        torch.set_rng_state(states["cpu"][rank].clone())
        if device.type == "cuda" and "cuda" in states:
            torch.cuda.set_rng_state(states["cuda"][rank].clone(), device)
    else:
        torch.manual_seed(torch.initial_seed() + rank)  # Without a saved stream of its own, it must not share one.
    return notes


def _part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}


def weights(path: Path) -> dict[str, Tensor]:
    """What a model is to be used with: its weights, averaged where the training averaged them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or of another format.
    """
    tensors, about = read_tensors(path)
    if about.get("format") != _FORMAT:
        raise _format_error(path, about)
    return _part(tensors, "model") | _part(tensors, "average")


def _format_error(path: Path, about: dict[str, Any]) -> ValueError:
    return ValueError(
        f"{path}: is of format {about.get('format')}, and this pcgen reads format {_FORMAT}: use the pcgen that wrote "
        "it, or train again"
    )


def fill(model: Learner, tensors: dict[str, Tensor], path: Path) -> None:
    """Overwrite a model's parameters and buffers by tensors of the same names.

    Raises:
        ValueError: a name or a shape differs; the text says which.
    """
    own = model.state_dict()
    for name, value in own.items():
        if name not in tensors:
            raise ValueError(f"{path}: has no tensor {name}, which the model of its configuration has")
        if tensors[name].shape != value.shape:
            raise ValueError(
                f"{path}: tensor {name} is {tuple(tensors[name].shape)}, and {tuple(value.shape)} in the model of its "
                "configuration; the two do not belong together"
            )
    for name in tensors:
        if name not in own:
            raise ValueError(f"{path}: holds tensor {name}, which the model of its configuration has not")
    model.load_state_dict(tensors)
