"""Classification of a labelled set: an SVM on codes, the floors beneath it, and supervised references, in one table."""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pcgen import data, training
from pcgen.data import Clouds, Normalization
from pcgen.data.training_set import thin
from pcgen.metrics.accuracy import Accuracy, accuracy
from pcgen.metrics.svm import linear_svm
from pcgen.models import Learner, build
from pcgen.models.base import Latent
from pcgen.models.classifiers.base import Classifier, in_batches
from pcgen.models.clouds.latent import encode_all
from pcgen.training.files import write_whole
from pcgen.training.run import data_identity

__all__ = [
    "REFERENCES",
    "Row",
    "Sets",
    "check_points",
    "kept",
    "labelled",
    "majority",
    "on_codes",
    "supervised",
    "table",
    "write",
]

REFERENCES: Mapping[str, Mapping[str, Any]] = {
    "pointnet": {"name": "pointnet_classifier"},
    "pointnet_tnets": {"name": "pointnet_classifier", "tnets": True},
    "pointnet2": {"name": "pointnet2_classifier"},
}
"""The supervised references: PointNet without and with T-Nets, PointNet++; descriptions for `pcgen.models.build`."""

_TABLE = "classification"


@dataclass(frozen=True)
class Row:
    """One classifier of the table.

    Attributes:
        name: unique in its table.
        what: in words.
        accuracy: share of the test clouds classified rightly.
        class_accuracy: mean over the classes of the share within each.
        interval: of `accuracy` over other draws of test clouds, 95%.
        points: points of each cloud that it saw; 0 for one that sees none.
        seconds: that it took to train, encoding included.
        details: what it was made with.
    """

    name: str
    what: str
    accuracy: float
    class_accuracy: float
    interval: tuple[float, float]
    points: int = 0
    seconds: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Sets:
    """The labelled clouds to learn from, and those to be tested on, of one source."""

    train: Clouds
    test: Clouds
    labels: Tensor  # (S,), of train
    test_labels: Tensor  # (R,)

    @property
    def about(self) -> dict[str, Any]:
        """What a table's rows must have in common, as JSON values."""
        return {
            "train": {"clouds": len(self.train), **data_identity(self.train.points, self.labels)},
            "test": {"clouds": len(self.test), **data_identity(self.test.points, self.test_labels)},
            "classes": list(self.train.classes),
        }


def labelled(spec: str, **options: Any) -> Sets:
    """Read a labelled set: @train is learned, @test is tested on, and @val is left alone.

    Args:
        spec: SOURCE[:CLASS,CLASS].
        options: of `pcgen.data.load`.

    Raises:
        ValueError: the clouds have no labels, fewer than two classes, no @test, or a class has fewer than two clouds in
            @train; or what `load` raises.
    """
    clouds = data.load(spec, **options)
    present = _labels(clouds, spec).unique().tolist()
    train, test = clouds.split("train"), clouds.split("test")
    sets = Sets(train, test, _labels(train, spec), _labels(test, spec))
    names = [clouds.classes[label] for label in present]
    if len(names) < 2:
        raise ValueError(
            f"{spec}: has one class, {names[0]}, and classification needs two; name more, or the whole set"
        )
    counts = Counter(clouds.classes[label] for label in sets.labels.tolist())
    few = [name for name in names if counts[name] < 2]
    if few:
        named = ", ".join(f"{name} ({counts[name]})" for name in few)
        rest = ",".join(name for name in names if name not in few)
        raise ValueError(
            f"{spec}: every class must have two clouds in @train, for cross-validation; too few has {named}; give "
            f"more, or name the others: SOURCE:{rest}"
        )
    return sets


def check_points(sets: Sets, points: int, argument: str) -> None:
    """Hold a number of points against those of the clouds.

    Raises:
        ValueError: the clouds have fewer; the text names the argument.
    """
    stored = sets.train.points.shape[1]
    if stored < points:
        raise ValueError(
            f"{argument}: must be at most {stored}, which the clouds of {sets.train.source} have, got {points}"
        )


def majority(sets: Sets) -> Row:
    """The floor that needs no cloud: always the largest class of the training set."""
    label = int(torch.bincount(sets.labels).argmax())
    reached = accuracy(torch.full_like(sets.test_labels, label), sets.test_labels)
    return _row("majority", f"always {sets.train.classes[label]}", reached)


def on_codes(
    run: str | Path, sets: Sets, *, losses: Sequence[str] = ("squared_hinge",), device: str = "cpu", seed: int = 0
) -> list[Row]:
    """A linear SVM on the codes of a run's autoencoder, and on those of the same encoder before any training.

    Both encode every cloud once, by as many of its points as the autoencoder has, normalised as in its training.

    Args:
        run: the run folder of an autoencoder; it may have learned other shapes, without labels.
        sets: the labelled clouds, in the unit of the autoencoder's data.
        losses: as in `pcgen.metrics.linear_svm`.
        device: where to encode.
        seed: of the points that are drawn, the untrained weights and the SVM's folds.

    Raises:
        ValueError: the run's model has no codes, or the clouds have fewer points than the autoencoder.
    """
    opened = training.Run.open(run)
    trained = opened.model(device=device)
    if not isinstance(trained, Latent):
        name = opened.config["model"].get("name")
        raise ValueError(f"{run}: a run of {name}, which has no codes of clouds; give the run folder of an autoencoder")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        untrained = build(opened.config["model"]).to(trained.device)
    learned = opened.config["data"].get("training_set", {}).get("spec")
    return [
        _svm(f"svm[{run}]", f"linear SVM on codes of {run}", trained, opened, sets, losses, seed, {"learned": learned}),
        _svm(f"svm_untrained[{run}]", f"the same, {run} untrained", untrained, opened, sets, losses, seed, {}),
    ]


def supervised(
    name: str,
    sets: Sets,
    out: str | Path,
    *,
    points: int = 1024,
    rotate: float = 180.0,
    jitter: float = 0.02,
    device: str = "cpu",
    seed: int = 0,
    **options: Any,
) -> Row:
    """Train one of `REFERENCES` on the labels, or go on with its training, and test it.

    Clouds are put into the unit sphere, subsampled afresh at each draw, turned about the up axis and shaken; the rate
    falls to zero along a cosine. The weights of the last step are tested: no test cloud chooses anything.

    Args:
        name: of `REFERENCES`.
        sets: the labelled clouds.
        out: the run folder.
        points: points per cloud, in training and test.
        rotate: degrees, the largest turn.
        jitter: standard deviation of each coordinate's noise, in the unit sphere.
        device: where to train.
        seed: of the training and of the points that are drawn for the test.
        options: of `pcgen.training.fit`: steps, epochs, minutes, resume, ...

    Raises:
        ValueError: the clouds have fewer points, or what `fit` raises.
    """
    check_points(sets, points, "--points")
    torch.manual_seed(seed)
    model = build({**REFERENCES[name], "shape": (points, 3), "classes": sets.train.classes})
    sphere = Normalization("unit_sphere")
    training.fit(
        model,
        sphere.apply(sets.train.points),
        labels=sets.labels,
        out=out,
        about={"classes": list(sets.train.classes), "rotate": rotate, "jitter": jitter},
        augment=data.Augmentation(rotation=rotate, jitter=jitter) if rotate or jitter else None,
        schedule="cosine",
        device=device,
        seed=seed,
        **options,
    )
    trained = training.load(out, device=device)
    if not isinstance(trained, Classifier):
        raise ValueError(f"{out}: a run of {type(trained).__name__}, which classifies nothing; choose another --out")
    last = training.Run.open(out).history[-1]
    reached = accuracy(in_batches(trained, trained.predict, thin(sets.test.points, points, seed)), sets.test_labels)
    details = {"steps": last["step"], "epochs": last["epoch"] + 1, "rotate": rotate, "jitter": jitter}
    return _row(name, f"{_NAMES[name]}, {last['step']} steps", reached, points, float(last["seconds"]), details)


_NAMES = {"pointnet": "PointNet", "pointnet_tnets": "PointNet with T-Nets", "pointnet2": "PointNet++"}


def kept(out: str | Path, about: Mapping[str, Any]) -> list[Row]:
    """The rows of a table that is in `out` already.

    Raises:
        ValueError: they were made otherwise; the message names both sides.
        FileExistsError: the folder has something else in it than a table and its classifiers.
    """
    out = Path(out)
    path = out / f"{_TABLE}.json"
    if not path.is_file():
        others = [each.name for each in out.iterdir() if each.name not in REFERENCES] if out.is_dir() else []
        if others:
            raise FileExistsError(f"{out}: has {others[0]} in it and is no classification; choose another --out")
        return []
    before = json.loads(path.read_text(encoding="utf-8"))
    for name, value in about.items():
        if before.get(name) != value:
            raise ValueError(
                f"{out}: its {name} is {_short(before.get(name))}, asked for is {_short(value)}; choose another --out"
            )
    return [Row(**{**row, "interval": tuple(row["interval"])}) for row in before["rows"]]


def write(rows: Sequence[Row], out: str | Path, about: Mapping[str, Any]) -> Path:
    """Write classification.json and classification.md into `out`; returns the second."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**about, "rows": [asdict(row) for row in rows]}, indent=2)
    write_whole(out / f"{_TABLE}.json", (text + "\n").encode())
    path = out / f"{_TABLE}.md"
    write_whole(path, (table(rows, about) + "\n").encode())
    return path


def table(rows: Sequence[Row], about: Mapping[str, Any]) -> str:
    """The rows in Markdown, accuracies in percent."""
    lines = [
        "| classifier | accuracy % | 95% | mean class accuracy % | points | time |",
        "|---|---:|---|---:|---:|---:|",
    ]
    for row in rows:
        low, high = (100 * bound for bound in row.interval)
        cells = [row.what, f"{100 * row.accuracy:.1f}", f"{low:.1f} to {high:.1f}", f"{100 * row.class_accuracy:.1f}"]
        cells += [str(row.points or ""), f"{row.seconds:.0f} s" if row.seconds else ""]
        lines.append(f"| {' | '.join(cells)} |")
    sizes = f"{about['train']['clouds']} clouds learned, {about['test']['clouds']} tested"
    note = f"{about['data']}: {sizes}, {len(about['classes'])} classes, seed {about['seed']}."
    return "\n".join([*lines, "", note])


def _labels(clouds: Clouds, spec: str) -> Tensor:
    if clouds.labels is None:
        raise ValueError(
            f"{spec}: its clouds have no labels, and classification needs them; give an npz with `labels`, or a folder "
            "with a folder for each class"
        )
    return clouds.labels


def _svm(
    name: str,
    what: str,
    encoder: Learner,
    run: training.Run,
    sets: Sets,
    losses: Sequence[str],
    seed: int,
    details: Mapping[str, Any],
) -> Row:
    began = time.perf_counter()
    points = int(encoder.shape[0])  # type: ignore[index]
    check_points(sets, points, f"{run.path}: points")
    place = Normalization.from_dict(run.normalization) if run.normalization else Normalization("none")
    codes, test_codes = (
        encode_all(encoder, place.apply(thin(clouds.points, points, seed))).cpu() for clouds in (sets.train, sets.test)
    )
    found = linear_svm(codes, sets.labels, test_codes, sets.test_labels, losses=losses, seed=seed)
    details = {
        **details,
        "width": codes.shape[1],
        "penalty": found.penalty,
        "loss": found.loss,
        "validation": found.validation,
    }
    seconds = round(time.perf_counter() - began, 1)
    return Row(name, what, found.accuracy, found.class_accuracy, found.interval, points, seconds, details)


def _row(
    name: str,
    what: str,
    reached: Accuracy,
    points: int = 0,
    seconds: float = 0.0,
    details: Mapping[str, Any] | None = None,
) -> Row:
    return Row(name, what, reached.overall, reached.by_class, reached.interval, points, seconds, details or {})


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
