"""Trainings of some minutes, each done once."""

import dataclasses
from pathlib import Path

from pcgen import training
from pcgen.training import Options

__all__ = ["fit_once"]


def fit_once(job: training.Job, folder: Path, minutes: float) -> training.Run:
    """Train for so many minutes, go on with what was stopped, or take what is trained already."""
    if (folder / "last.safetensors").is_file() and training.Run.open(folder).history[-1]["seconds"] > 59 * minutes:
        return training.Run.open(folder)
    options = Options(seed=0)
    if job.learner.optimizers():  # what has none is fitted by its own steps
        options = dataclasses.replace(options, minutes=minutes)
    job.fit(folder, options, resume="auto", progress=True)
    return training.Run.open(folder)
