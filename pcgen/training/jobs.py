"""What a training learns from, whole: a model, its rows, and where they came from."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pcgen.data.training_set import TrainingSet
from pcgen.models import Facts, Learner, build, make
from pcgen.training.fitting import fit
from pcgen.training.heads import Codes, data_again, head_on_codes, read_codes
from pcgen.training.identity import data_identity
from pcgen.training.loop import Step
from pcgen.training.options import Options, options_of
from pcgen.training.run import Run

__all__ = ["Job", "again", "on_clouds", "on_codes"]

_ENDS = ("epochs", "steps", "minutes")


@dataclass(frozen=True)
class Job:
    """A model that is to learn, and the rows that it learns from and is validated on.

    Raises:
        ValueError: the model has classes, and they are not those that the data's labels are places in.
    """

    learner: Learner
    train: Tensor  # (S, ...): clouds, or codes of them
    held_out: Tensor  # (V, ...)
    source: TrainingSet
    labels: Tensor | None = None  # (S,) int64, of `train`

    def __post_init__(self) -> None:
        own, known = tuple(self.learner.classes), tuple(self.source.classes)
        if own and own != known:
            raise ValueError(
                f"classes: must be {', '.join(known) or 'none'}, those of {self.source.spec} in their order, got "
                f"{', '.join(own)}; leave them out"
            )

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
            labels=self.labels,
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
        ValueError: there is no such model, it does not learn clouds, an argument is out of range, or `classes` are not
            those of the clouds.
    """
    learner = make(model, Facts((points, 3), len(source.train), source.classes), **config)
    return Job(learner, source.train, source.held_out, source, source.labels)


def on_codes(model: str, codes: Codes, domain: str | None = None, **config: Any) -> Job:
    """A new head of that name on the codes of an autoencoder; see `head_on_codes`.

    Raises:
        ValueError: there is no such model, it is not a head, an argument is out of range, or `classes` are not those
            of the clouds.
    """
    learner = head_on_codes(codes, model, domain, **config)
    return Job(learner, codes.rows, codes.held_out, codes.source, codes.labels)


def again(
    run: str | Path, *, data: str | None = None, codes: str | Path | None = None, device: str = "cpu", **changed: Any
) -> tuple[Job, Options]:
    """The job of a run again, from its config.json alone: a new model, the data read again, and the run's options.

    The initial weights are drawn with the options' seed, as in `pcgen train`: with the same machine, torch and number
    of threads, the training is repeated bit for bit.

    Args:
        run: the folder of a training of `pcgen train`.
        data: SOURCE[:CLASS][@SPLIT] where its clouds are now, if they have been moved.
        codes: the run folder of the autoencoder of a head, if that has been moved.
        device: where codes are made of clouds.
        **changed: options that replace the run's, by name.

    Raises:
        FileNotFoundError: the run or its data is not there.
        ValueError: the run does not say what data it was trained on, its data is another one now, or its model cannot
            be built by name.
    """
    opened = Run.open(run)
    about = opened.config.get("data", {})
    if "training_set" not in about or "training" not in opened.config:
        raise ValueError(f"{run}: the run does not say what it was trained on and how, so it cannot be trained again")
    options = Options.from_dict(opened.config["training"])
    if any(name in changed for name in _ENDS):  # A new end takes the place of the old one.
        changed = {**dict.fromkeys(_ENDS), **changed}
    options = options_of(options, changed)
    if codes is not None and "codes_of" not in about:
        raise ValueError(f"codes: {run} was trained on clouds, not on codes of an autoencoder; leave it out")
    if "codes_of" in about:
        codes_of = about["codes_of"] if codes is None else codes
        if not Path(codes_of).exists():
            raise FileNotFoundError(
                f"{codes_of}: no such run folder; it is the autoencoder of {run}: where it has been moved, say so with "
                "--codes RUN (codes=)"
            )
        coded = read_codes(codes_of, data=data or about["training_set"]["spec"], device=device)
        described = opened.config["model"]
        head = dict(described["head"])
        _seed(options)
        job = on_codes(head.pop("name"), coded, described.get("domain"), **head)
        if data_identity(job.train, job.labels)["sha256"] != about["sha256"]:
            warnings.warn(
                f"{codes_of}: the codes differ from those that {run} was trained on: the autoencoder was "
                "trained again, or encodes on another machine; the run will not be repeated bit for bit",
                stacklevel=2,
            )
        return job, options
    source = data_again(opened, data)
    _seed(options)
    return Job(build(opened.config["model"]), source.train, source.held_out, source, source.labels), options


def _seed(options: Options) -> None:
    if options.seed is not None:
        torch.manual_seed(options.seed)
