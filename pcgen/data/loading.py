"""Clouds by spec: the source is listed, its class and split are chosen, and what is left is read and checked."""

import difflib
from pathlib import Path

from pcgen.data.builtin import list_shapes
from pcgen.data.clouds import Clouds
from pcgen.data.files import list_path
from pcgen.data.gathering import gather
from pcgen.data.selection import select
from pcgen.data.source import GIB, Listing
from pcgen.data.spec import Spec, parse

__all__ = ["list_source", "load"]


def load(
    spec: str,
    *,
    points: int | None = None,
    surface_points: int = 2048,
    seed: int = 0,
    up: str = "y",
    drop_bad: bool = False,
    max_bytes: int = 4 * GIB,
) -> Clouds:
    """Load the clouds that `SOURCE[:CLASS][@SPLIT]` names, y up, in the source's own units.

    SOURCE is `shapes` (built in), a file, or a folder. CLASS is one class or several with commas; built-in families
    take a count, `shapes:chair=200`. SPLIT is train, val, test or all, or several with commas; a source without splits
    gets them by the clouds' names, 85/5/10% of every class, and a note says so where SPLIT is one of them. Nothing
    named is everything.

    Stored clouds keep their points, unless `points` asks for fewer: then each is thinned without replacement. Meshes
    and built-in shapes are sampled uniformly by area: `points`, or else `surface_points`. Both are fixed by `seed` and
    the cloud's name, whichever others are loaded with it. Numbers of any type become float32.

    Args:
        points: points of each cloud; None keeps what is stored, which must then be one number for all.
        surface_points: points of each surface where `points` is None.
        seed: of the built-in shapes, of sampling and of thinning.
        up: the axis of the source that points up: x, y, z, -x, -y or -z.
        drop_bad: leave out clouds that cannot be read or hold NaN, and name them in a note, instead of refusing all.
        max_bytes: most memory that one file's arrays, or the clouds together, may take.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: a class or split is not there, a cloud cannot be read, is too small or has NaN, or the clouds have
            different numbers of points; the message names the file and what to do.
    """
    parsed = parse(spec)
    if parsed.source == "shapes" and up != "y":
        raise ValueError(f"up: must be y for the built-in shapes, which are y up, got {up!r}")
    listing = select(list_source(parsed, seed, max_bytes), parsed)
    return gather(
        listing,
        spec,
        points=points,
        surface_points=surface_points,
        seed=seed,
        up=up,
        drop_bad=drop_bad,
        max_bytes=max_bytes,
    )


def list_source(spec: Spec, seed: int, max_bytes: int) -> Listing:
    """List the clouds of a source without reading them, if its form allows.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: it is of no kind that is known, empty, or damaged.
    """
    if spec.source == "shapes":
        return list_shapes(spec.classes, seed)
    path = Path(spec.source)
    if not path.exists():
        there = [other.name for other in path.parent.glob("*") if other.suffix == path.suffix]
        near = difflib.get_close_matches(path.name, there, n=1, cutoff=0.8)
        hint = f"did you mean {path.parent / near[0]}?" if near else "give a file, a folder, or a built-in shapes:chair"
        raise FileNotFoundError(f"{path}: no such file or folder; {hint}")
    return list_path(path, seed, max_bytes)
