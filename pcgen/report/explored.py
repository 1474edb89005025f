"""The explorer page of a run: where the codes of clouds lie, and what is decoded between them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import torch
from torch import Tensor

import pcgen
from pcgen.data import SPLITS, Clouds, default_split
from pcgen.data.spec import short
from pcgen.data.thinning import thin
from pcgen.latents import principal_axes
from pcgen.report.atlas import Atlas, CodeSet
from pcgen.report.between import ways_between
from pcgen.report.encoding import BYTES
from pcgen.report.film import film_of
from pcgen.report.maps import has_map, maps_of, places_of
from pcgen.report.opened import Opened
from pcgen.training.listing import model_name
from pcgen.view.inputs import Array

__all__ = ["atlas_of"]

_SHOWN, _DRAWN = 600, 100  # clouds of a source, and of a generator, at most
_BYTES = 4_150_000  # of the clouds of all sets
_REST = "clouds"  # the set of clouds that have no split


@dataclass(frozen=True)
class _Group:
    """Clouds of one set and their codes."""

    name: str
    points: Tensor  # (S, N, 3)
    codes: Tensor  # (S, *code)
    titles: Sequence[str]
    labels: Sequence[int | None]


def atlas_of(opened: Opened, clouds: Clouds, ends: Iterable[int], steps: int = 7) -> Atlas:
    """What a run has learned from clouds: a map of their codes, interpolations, and a film of sampling.

    Args:
        opened: the run; a generator also samples up to 100 clouds.
        clouds: in the data's units; if there are more than 600, the ends and others chosen by seed are shown.
        ends: rows of the clouds between every two of which paths are decoded.
        steps: clouds on each path, both ends included.

    Raises:
        ValueError: fewer than two clouds or ends, a run without codes, codes that are not finite, or more ways than fit
            on a page.
        FloatingPointError: a chain of the model has diverged.
    """
    if len(clouds) < 2:
        raise ValueError(f"{clouds.source}: must have two clouds or more for a map of their codes, got {len(clouds)}")
    ends = list(dict.fromkeys(ends))
    codes = opened.encode(clouds)
    axes = principal_axes(codes, min(2, codes[0].numel()))
    rows = _shown(len(clouds), ends, opened.seed)
    groups, where = _of_splits(clouds, codes, rows)
    groups += _of_model(opened, min(_DRAWN, len(rows)))
    stored = min(group.points.shape[1] for group in groups)
    points = min(stored, _BYTES // (BYTES * sum(len(group.points) for group in groups)))
    places = places_of(opened.model, axes, [group.codes for group in groups])
    return Atlas(
        title=f"What {opened.run.path.resolve().name} has learned from {short(clouds.source)}",
        facts=[
            ("model", model_name(opened.run.config)),
            ("code", f"{' x '.join(map(str, codes.shape[1:]))} numbers"),
            ("clouds", str(len(clouds))),
            ("pcgen", pcgen.__version__),
            ("made", str(date.today())),
        ],
        classes=clouds.classes if clouds.labels is not None else (),
        maps=maps_of(opened.model, axes),
        sets=[
            CodeSet(group.name, _points(group.points, points, opened.seed), group.titles, group.labels, own)
            for group, own in zip(groups, places, strict=True)
        ],
        ways=ways_between(opened, clouds, codes, axes, ends, where, steps),
        film=film_of(opened),
        notes=_notes(opened, clouds, len(rows), stored, points),
    )


def _shown(count: int, ends: Sequence[int], seed: int) -> list[int]:
    """The rows that a page has room for: the ends, and others drawn by seed."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    return sorted(list(dict.fromkeys([*ends, *order]))[:_SHOWN])


def _of_splits(clouds: Clouds, codes: Tensor, rows: Sequence[int]) -> tuple[list[_Group], dict[int, tuple[int, int]]]:
    """The rows of each split as a set, and where each row is: in which set, at which place."""
    splits = clouds.splits or (_REST,) * len(clouds)
    labels = [None] * len(clouds) if clouds.labels is None else clouds.labels.tolist()
    groups: list[_Group] = []
    where: dict[int, tuple[int, int]] = {}
    for split in (*SPLITS, _REST):
        own = [row for row in rows if splits[row] == split]
        if own:
            where |= {row: (len(groups), place) for place, row in enumerate(own)}
            titles = [clouds.names[row] for row in own]
            groups.append(_Group(split, clouds.points[own], codes[own], titles, [labels[row] for row in own]))
    return groups, where


def _of_model(opened: Opened, count: int) -> list[_Group]:
    """Clouds that the model has itself: the units of its map, and what it draws."""
    groups = []
    if has_map(opened.model):
        points, codes = opened.units()
        _, width = opened.model.head.map().shape[:2]
        titles = [f"row {place // width}, column {place % width}" for place in range(len(codes))]
        groups.append(_Group("units of the map", points, codes, titles, [None] * len(codes)))
    drawn = opened.drawn(count)
    if drawn is not None:
        points, codes = drawn
        name = f"samples of {model_name(opened.run.config)}"
        groups.append(_Group(name, points, codes, [f"sample {place}" for place in range(count)], [None] * count))
    return groups


def _points(clouds: Tensor, points: int, seed: int) -> Array:
    found: Array = thin(clouds, points, seed).double().numpy()
    return found


def _notes(opened: Opened, clouds: Clouds, shown: int, stored: int, points: int) -> list[str]:
    """What the sets are, and what of them is not on the page."""
    parts = [f"{shown} of the {len(clouds)} clouds (chosen by seed)"] if shown < len(clouds) else []
    parts += [f"{points} of the {stored} points of a cloud"] if points < stored else []
    notes = [f"Shown: {' and '.join(parts)}; the axes are those of all clouds."] if parts else []
    trained = opened.run.config.get("data", {}).get("training_set", {}).get("spec")
    if clouds.splits is not None:
        learned = "" if trained is None else f"; the run was trained on {short(default_split(trained, 'train')[0])}"
        notes.append(f"The sets train, val and test are the splits of {short(clouds.source)}{learned}.")
    return notes
