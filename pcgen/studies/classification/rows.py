"""The rows of the table of a classification: baselines, an SVM on codes, supervised references."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pcgen import data, training
from pcgen.data import Clouds, Normalization
from pcgen.data.thinning import thin
from pcgen.metrics.accuracy import Accuracy, accuracy
from pcgen.metrics.svm import linear_svm
from pcgen.models import Learner, build
from pcgen.models.classifiers.base import Classifier
from pcgen.models.inference import encode_all, in_batches
from pcgen.seeds import isolated
from pcgen.studies.classification.sets import Sets, check_points
from pcgen.studies.classification.table import Row
from pcgen.training import Options

__all__ = ["REFERENCES", "encoder", "majority", "on_codes", "supervised", "usable"]

REFERENCES: Mapping[str, Mapping[str, Any]] = {
    "pointnet": {"name": "pointnet_classifier", "tnets": False},
    "pointnet_tnets": {"name": "pointnet_classifier", "tnets": True},
    "pointnet2": {"name": "pointnet2_classifier"},
    "pointnet2_mrg": {"name": "pointnet2_classifier", "grouping": "multi_resolution"},
    "pointnet2_normals": {"name": "pointnet2_classifier"},
}
"""The supervised references: PointNet without and with T-Nets; PointNet++ with single-scale grouping, with
multi-resolution grouping, and with normals as features. Descriptions for `pcgen.models.build`."""

_WITH_NORMALS = "pointnet2_normals"

_DEFAULT = Options()
_NAMES = {
    "pointnet": "PointNet",
    "pointnet_tnets": "PointNet with T-Nets",
    "pointnet2": "PointNet++",
    "pointnet2_mrg": "PointNet++, multi-resolution",
    _WITH_NORMALS: "PointNet++ with normals",
}


def majority(sets: Sets) -> Row:
    """The floor that needs no cloud: always the largest class of the training set."""
    label = int(torch.bincount(sets.labels).argmax())
    reached = accuracy(torch.full_like(sets.test_labels, label), sets.test_labels)
    return _row("majority", f"always {sets.train.classes[label]}", sets, reached)


def encoder(run: str | Path, device: str = "cpu") -> Any:
    """The trained model of a run, which has codes of clouds.

    Raises:
        FileNotFoundError: there is no such run, or it has no checkpoint.
        ValueError: its model has no codes, or codes of vectors alone, or the checkpoint is damaged.
    """
    opened = training.Run.open(run)
    trained = opened.model(device=device)
    if getattr(trained, "code_shape", None) is None or len(trained.shape) != 2:
        name = opened.config["model"].get("name")
        raise ValueError(f"{run}: a run of {name}, which has no codes of clouds; give the run folder of an autoencoder")
    return trained


def on_codes(
    run: str | Path, sets: Sets, *, losses: Sequence[str] = ("squared_hinge",), device: str = "cpu", seed: int = 0
) -> list[Row]:
    """A linear SVM on the codes of a run's encoder, and on those of the same encoder before any training.

    An encoder with batch norm gives a third row: untrained, but for the norms' statistics, which are those of the
    training clouds. The difference to this row is what the weights have learned.

    All encode every cloud once, by as many of its points as the model has, normalised as in its training.

    Args:
        run: the run folder of an autoencoder, or of another model with codes of clouds; it may have learned other
            shapes, without labels.
        sets: the labelled clouds, in the unit of the autoencoder's data.
        losses: as in `pcgen.metrics.linear_svm`.
        device: where to encode.
        seed: of the points that are drawn, the untrained weights and the SVM's folds.

    Raises:
        ValueError: as `encoder`, or the clouds have fewer points than the autoencoder.
    """
    opened, trained = training.Run.open(run), encoder(run, device)
    with isolated(seed):
        untrained = build(opened.config["model"]).to(trained.device)
    learned = opened.config["data"].get("training_set", {}).get("spec")
    settings = (opened, sets, losses, seed)
    floor = f"floor of {run}: its encoder untrained"
    rows = [
        _svm(f"svm[{run}]", f"linear SVM on codes of {run}", trained, *settings, {"learned": learned}),
        _svm(f"svm_untrained[{run}]", floor, untrained, *settings, {}),
    ]
    if _fit_norms(untrained, thin(opened.normalization.apply(sets.train), int(untrained.shape[0]), seed)):
        rows.append(_svm(f"svm_norms[{run}]", f"{floor}, norms fitted", untrained, *settings, {}))
    return rows


@torch.no_grad()
def _fit_norms(model: Any, clouds: Tensor, batch_size: int = 64) -> bool:
    """Give the batch norms of an encoder the mean statistics of batches of clouds (S, N, 3); False if it has none."""
    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm1d)]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = None  # a mean over all batches, not a moving one
    count = max(1, len(clouds) // batch_size) if norms else 0
    for start in range(count):
        model.encode(clouds[start::count].to(model.device))  # spread over the set: it may be sorted by class
    model.eval()
    return bool(norms)


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
    config: Mapping[str, Any] | None = None,
    options: Options = _DEFAULT,
    resume: str | None = None,
    progress: bool = False,
) -> Row:
    """Train one of `REFERENCES` on the labels, or go on with its training, and test it.

    Clouds are normalised to the unit sphere, subsampled anew each time, rotated about the up axis and jittered; the
    rate falls to zero along a cosine. The weights of the last step are tested: no test cloud chooses anything. The
    reference with normals sees those of the data as well, in training and test.

    Args:
        name: of `REFERENCES`.
        sets: the labelled clouds.
        out: the run folder.
        points: points per cloud, in training and test.
        rotate: degrees, the largest turn.
        jitter: standard deviation of each coordinate's noise, in the unit sphere.
        device: where to train.
        seed: of the training and of the points that are drawn for the test.
        config: arguments of the classifier other than its own defaults: {"dropout": 0.5}.
        options: of the training; its schedule is a cosine where they say none.
        resume, progress: as in `pcgen.training.fit`.

    Raises:
        ValueError: the clouds have fewer points, or no normals where the reference sees them; or what `fit` raises.
    """
    check_points(sets, points, "--points")
    train, test = (_seen(name, clouds) for clouds in (sets.train, sets.test))
    torch.manual_seed(seed)
    shape = (points, train.shape[2])
    model = build({**REFERENCES[name], **(config or {}), "shape": shape, "classes": sets.train.classes})
    options = dataclasses.replace(options, seed=seed, schedule=options.schedule or "cosine")
    if options.augment is None and (rotate or jitter):
        options = dataclasses.replace(options, augment=data.Augmentation(rotation=rotate, jitter=jitter))
    training.fit(
        model,
        train,
        labels=sets.labels,
        out=out,
        about={"classes": list(sets.train.classes), "rotate": rotate, "jitter": jitter},
        options=options,
        device=device,
        resume=resume,
        progress=progress,
    )
    trained = training.Run.open(out).model(device=device)
    if not isinstance(trained, Classifier):
        raise ValueError(f"{out}: a run of {type(trained).__name__}, which classifies nothing; choose another --out")
    last = training.Run.open(out).history[-1]
    reached = accuracy(in_batches(trained, trained.predict, thin(test, points, seed)), sets.test_labels)
    details = {"steps": last["step"], "epochs": last["epoch"] + 1, "rotate": rotate, "jitter": jitter}
    return _row(name, f"{_NAMES[name]}, {last['step']} steps", sets, reached, points, float(last["seconds"]), details)


def usable(sets: Sets) -> list[str]:
    """The names of `REFERENCES` that can learn these clouds: without normals, all but one."""
    return [name for name in REFERENCES if name != _WITH_NORMALS or sets.train.normals is not None]


def _seen(name: str, clouds: Clouds) -> Tensor:
    """What a reference sees of clouds: (S, N, 3) in the unit sphere, or (S, N, 6) with their normals."""
    points = Normalization("unit_sphere").apply(clouds)
    if name != _WITH_NORMALS:
        return points
    if clouds.normals is None:
        raise ValueError(
            f"{name}: sees normals, and the clouds of {clouds.source} have none; leave it out, or give meshes or "
            "clouds with normals"
        )
    return torch.cat((points, clouds.normals), 2)


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
    points = int(encoder.shape[0])
    check_points(sets, points, f"{run.path}: points")
    codes, test_codes = (  # of sets, the tokens one after another
        encode_all(encoder, thin(run.normalization.apply(clouds), points, seed)).cpu().flatten(1)
        for clouds in (sets.train, sets.test)
    )
    found = linear_svm(codes, sets.labels, test_codes, sets.test_labels, losses=losses, seed=seed)
    chosen = {"penalty": found.penalty, "loss": found.loss, "validation": found.validation}
    seconds = round(time.perf_counter() - began, 1)
    return _row(name, what, sets, found.test, points, seconds, {**details, "width": codes.shape[1], **chosen})


def _row(
    name: str,
    what: str,
    sets: Sets,
    reached: Accuracy,
    points: int = 0,
    seconds: float = 0.0,
    details: Mapping[str, Any] | None = None,
) -> Row:
    classes = {sets.train.classes[label]: share for label, share in reached.shares.items()}
    scores = (reached.overall, reached.by_class, reached.interval)
    right = "".join(str(int(each)) for each in reached.right)
    return Row(name, what, *scores, points, seconds, details or {}, classes, right)
