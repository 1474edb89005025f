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
    take a count, `shapes:chair=200`. SPLIT is train, val, test or all, or several with commas; a source without splits
    has them drawn, 85/5/10% of every class, and a note says so where SPLIT is one of them. Nothing named is everything.

    Stored clouds keep their points, unless `points` or `at_least` asks for fewer: then each is thinned without
    replacement. Meshes and built-in shapes are sampled uniformly by area: `points`, or else `surface_points`. Numbers
    of any type become float32, about an `origin` where float32 does not hold the coordinates.

    What is drawn for a cloud, its split, its points and its being held out, is fixed by the cloud's name (its path in
    the folder, or the name in the file), or by its points where the name is only a row's number: so it is the same
    whatever else is loaded with it, and whatever the source is called now.

    Args:
        points: points of each cloud; None keeps what is stored, which must then be one number for all.
        at_least: in place of `points`: clouds of different sizes all keep as many points as the smallest has, which
            must be so many.
        surface_points: points of each surface where `points` is None.
        seed: of the built-in shapes, of sampling and of thinning.
        up: the axis of the source that points up: x, y, z, -x, -y or -z; None is y, or what the source itself says. If
            it says another one, that holds, and a note says so.
        drop_bad: leave clouds out that are damaged, too small or hold NaN, with a note that names them; of a
            cloud alone, or of each where `points` or `at_least` is given, leave out the points that are NaN.
        max_bytes: most memory that one file's arrays, or the clouds together, may take.

    Raises:
        FileNotFoundError: there is no such file or folder.
        PermissionError: a file or folder cannot be read.
        ValueError: a class or split is not there, a cloud is damaged, is too small or has NaN, or the clouds have
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
    """As `load`, each cloud normalised by itself before it is thinned; and where each was and how large.

    Raises:
        ValueError: what `load` raises; or a cloud is one point repeated, which no normalisation can divide by.
    """
    parsed = parse(spec)
    return gather(select(list_source(parsed, how.seed, how.max_bytes), parsed), spec, how)


def load_each(spec: str, how: Reading, *, shuffle: bool = False) -> Iterator[Clouds]:
    """The clouds that a spec names, each a set of one, as their sizes may differ; a cloud is read when it is its turn.

    Args:
        how: as for `load`, but `points` is the most that a cloud keeps, `max_bytes` bounds each, and a warning tells
            what `drop_bad` leaves out.
        shuffle: in an order drawn by the seed, not that of the source.

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
        ValueError: it is of no kind that is known, empty, or damaged.
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
