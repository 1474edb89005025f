"""What a training learns from, whole: a model, its rows, and where they came from."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pcgen.data.training_set import TrainingSet, training_set
from pcgen.models import Facts, Learner, build, make
from pcgen.training.fitting import fit
from pcgen.training.heads import Codes, head_on_codes, read_codes
from pcgen.training.loop import Step
from pcgen.training.options import Options
from pcgen.training.run import Run

__all__ = ["Job", "again", "on_clouds", "on_codes"]


@dataclass(frozen=True)
class Job:
    """A model that is to learn, and the rows that it learns from and is validated on."""

    learner: Learner
    train: Tensor  # (S, ...): clouds, or codes of them
    held_out: Tensor  # (V, ...)
    source: TrainingSet

    def fit(
        self,
        out: str | Path,
        options: Options,
        *,
        device: str | torch.device | None = None,
        resume: str | None = None,
        overwrite: bool = False,
        progress: bool | Callable[[Step], None] = False,
    ) -> Learner:
        """Train the model into the run folder `out`; the arguments are those of `pcgen.training.fit`."""
        return fit(
            self.learner,
            self.train,
            labels=self.source.labels,
            validation=self.held_out,
            validation_labels=self.source.held_out_labels,
            out=out,
            about=self.source.about,
            options=options,
            device=device,
            resume=resume,
            overwrite=overwrite,
            progress=progress,
        )


def on_clouds(model: str, source: TrainingSet, points: int, **config: Any) -> Job:
    """A new model of that name, of clouds of so many points.

    Raises:
        ValueError: there is no such model, it does not learn clouds, or an argument is out of range.
    """
    learner = make(model, Facts((points, 3), len(source.train), source.classes), **config)
    return Job(learner, source.train, source.held_out, source)


def on_codes(model: str, codes: Codes, domain: str | None = None, **config: Any) -> Job:
    """A new head of that name on the codes of an autoencoder; see `head_on_codes`.

    Raises:
        ValueError: there is no such model, it is no head, or an argument is out of range.
    """
    return Job(head_on_codes(codes, model, domain, **config), codes.train, codes.held_out, codes.source)


def again(run: str | Path) -> tuple[Job, Options]:
    """The job of a run once more, from nothing but its config.json: the model anew, the data read again; its options.

    Raises:
        FileNotFoundError: the run or its data is not there.
        ValueError: the run does not say what data it was trained on, or its model cannot be built by name.
    """
    opened = Run.open(run)
    data = opened.config.get("data", {})
    if "training_set" not in data or "training" not in opened.config:
        raise ValueError(f"{run}: the run does not say what it was trained on and how, so it cannot be trained again")
    options = Options.from_dict(opened.config["training"])
    if "codes_of" in data:
        codes = read_codes(data["codes_of"])
        described = opened.config["model"]
        head = dict(described["head"])
        return on_codes(head.pop("name"), codes, described.get("domain"), **head), options
    source = training_set(**data["training_set"])
    return Job(build(opened.config["model"]), source.train, source.held_out, source), options
