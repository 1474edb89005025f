"""A run: the folder that a training leaves, with all that is needed to use the model and to train it further."""

import json
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pcgen import ranks
from pcgen.data.normalization import Normalization
from pcgen.errors import choose
from pcgen.files import write_whole
from pcgen.models import build
from pcgen.models.abilities import can
from pcgen.models.base import GenerativeModel, Learner, Progress
from pcgen.models.inference import encode_all, in_batches
from pcgen.seeds import isolated
from pcgen.training.history import EVENTS, read_history
from pcgen.training.identity import describe_model, versions
from pcgen.training.state import State, fill, weights, write_state

__all__ = ["Run", "load", "save", "spread_labels"]

_CONFIG, _HISTORY = "config.json", "history.jsonl"
_CHECKPOINTS = ("best", "last")


@dataclass(frozen=True)
class Run:
    """A run folder: config.json, last.safetensors, best.safetensors where there was validation, history.jsonl.

    `config` has the entries model (name and arguments), data (what the caller told of it, shape and hash), training
    (its options), seed, versions, threads, device, ranks, and notes (what differed when the training was continued).
    """

    path: Path
    config: dict[str, Any] = field(repr=False)
    _loaded: dict[tuple[str | None, str], Learner] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def open(cls, path: str | Path) -> "Run":
        """Open a run.

        Raises:
            FileNotFoundError: there is no such folder, or it is not a run; the text says what is missing.
            ValueError: its config.json is damaged.
        """
        path = Path(path)
        if path.is_file():
            raise FileNotFoundError(f"{path}: is a file, not a run folder; give the --out folder of a training")
        if not path.is_dir():
            raise FileNotFoundError(f"{path}: no such run folder; `pcgen train MODEL --out {path}` makes one")
        if not (path / _CONFIG).is_file():
            raise FileNotFoundError(f"{path}: not a run folder: has no {_CONFIG}; give the --out folder of a training")
        try:
            config = json.loads((path / _CONFIG).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path / _CONFIG}: damaged ({error})") from error
        if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
            raise ValueError(f"{path / _CONFIG}: not a run's: it has no entry `model`")
        return cls(path, config)

    @classmethod
    def create(cls, path: str | Path, config: dict[str, Any], overwrite: bool = False) -> "Run":
        """Make the folder and write its config; with `overwrite`, the files of a run that is there are deleted first.

        Raises:
            FileExistsError: there is something already, and it is not a run or `overwrite` is False.
        """
        run = cls(Path(path), config)
        json.dumps(config)  # What JSON cannot hold is told before anything is deleted.
        if run.path.exists() and not run.path.is_dir():
            raise FileExistsError(f"{path}: is a file; choose another --out")
        if run.path.is_dir() and any(run.path.iterdir()):
            if not (run.path / _CONFIG).is_file():
                raise FileExistsError(f"{path}: exists and is not a run folder; choose another --out")
            if not overwrite:
                raise FileExistsError(
                    f"{path}: has a run already; choose another --out, or --overwrite or --resume auto"
                )
            run._delete()
        try:
            run.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"{path}: could not be made ({error.strerror or error}); choose another --out") from error
        run.write_config()
        return run

    @classmethod
    @contextmanager
    def begin(cls, path: str | Path, config: dict[str, Any], overwrite: bool = False) -> Iterator["Run"]:
        """Create a run, and delete it again if the `with` block fails before it has saved anything there."""
        stood = Path(path).exists()
        run = cls.create(path, config, overwrite)
        try:
            yield run
        except BaseException:
            if not run._batches() and not any(run.checkpoint(name).exists() for name in _CHECKPOINTS):
                with suppress(OSError):  # What failed is what must be told.
                    run._delete()
                    if not stood and not any(run.path.iterdir()):
                        run.path.rmdir()
            raise

    def _delete(self) -> None:
        shutil.rmtree(self.path / EVENTS, ignore_errors=True)
        written = [f"{name}.safetensors" for name in _CHECKPOINTS] + [_HISTORY, *self._batches()]
        # The config goes last: a folder without it is no run, and would not be overwritten again.
        for name in [*written, _CONFIG]:
            (self.path / name).unlink(missing_ok=True)

    def write_config(self) -> None:
        """Write config.json, whole or not at all."""
        write_whole(self.path / _CONFIG, (json.dumps(self.config, indent=2) + "\n").encode())

    def checkpoint(self, name: str) -> Path:
        """The place of the checkpoint "best" or "last"."""
        return self.path / f"{choose(name, _CHECKPOINTS, 'checkpoint')}.safetensors"

    @property
    def history_path(self) -> Path:
        """The place of the history."""
        return self.path / _HISTORY

    @property
    def history(self) -> list[dict[str, Any]]:
        """The history's rows, oldest first: step, epoch, seconds, losses, rates, and validation where it was taken."""
        return read_history(self.history_path)

    @property
    def normalization(self) -> Normalization:
        """The normalisation of the training data; none for a run that was written without one."""
        found = self.config.get("data", {}).get("normalization")
        return Normalization.from_dict(found) if found else Normalization("none")

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the training data, which labels are places in; () where there are none."""
        return tuple(self.config.get("data", {}).get("classes", ()))

    def model(
        self, checkpoint: str | None = None, *, model: Learner | None = None, device: str | torch.device = "cpu"
    ) -> Learner:
        """The trained model in evaluation mode, with averaged weights if the training averaged them.

        Args:
            checkpoint: "best" or "last"; None is the best where there is one, else the last.
            model: an instance to fill, needed for a class that is not of the suite.
            device: where the model is to live.

        Raises:
            FileNotFoundError: there is no such checkpoint.
            ValueError: the run's class cannot be built by name, or the checkpoint is damaged or does not fit the model.
        """
        if checkpoint is None:
            checkpoint = next((name for name in _CHECKPOINTS if self.checkpoint(name).is_file()), "last")
        path = self.checkpoint(checkpoint)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such checkpoint in this run; train with --resume auto to make one")
        if model is None:
            model = self._build()
        try:
            tensors = weights(path)
        except ValueError as error:
            others = [name for name in _CHECKPOINTS if name != checkpoint and self.checkpoint(name).is_file()]
            advice = [f"use --checkpoint {name}" for name in others] + ["train again"]
            raise ValueError(f"{error}; {' or '.join(advice)}") from error
        fill(model, tensors, path)
        return model.to(ranks.device(device)).eval()

    def trained(self, checkpoint: str | None = None, device: str | torch.device = "cpu") -> Any:
        """The trained model as `model` gives it, loaded once for each checkpoint and device."""
        key = (checkpoint, str(device))
        if key not in self._loaded:
            self._loaded[key] = self.model(checkpoint, device=device)
        return self._loaded[key]

    def sample(
        self,
        n: int,
        labels: Tensor | str | Sequence[str] | None = None,
        *,
        checkpoint: str | None = None,
        device: str | torch.device = "cpu",
        progress: Progress | None = None,
        **options: Any,
    ) -> Tensor:
        """Draw n new clouds in the data's own units, (n, points, 3) on the CPU, in batches of bounded memory.

        A normalisation of each cloud by itself is undone at the training clouds' mean place and size.

        Args:
            n: how many.
            labels: of a model with classes: (n,) int64; or a class, or several, which share the n evenly in that order;
                None are labels as frequent as in training.
            checkpoint, device: as in `model`.
            progress: called with how many are drawn, and of how many.
            **options: of the model's sampling.

        Raises:
            ValueError: the model does not generate, or does not know a label or an option.
        """
        model = self.trained(checkpoint, device)
        if not isinstance(model, GenerativeModel):
            raise ValueError(
                f"{self.path}: {self.config['model']['name']} does not generate; train a head on its codes: "
                f"pcgen train diffusion --codes {self.path} --out RUN"
            )
        if labels is not None and not isinstance(labels, Tensor):
            labels = spread_labels(model.classes, [labels] if isinstance(labels, str) else labels, n)
        return self.normalization.undo(model.sample(n, labels=labels, progress=progress, **options).cpu())

    def encode(self, clouds: Tensor, *, checkpoint: str | None = None, device: str | torch.device = "cpu") -> Tensor:
        """Codes (S, *code) of clouds in the data's own units, (S, N, 3)."""
        return encode_all(self._with_codes(checkpoint, device), self.normalization.apply(clouds)).cpu()

    def decode(self, codes: Tensor, *, checkpoint: str | None = None, device: str | torch.device = "cpu") -> Tensor:
        """Clouds (S, points, 3) of codes (S, *code), in the data's units, at the training clouds' place and size."""
        model = self._with_codes(checkpoint, device)
        return self.normalization.undo(in_batches(model, model.decode, codes).cpu())

    def reconstruct(
        self, clouds: Tensor, *, checkpoint: str | None = None, device: str | torch.device = "cpu"
    ) -> Tensor:
        """What decoding makes of the codes of clouds (S, N, 3), in the data's own units: (S, points, 3)."""
        return self.decode(
            self.encode(clouds, checkpoint=checkpoint, device=device), checkpoint=checkpoint, device=device
        )

    def _with_codes(self, checkpoint: str | None, device: str | torch.device) -> Any:
        model = self.trained(checkpoint, device)
        if not (can(model, "encode") and can(model, "decode")):
            name = self.config["model"].get("name")
            raise ValueError(
                f"{self.path}: a run of {name}, which has no codes; give the run folder of an autoencoder, or of a "
                "head on its codes"
            )
        return model

    def _build(self) -> Learner:
        description = self.config["model"]
        if description.get("name") is None:
            raise ValueError(
                f"{self.path}: its model {description.get('class')} cannot be built by name "
                f"({description.get('reason')}); make it yourself and give it as model="
            )
        with isolated(0):  # Initial weights are overwritten, and loading is no reason to draw numbers.
            return build(description)

    def _batches(self) -> list[str]:
        return [path.name for path in self.path.glob("batch-*.safetensors")]


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


def spread_labels(classes: Sequence[str], names: Sequence[str], n: int) -> Tensor:
    """Labels (n,) of the classes of those names, in order, as many of each (the first ones may have one more).

    Raises:
        ValueError: the model has no classes, a name is none of theirs, or n is less than the names.
    """
    if not classes:
        raise ValueError("labels: this model takes none: it was trained without classes; leave them out")
    places = [list(classes).index(choose(name, classes, "labels")) for name in names]
    if not 0 < len(places) <= n:
        raise ValueError(f"labels: must be 1 to {n} classes for {n} clouds, got {len(places)}")
    counts = [n // len(places) + (place < n % len(places)) for place in range(len(places))]
    return torch.tensor(places).repeat_interleave(torch.tensor(counts))
