"""A run: the folder that a training leaves, with all that is needed to use the model and to train it further."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from pcgen import ranks
from pcgen.data.normalization import Normalization
from pcgen.errors import choose
from pcgen.files import write_whole
from pcgen.models import build
from pcgen.models.base import Learner
from pcgen.seeds import isolated
from pcgen.training.history import EVENTS, read_history, used_row
from pcgen.training.state import fill, weights

__all__ = ["CODES", "RunFolder"]

CODES = "codes.safetensors"  # of the training data, once a head has been trained on them

_CONFIG, _HISTORY = "config.json", "history.jsonl"
_CHECKPOINTS = ("best", "last")


@dataclass(frozen=True)
class RunFolder:
    """A run folder: config.json, last.safetensors, best.safetensors where there was validation, history.jsonl.

    `config` has the entries model (name and arguments), data (what the caller told of it, shape and hash), validation
    (shape and hash of the held-out rows), training (its options), versions, threads, device, ranks, and notes (what
    differed when the training was continued).
    """

    path: Path
    config: dict[str, Any] = field(repr=False)

    @classmethod
    def open(cls, path: str | Path) -> Self:
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
    def create(cls, path: str | Path, config: dict[str, Any], overwrite: bool = False) -> Self:
        """Make the folder and write its config; with `overwrite`, the files of a run that is there are deleted first.

        Raises:
            FileExistsError: there is something already, and it is not a run or `overwrite` is False.
        """
        run = cls(Path(path), config)
        json.dumps(config)  # What JSON cannot hold is told before anything is deleted.
        cls.check_free(path, overwrite)
        if run.path.is_dir():
            run._delete()
        try:
            run.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"{path}: could not be made ({error.strerror or error}); choose another --out") from error
        run.write_config()
        return run

    @staticmethod
    def check_free(path: str | Path, overwrite: bool = False) -> None:
        """Refuse a place where no run can be begun.

        Raises:
            FileExistsError: there is something already, and it is not a run or `overwrite` is False.
        """
        path = Path(path)
        if path.exists() and not path.is_dir():
            raise FileExistsError(f"{path}: is a file; choose another --out")
        if path.is_dir() and any(path.iterdir()):
            if not (path / _CONFIG).is_file():
                raise FileExistsError(f"{path}: exists and is not a run folder; choose another --out")
            if not overwrite:
                raise FileExistsError(
                    f"{path}: has a run already; choose another --out, or --overwrite or --resume auto"
                )

    @classmethod
    @contextmanager
    def begin(cls, path: str | Path, config: dict[str, Any], overwrite: bool = False) -> Iterator[Self]:
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
        written = [f"{name}.safetensors" for name in _CHECKPOINTS] + [_HISTORY, CODES, *self._batches()]
        # The config goes last: a folder without it is not a run, and would not be overwritten again.
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
    def used_row(self) -> Mapping[str, Any] | None:
        """The row of the history with the validation of the checkpoint that is used; None if there was none."""
        return used_row(self.history, self.checkpoint("best").is_file())

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
        path = self._chosen(checkpoint)
        if model is None:
            model = self._build()
        fill(model, self._weights(path), path)
        return model.to(ranks.device(device)).eval()

    def size(self) -> int:
        """How many parameters and buffers `model` has, without building it; the errors are those of `model`."""
        return sum(tensor.numel() for tensor in self._weights(self._chosen(None)).values())

    def _chosen(self, checkpoint: str | None) -> Path:
        """The file of a checkpoint, by default of the best where there is one, else of the last."""
        if checkpoint is None:
            checkpoint = next((name for name in _CHECKPOINTS if self.checkpoint(name).is_file()), "last")
        path = self.checkpoint(checkpoint)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such checkpoint in this run; train with --resume auto to make one")
        return path

    def _weights(self, path: Path) -> dict[str, Tensor]:
        try:
            return weights(path)
        except ValueError as error:
            others = [name for name in _CHECKPOINTS if name != path.stem and self.checkpoint(name).is_file()]
            advice = [f"use --checkpoint {name}" for name in others] + ["train again"]
            raise ValueError(f"{error}; {' or '.join(advice)}") from error

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
