"""From a spec to what a model learns from: training rows, held-out rows, and the normalisation between both units."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from pcgen.data.loading import load
from pcgen.data.normalization import Normalization
from pcgen.data.source import GIB
from pcgen.data.spec import absolute, parse
from pcgen.data.splits import DRAWN, holdout
from pcgen.data.thinning import thin

__all__ = ["TrainingSet", "training_set"]

# A mesh or a built-in shape has no points of its own: this many times the points of a training cloud are drawn from its
# surface once, so that every epoch sees other points of it.
_SURFACE_SHARE = 4


@dataclass(frozen=True)
class TrainingSet:
    """Clouds to learn from, normalised, and what must be remembered to read them again and to undo it."""

    train: Tensor  # (S, M, 3), M >= points: models subsample afresh
    held_out: Tensor  # (V, points, 3)
    labels: Tensor | None  # (S,) int64, of train
    held_out_labels: Tensor | None  # (V,) int64
    classes: tuple[str, ...]
    normalization: Normalization
    spec: str  # as it was given, for messages
    about: dict[str, Any]  # JSON: `training_set(**about["training_set"])` reads the same again, from any folder
    notes: tuple[str, ...]  # what was decided and the user should read


def training_set(
    spec: str,
    *,
    points: int = 2048,
    normalize: str = "none",
    up: str = "y",
    drop_bad: bool = False,
    max_bytes: int = 4 * GIB,
    seed: int = 0,
) -> TrainingSet:
    """Read clouds to learn from, hold some out for validation, and normalise both alike; @test is never used.

    Learned are the rows of @train, held out those of @val, or a few of @train where there are none (`holdout`); a spec
    that names a split narrows both.

    The normalisation is fitted to the training rows alone. Clouds keep all their points, at least `points`; the
    held-out ones are subsampled to `points` once.

    Args:
        spec: SOURCE[:CLASS][@SPLIT].
        points: points per cloud that the model learns.
        normalize: a name of `Normalization`.
        up: the source's up axis.
        drop_bad: leave clouds with NaN out, and name them, instead of refusing.
        max_bytes: most memory that the clouds may take.
        seed: of the held-out rows and of thinning.

    Raises:
        ValueError: the clouds have fewer points, or what `load` and `Normalization` raise.
    """
    # The training's seed is not the data's: other seeds learn the same shapes, and evaluation reads the same again.
    clouds = load(spec, surface_points=_SURFACE_SHARE * points, up=up, drop_bad=drop_bad, max_bytes=max_bytes)
    stored = clouds.points.shape[1]
    if stored < points:
        raise ValueError(f"{spec}: its clouds have {stored} points, {points} are asked for; give --points {stored}")
    train, held_out = holdout(clouds, seed)
    val = "val" in (clouds.splits or ())
    asked = parse(spec).splits
    said = (
        f"{spec}{'' if asked else ' names no split'}: {len(train)} clouds of @train are learned, "
        f"{len(held_out)} of {'@val' if val else '@train'} held out"
        f"{f'; the splits are {DRAWN}' if clouds.drawn else ''}"
    )
    normalization = Normalization(normalize).fit(train.points)
    arguments = {
        "spec": absolute(spec),
        "points": points,
        "normalize": normalize,
        "up": up,
        "drop_bad": drop_bad,
        "max_bytes": max_bytes,
        "seed": seed,
    }
    about = {
        "classes": list(train.classes),
        "training_set": arguments,
        "normalization": normalization.to_dict(),
        "held_out": list(held_out.names),
    }
    return TrainingSet(
        train=normalization.apply(train.points),
        held_out=normalization.apply(thin(held_out.points, points, seed)),
        labels=train.labels,
        held_out_labels=held_out.labels,
        classes=train.classes,
        normalization=normalization,
        spec=spec,
        about=about,
        notes=(*([said] if asked in ((), ("all",)) else []), *clouds.notes),
    )
