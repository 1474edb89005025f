"""Clouds by spec: the source is listed, its class and split are chosen, and what is left is read and checked."""

import difflib
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from pcgen.data.builtin import list_shapes
from pcgen.data.clouds import Clouds
from pcgen.data.files import list_path
from pcgen.data.gathering import Reading, gather
from pcgen.data.placement import Placement
from pcgen.data.selection import select
from pcgen.data.source import GIB, Listing, unreadable
from pcgen.data.spec import Spec, parse

__all__ = ["list_source", "load", "load_each", "load_placed"]


def load(
    spec: str,
    *,
    points: int | None = None,
    at_least: int | None = None,
    surface_points: int = 2048,
    seed: int = 0,
    up: str | None = None,
    drop_bad: bool = False,
    max_bytes: int = 4 * GIB,
) -> Clouds:
    """Load the clouds that `SOURCE[:CLASS][@SPLIT]` names, y up, in the source's own units.

    SOURCE is `shapes` (built in), a file, or a folder. CLASS is one class or several with commas; built-in families
    take a count, `shapes:chair=200`. SPLIT is train, val, test or all, or several with commas. If a source has no
    splits, they are made: 85/5/10% of every class; a note says so if SPLIT is one of them. Without CLASS and SPLIT,
    everything is loaded.

    Stored clouds keep their points, unless `points` or `at_least` asks for fewer: then each is subsampled without
    replacement. Meshes and built-in shapes are sampled uniformly by area: `points`, or else `surface_points`. Numbers
    of any type become float32, relative to an `origin` if the coordinates do not fit into float32.

    Random choices for a cloud (its split, its points, whether it is held out) depend only on the cloud's name (its path
    in the folder, or its name in the file), or on its points if the name is only a row number. So they are the same
    whatever else is loaded with it, and when the source is renamed.

    Args:
        points: points of each cloud; None keeps the stored ones, whose number must then be the same for all.
        at_least: instead of `points`: clouds of different sizes all keep as many points as the smallest has, which
            must be at least this many.
        surface_points: points of each surface where `points` is None.
        seed: of the built-in shapes, of sampling and of thinning.
        up: the axis of the source that points up: x, y, z, -x, -y or -z; None is y, or the axis that the source itself
            records. If the source records another axis, that one is used, and a note says so.
        drop_bad: leave out clouds that are damaged, too small or have NaN, with a note that names them; for a single
            cloud, or if `points` or `at_least` is given, leave out only the points that are NaN.
        max_bytes: the most memory that one file's arrays, or the clouds together, may take.

    Raises:
        FileNotFoundError: there is no such file or folder.
        PermissionError: a file or folder cannot be read.
        ValueError: a class or split does not exist, a cloud is damaged, too small or has NaN, or the clouds have
            different numbers of points; the message names the file and what to do.
    """
    how = Reading(
        points=points,
        at_least=at_least,
        surface_points=surface_points,
        seed=seed,
        up=up,
        drop_bad=drop_bad,
        max_bytes=max_bytes,
    )
    return load_placed(spec, how)[0]


def load_placed(spec: str, how: Reading) -> tuple[Clouds, Placement]:
    """As `load`, each cloud normalised by itself before it is subsampled; also the position and size of each.

    Raises:
        ValueError: what `load` raises; or a cloud is one point repeated, which no normalisation can divide by.
    """
    parsed = parse(spec)
    return gather(select(list_source(parsed, how.seed, how.max_bytes), parsed), spec, how)


def load_each(spec: str, how: Reading, *, shuffle: bool = False) -> Iterator[Clouds]:
    """The clouds that a spec names, each as a set of one, since their sizes may differ; each is read when it is needed.

    Args:
        how: as for `load`, but `points` is the most that a cloud keeps, `max_bytes` limits each, and a warning says
            what `drop_bad` leaves out.
        shuffle: in a random order by the seed, not in the order of the source.

    Raises:
        ValueError: what `load` raises.
    """
    parsed = parse(spec)
    listing = select(list_source(parsed, how.seed, how.max_bytes), parsed)
    whole = replace(how, points=None, surface_points=how.points or how.surface_points, drop_bad=False)
    rows = torch.arange(len(listing.names))
    if shuffle:
        rows = torch.randperm(len(rows), generator=torch.Generator().manual_seed(how.seed))
    for row in rows.tolist():
        alone = listing.narrow([row])
        try:
            cloud, _ = gather(alone, spec, whole)
            if how.points is not None and cloud.points.shape[1] > how.points:
                cloud, _ = gather(alone, spec, replace(how, drop_bad=False))
        except ValueError as error:
            if not how.drop_bad:
                raise
            warnings.warn(f"left out: {error}", stacklevel=2)
        else:
            yield cloud


def list_source(spec: Spec, seed: int, max_bytes: int) -> Listing:
    """List the clouds of a source without reading them, if its form allows.

    Raises:
        FileNotFoundError: there is no such file or folder.
        PermissionError: it cannot be read.
        ValueError: it is of an unknown kind, empty, or damaged.
    """
    if spec.source == "shapes":
        return list_shapes(spec.classes, seed)
    try:
        return _list(Path(spec.source), seed, max_bytes)
    except PermissionError as error:
        raise unreadable(spec.source, error) from None


def _list(path: Path, seed: int, max_bytes: int) -> Listing:
    if not path.exists():
        there = [other.name for other in path.parent.glob("*") if other.suffix == path.suffix]
        near = difflib.get_close_matches(path.name, there, n=1, cutoff=0.8)
        hint = f"did you mean {path.parent / near[0]}?" if near else "give a file, a folder, or a built-in shapes:chair"
        raise FileNotFoundError(f"{path}: no such file or folder; {hint}")
    return list_path(path, seed, max_bytes)
