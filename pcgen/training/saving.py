"""Bare models, in the units that they learned in, to and from run folders."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pcgen.models.base import Learner
from pcgen.training.identity import describe_model, versions
from pcgen.training.run import Run
from pcgen.training.state import State, write_state

__all__ = ["load", "save"]


def save(model: Learner, run: str | Path, *, data: Mapping[str, Any] | None = None, overwrite: bool = False) -> Run:
    """Write a model that is trained, or made, in Python as a run, which `load` and the command line can use.

    Args:
        model: its weights, and its optimizers' states.
        run: the folder to make.
        data: what is known of its data: spec, split, normalization, ...
        overwrite: replace a run that is there.

    Raises:
        FileExistsError: the folder has something already.
        OSError: it could not be written.
    """
    config = {"model": describe_model(model), "data": dict(data or {}), "versions": versions()}
    made = Run.create(run, config, overwrite)
    write_state(made.checkpoint("last"), model, State())
    return made


def load(
    run: str | Path,
    checkpoint: str | None = None,
    *,
    model: Learner | None = None,
    device: str | torch.device = "cpu",
) -> Learner:
    """The bare model of a run folder, in the units that it was trained in; see `Run.model`.

    A run whose data was normalised is used through `Run.open(run)`, whose `sample`, `encode` and `decode` are in the
    data's own units; a warning says so.

    Raises:
        FileNotFoundError: the folder is no run, or has no such checkpoint.
        ValueError: the run's class cannot be built by name, or the checkpoint is damaged or does not fit the model.
    """
    opened = Run.open(run)
    if opened.normalization.name != "none":
        warnings.warn(
            f"{run}: this model's clouds are normalised ({opened.normalization.name}); "
            "pcgen.training.Run.open(run).sample(n) gives them in the data's own units",
            stacklevel=2,
        )
    return opened.model(checkpoint, model=model, device=device)
