"""Trainings of some minutes, each done once."""

import dataclasses
from pathlib import Path
from typing import Any

from pcgen import training
from pcgen.training import Options

__all__ = ["fit_once"]


def fit_once(job: training.Job, folder: Path, minutes: float, **settings: Any) -> training.Run:
    """Train for so many minutes, go on with what was stopped, or take what is trained already.

    Args:
        job: what is to be trained; what has no optimizer is fitted by its own steps.
        folder: of the run.
        minutes: of training.
        **settings: other options by name.

    Raises:
        ValueError: the folder has a run of another model, of other data or of other options.
    """
    options = Options(seed=0, **settings)
    if job.learner.optimizers():
        options = dataclasses.replace(options, minutes=minutes)
    job.fit(folder, options, resume="auto", progress=True)
    return training.Run.open(folder)
