"""Loading of clouds by spec: list the source, select classes and splits, read and check the rest."""

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

    SOURCE is `shapes` (built in), a file, or a folder. CLASS is one class or several, separated by commas; built-in
    families may have a count, `shapes:chair=200`. SPLIT is train, val, test or all, or several, separated by commas. If
    a source of three clouds or more has no splits, they are random, about 85/5/10% of every class (of the whole set, if
    no class has three clouds); if SPLIT is one of them, there is a note. Without CLASS and SPLIT, everything is loaded.

    Stored clouds keep all points, unless `points` or `at_least` reduces them by sampling without replacement. Meshes
    and built-in shapes are sampled uniformly by area, with `points` or otherwise `surface_points` points. Numbers of
    any type become float32, relative to an `origin` if float32 is not precise enough for the coordinates.

    The random points of a cloud depend only on the seed and the cloud's name (its path in the folder, or its name in
    the file), or on its stored points if the name is only a row number, and not on other clouds. A random split is a
    rank among the names of all clouds of the class, and so is whether a cloud is held out among those of @train: if
    clouds are added or removed, others may change theirs. Nothing depends on the name of the source. So the names, and
    with them the random splits, of the folder `meshes/chair` are others than those of the class `meshes:chair`: train
    and evaluate with one of the two. The .npz of `pcgen data convert` stores the splits, so they stay as they are.

    Args:
        points: number of points of each cloud; None keeps the stored points, whose number must be the same for all.
        at_least: instead of `points`: clouds of different sizes all keep the number of points of the smallest, which
            must be at least this number.
        surface_points: number of points of each surface if `points` is None.
        seed: of the built-in shapes, of sampling and of thinning.
        up: the axis of the source that points up: x, y, z, -x, -y or -z; by default y, or the axis that the source
            records. If the source records another axis, that one is used, with a note.
        drop_bad: whether to drop clouds that are damaged, too small or have NaN, with a note of their names. Of a
            single cloud, or if `points` or `at_least` is given, points that are NaN are dropped, and the cloud only if
            too few are left.
        max_bytes: maximum memory of one file's arrays, or of all clouds together.

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
    """As `load`, with each cloud normalised before it is subsampled; also returns the position and size of each.

    Raises:
        ValueError: as for `load`; or a cloud is one point repeated, which has no size.
    """
    parsed = parse(spec)
    return gather(select(list_source(parsed, how.seed, how.max_bytes), parsed), spec, how)


def load_each(spec: str, how: Reading, *, shuffle: bool = False, seed: int | None = None) -> Iterator[Clouds]:
    """The clouds that a spec names, each as a set of one, since their sizes may differ; each is read when it is needed.

    Args:
        how: as for `load`, but `points` is the maximum for a cloud, `max_bytes` is for each cloud, and `drop_bad` drops
            points that are NaN, with a note, and gives a warning for each cloud that is dropped.
        shuffle: whether the order is random instead of that of the source.
        seed: of the random order; by default that of `how`.

    Raises:
        ValueError: as for `load`.
    """
    parsed = parse(spec)
    listing = select(list_source(parsed, how.seed, how.max_bytes), parsed)
    whole = replace(how, points=None, surface_points=how.points or how.surface_points)
    rows = torch.arange(len(listing.names))
    if shuffle:
        rows = torch.randperm(len(rows), generator=torch.Generator().manual_seed(how.seed if seed is None else seed))
    for row in rows.tolist():
        alone = listing.narrow([row])
        try:
            cloud, _ = gather(alone, spec, whole)
            if how.points is not None and cloud.points.shape[1] > how.points:
                cloud, _ = gather(alone, spec, how)
        except ValueError as error:
            if not how.drop_bad:
                raise
            warnings.warn(f"left out: {error}", stacklevel=2)
        else:
            yield cloud


def list_source(spec: Spec, seed: int, max_bytes: int) -> Listing:
    """List the clouds of a source, if possible without reading them.

    Raises:
        FileNotFoundError: there is no such file or folder.
        PermissionError: it cannot be read.
        ValueError: it is of an unknown kind, empty, or damaged.
    """
    if spec.source == "shapes":
        listing = list_shapes(spec.classes, seed, max_bytes)
        note = f"{spec}: the built-in shapes; for the {'folder' if Path('shapes').is_dir() else 'file'} write ./shapes"
        return replace(listing, notes=(*listing.notes, note)) if Path("shapes").exists() else listing
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
