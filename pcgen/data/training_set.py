"""Training sets from specs: training rows, held-out rows, and their normalisation."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from pcgen.data.clouds import Clouds
from pcgen.data.gathering import Reading, gather
from pcgen.data.loading import list_source
from pcgen.data.normalization import Normalization
from pcgen.data.placement import Placement
from pcgen.data.selection import select
from pcgen.data.source import GIB, Listing
from pcgen.data.spec import absolute, parse
from pcgen.data.splits import DRAWN, counted, held_out_rows, split_rows
from pcgen.data.thinning import thin
from pcgen.errors import at_least

__all__ = ["TrainingSet", "training_set"]

# A mesh or a built-in shape has no points of its own. This multiple of a training cloud's points is sampled from its
# surface once, so that epochs can use different points.
_SURFACE_SHARE = 4

_FEW = 20  # from fewer clouds, a model learns the clouds themselves and not their distribution


@dataclass(frozen=True)
class TrainingSet:
    """Normalised clouds for training, with the information to read them again and to undo the normalisation."""

    train: Tensor  # (S, M, 3), M >= points: models subsample in every epoch
    held_out: Tensor  # (V, points, 3)
    labels: Tensor | None  # (S,) int64, of train
    held_out_labels: Tensor | None  # (V,) int64
    classes: tuple[str, ...]
    normalization: Normalization
    spec: str  # as it was given, for messages
    about: dict[str, Any]  # JSON: `training_set(**about["training_set"])` reads the same again, from any folder
    notes: tuple[str, ...]  # decisions that the user should know


def training_set(
    spec: str,
    *,
    points: int = 2048,
    normalize: str = "none",
    up: str | None = None,
    drop_bad: bool = False,
    max_bytes: int = 4 * GIB,
    seed: int = 0,
) -> TrainingSet:
    """Read training clouds, hold some out for validation, and normalise both; @test is never used.

    The rows of @train are for training. Those of @val are held out, or some of @train if there are none (`holdout`). If
    the spec names a split, both are from this split.

    Every cloud is normalised with all its stored points; a normalisation is fitted to the training rows only. Then the
    training clouds keep the number of points of the smallest, or as many as `max_bytes` allows, at least `points`; a
    surface has four times `points`. The held-out clouds are subsampled to `points` once.

    Args:
        spec: SOURCE[:CLASS][@SPLIT].
        points: points per cloud that the model learns.
        normalize: a name of `Normalization`.
        up: the source's up axis; by default y, or the axis that the source records.
        drop_bad: whether to drop clouds that are damaged, too small or have NaN, with a note, instead of an error.
        max_bytes: maximum memory of the training clouds, and of the held-out ones where these are read apart.
        seed: of the held-out rows and of thinning.

    Raises:
        ValueError: a cloud has fewer points, fewer than two clouds are left to divide, or as for `load` and
            `Normalization`.
    """
    at_least(1, points=points)
    asked_for = Normalization(normalize)
    # The seed of training is not that of the data: other seeds learn the same shapes, and evaluation reads them again.
    how = Reading(
        at_least=points,
        surface_points=_SURFACE_SHARE * points,
        up=up,
        normalize=normalize if asked_for.each else "none",
        drop_bad=drop_bad,
        max_bytes=max_bytes,
    )
    parsed = parse(spec)
    listing = select(list_source(parsed, how.seed, max_bytes), parsed)
    train, placement, held_out = _divided(listing, spec, how, seed)
    if asked_for.each:
        normalization = asked_for.fit_placement(placement)
        rows, held_out_points = train.points, held_out.points
    else:
        normalization = asked_for.fit(train)
        rows, held_out_points = normalization.apply(train), normalization.apply(held_out)
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
        train=rows,
        held_out=thin(held_out_points, points, seed),
        labels=train.labels,
        held_out_labels=held_out.labels,
        classes=train.classes,
        normalization=normalization,
        spec=spec,
        about=about,
        notes=(
            *_division(spec, listing, train, held_out),
            *dict.fromkeys((*train.notes, *held_out.notes)),
            *_units(spec, normalization, train),
        ),
    )


def _divided(listing: Listing, spec: str, how: Reading, seed: int) -> tuple[Clouds, Placement, Clouds]:
    """The clouds for training, their positions and sizes, and the clouds for validation; test clouds are not read.

    Those of @val are read separately, since their number of points may be different.
    """
    train_rows, val_rows = split_rows(listing.splits, len(listing.names), spec)
    clouds, placement = gather(listing.narrow(train_rows), spec, how)
    if val_rows:
        return clouds, placement, gather(listing.narrow(val_rows), spec, how)[0]
    split_rows(clouds.splits, len(clouds), spec)  # again: bad clouds may have been dropped
    train_rows, val_rows = held_out_rows(clouds.keys, seed)
    return clouds.select(train_rows), placement.select(train_rows), clouds.select(val_rows)


def _division(spec: str, listing: Listing, train: Clouds, held_out: Clouds) -> list[str]:
    """Notes on training and held-out clouds, if the spec does not determine them, and on too few clouds."""
    splits = listing.splits or ()
    asked = parse(spec).splits
    drawn = f"; the splits are {DRAWN}: {counted(splits)}" if listing.drawn else ""
    source = "@val" if "val" in splits else "@train"
    said = f"{len(train)} clouds of @train are learned, {len(held_out)} of {source} held out"
    notes = [f"{spec}{'' if asked else ' names no split'}: {said}{drawn}"] if asked in ((), ("all",)) else []
    if len(train) < _FEW:
        left = f", {splits.count('test')} left for @test" if "test" in splits else ""
        notes.append(
            f"warning: {spec}: only {len(train)} of {len(listing.names)} clouds {'is' if len(train) == 1 else 'are'} "
            f"learned, {len(held_out)} held out{left}; a model of fewer than {_FEW} clouds repeats them"
        )
    return notes


def _units(spec: str, normalization: Normalization, train: Clouds) -> list[str]:
    """Notes on position and size: if clouds are far from size 1, or if samples get a common size."""
    if normalization.each:
        return [
            f"{normalization.name} removes each cloud's own position and size: samples are put back at the training "
            f"clouds' mean position and size, {normalization.size:.4g}"
        ]
    if normalization.name != "none":
        return []
    low, high = train.points.amin(1), train.points.amax(1)  # (S, 3)
    radius = float((high - low).norm(dim=1).median()) / 2
    place = float((high + low).norm(dim=1).median()) / 2
    if 0.1 <= radius <= 10 and place <= 10:
        return []
    return [
        f"warning: {spec}: the clouds' bounding boxes have half diagonals of {radius:.4g} and centres {place:.4g} from "
        "the origin (medians); models learn clouds of size 1 about 0: give normalize unit_sphere "
        "(--normalize unit_sphere)"
    ]
