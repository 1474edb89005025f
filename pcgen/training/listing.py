"""The runs in folders: model, data, progress, quality and size of each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pcgen.training.folder import RunFolder
from pcgen.training.history import used_row
from pcgen.training.limits import Limit
from pcgen.training.options import Options, batches

__all__ = ["RunSummary", "differences", "find_runs", "flat", "model_name", "summarise"]


@dataclass(frozen=True)
class RunSummary:
    """One run, read from its files without loading the model.

    Attributes:
        path: its folder.
        model: the name of its model; for a head on codes, the head's.
        data: the training data, by the name used then; empty if the run does not record it.
        steps: number of steps so far.
        seconds: of training.
        share: of the training that is done, from 0 to 1; None if its end is not known.
        losses: the last ones.
        validation: on held-out rows, of the checkpoint that is used; None if there was none.
        best: the step of that validation.
        bytes: of the whole folder.
    """

    path: Path
    model: str
    data: str
    steps: int
    seconds: float
    share: float | None
    losses: Mapping[str, float]
    validation: float | None
    best: int | None
    bytes: int


def find_runs(folder: str | Path) -> Iterator[Path]:
    """The run folders at or below a folder, in the order of their paths.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; give one that trainings wrote into (--out)")
    for config in sorted(folder.rglob("config.json")):
        yield config.parent


def summarise(path: str | Path) -> RunSummary:
    """What a run's files tell of it.

    Raises:
        FileNotFoundError: it is not a run.
        ValueError: its config.json or its history is damaged.
    """
    run = RunFolder.open(path)
    history = run.history
    last: dict[str, Any] = history[-1] if history else {}
    used = used_row(history, run.checkpoint("best").is_file())
    losses = {name: value for name, value in last.get("losses", {}).items() if value is not None}
    return RunSummary(
        path=run.path,
        model=model_name(run.config),
        data=str(run.config.get("data", {}).get("training_set", {}).get("spec", "")),
        steps=int(last.get("step", 0)),
        seconds=float(last.get("seconds", 0.0)),
        share=_share(run.config, last),
        losses=losses,
        validation=None if used is None else float(used["validation"]),
        best=None if used is None else int(used["step"]),
        bytes=sum(file.stat().st_size for file in run.path.rglob("*") if file.is_file()),
    )


def differences(first: str | Path, second: str | Path) -> dict[str, tuple[Any, Any]]:
    """Where the configurations of two runs differ: each option by its dotted name, of the first and of the second.

    An option that one of them does not have is None there. Versions and threads are options too; the hash of the data
    is among them where both were trained on different clouds.
    """
    a, b = (flat(RunFolder.open(path).config) for path in (first, second))
    return {name: (a.get(name), b.get(name)) for name in {**a, **b} if a.get(name) != b.get(name)}


def model_name(config: Mapping[str, Any]) -> str:
    """The name of a run's model; of a head on codes, the head's."""
    model = config["model"]
    head = model.get("head")
    return str((head if isinstance(head, Mapping) else model).get("name") or model.get("class"))


def _share(config: Mapping[str, Any], last: Mapping[str, Any]) -> float | None:
    """How much of its steps, epochs or minutes a training has done."""
    training, shape = config.get("training", {}), config.get("data", {}).get("shape")
    ends = {name: training[name] for name in ("epochs", "steps", "minutes") if training.get(name)}
    if not ends or ("epochs" in ends and not shape):
        return None
    per_epoch = batches(shape[0], training["batch_size"]) if shape else 1
    fraction = Limit.of(Options(**ends), per_epoch).fraction(int(last.get("step", 0)), float(last.get("seconds", 0)))
    return min(1.0, fraction)


def flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Nested options by their dotted names, each after `before`."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found
