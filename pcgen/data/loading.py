"""Clouds by spec: the source is listed, its class and split are chosen, and what is left is read and checked."""

import difflib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pcgen.data.axes import to_y_up
from pcgen.data.clouds import SPLITS, Clouds
from pcgen.data.seeds import stream
from pcgen.data.source import GIB, Listing, Raw, too_large
from pcgen.data.spec import Spec, parse
from pcgen.data.splits import draw_splits
from pcgen.data.synsets import class_names

__all__ = ["clean", "list_source", "load", "select_rows"]

_SHOWN = 3  # names in a message; the rest is counted


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
    gets them by `seed`, 85/5/10% of every class, and a note says so. Nothing named is everything.

    Stored clouds keep their points, unless `points` asks for fewer: then each is thinned without replacement. Meshes
    and built-in shapes are sampled uniformly by area: `points`, or else `surface_points`. Both are fixed by `seed` and
    the cloud's name, whichever others are loaded with it. Numbers of any type become float32.

    Args:
        points: points of each cloud; None keeps what is stored, which must then be one number for all.
        surface_points: points of each surface where `points` is None.
        seed: of the built-in shapes, of sampling, of thinning, and of splits that are drawn.
        up: the axis of the source that points up: x, y, z, -x, -y or -z.
        drop_bad: leave out clouds that cannot be read or hold NaN, and name them in a note, instead of refusing all.
        max_bytes: most memory that one file's arrays, or the clouds together, may take.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: a class or split is not there, a cloud cannot be read, is too small or has NaN, or the clouds have
            different numbers of points; the message names the file and what to do.
    """
    for argument, value in (("points", points), ("surface_points", surface_points)):
        if value is not None and value < 1:
            raise ValueError(f"{argument}: must be at least 1, got {value}")
    parsed = parse(spec)
    if parsed.source == "shapes" and up != "y":
        raise ValueError(f"up: must be y for the built-in shapes, which are y up, got {up!r}")
    listing = list_source(parsed, seed, max_bytes)
    rows, splits, notes = select_rows(listing, parsed, seed)
    count = points if points is not None else surface_points

    def read(row: int) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        cloud, normals = clean(listing.read(row, count))
        if points is not None and len(cloud) != points:
            keep = _thin(len(cloud), points, stream("thin", listing.names[row], seed))
            cloud, normals = cloud[keep], None if normals is None else normals[keep]
        return cloud, normals

    read_rows, clouds, normals, faults = _read_all(rows, read, listing.names, max_bytes, spec)
    if faults and (not drop_bad or not clouds):
        raise _refusal(spec, faults, len(rows), every=not clouds)
    if faults:
        notes += (f"{len(faults)} of {len(rows)} clouds dropped: {_some(faults)}",)
    _same_size(spec, [listing.names[row] for row in read_rows], clouds)
    if any(normal is None for normal in normals) and any(normal is not None for normal in normals):
        notes += ("normals dropped: some of the clouds have none",)
    whole = torch.from_numpy(np.stack(clouds))
    known = [normal for normal in normals if normal is not None]
    labels, classes = _numbered(listing, read_rows, parsed)
    return Clouds(
        points=to_y_up(whole, up),
        normals=to_y_up(torch.from_numpy(np.stack(known)), up) if len(known) == len(clouds) else None,
        labels=labels,
        classes=classes,
        names=tuple(listing.names[row] for row in read_rows),
        splits=None if splits is None else tuple(splits[row] for row in read_rows),
        source=spec,
        notes=notes,
    )


def list_source(spec: Spec, seed: int, max_bytes: int) -> Listing:
    """List the clouds of a source without reading them, if its form allows.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: it is of no kind that is known, empty, or damaged.
    """
    if spec.source == "shapes":
        from pcgen.data.builtin import list_shapes

        return list_shapes(spec.classes, seed)
    path = Path(spec.source)
    if not path.exists():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*")], n=1)
        hint = f"did you mean {path.parent / near[0]}?" if near else "give a file, a folder, or a built-in shapes:chair"
        raise FileNotFoundError(f"{path}: no such file or folder; {hint}")
    from pcgen.data.files import list_path

    return list_path(path, seed, max_bytes)


def select_rows(listing: Listing, spec: Spec, seed: int) -> tuple[list[int], list[str] | None, tuple[str, ...]]:
    """The rows of the classes and splits asked for, the split of every row, and notes.

    Raises:
        ValueError: a class or a split is not there.
    """
    notes = listing.notes
    splits = listing.splits
    if splits is None and len(listing.names) >= 3:
        splits = draw_splits(listing.names, listing.labels, seed)
        notes += (f"{spec.source} has no splits: 85% train, 5% val, 10% test of every class drawn by seed {seed}",)
    rows = list(range(len(listing.names)))
    if spec.classes and spec.source != "shapes":
        if listing.labels is None:
            raise ValueError(f"{spec.source}: has no classes; leave :{','.join(spec.classes)} out")
        wanted = class_names(spec.classes)
        for name in wanted:
            _known_class(name, Counter(listing.labels), spec.source)
        labels = listing.labels
        rows = [row for row in rows if labels[row] in wanted]
    if spec.splits and spec.splits != ("all",):
        had = [split for split in SPLITS if any(splits[row] == split for row in rows)] if splits else []
        for split in spec.splits:
            if split not in had:
                raise ValueError(
                    f"{spec}: there is no split {split!r} among its {len(rows)} clouds, which have "
                    f"{', '.join(had) or 'none'}; name one of them, or @all"
                )
        rows = [row for row in rows if splits is not None and splits[row] in spec.splits]
    return rows, splits, notes


def _known_class(wanted: str, counts: Counter[str], source: str) -> None:
    if wanted in counts:
        return
    near = difflib.get_close_matches(wanted, counts, n=1, cutoff=0.4)
    folded = [name for name in counts if name.lower() == wanted.lower()]
    hint = f"did you mean {(folded or near)[0]!r}? " if folded or near else ""
    most = ", ".join(f"{name} ({count})" for name, count in counts.most_common(8))
    more = f", ... {len(counts)} in all" if len(counts) > 8 else ""
    raise ValueError(f"{source}: has no class {wanted!r}; {hint}It has {most}{more}")


def clean(raw: Raw) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """The points of a cloud, (N, 3) float32, and its normals if it has them: (N, 6) is read as points with normals.

    Raises:
        ValueError: it has another shape, no point, no real numbers, or NaN, infinity, or a number beyond float32.
    """
    points, normals = raw.points, raw.normals
    if points.ndim != 2 or points.shape[1] not in (3, 6) or len(points) == 0:
        hint = "; transpose it" if points.ndim == 2 and points.shape[0] in (3, 6) and points.shape[1] > 6 else ""
        raise ValueError(f"must be (N, 3), or (N, 6) with normals, and N >= 1, got {tuple(points.shape)}{hint}")
    if points.dtype.kind not in "fiu":
        raise ValueError(f"must hold real numbers, got {points.dtype}")
    if points.shape[1] == 6:
        points, normals = points[:, :3], points[:, 3:]
    with np.errstate(over="ignore"):  # what overflows is infinite, and told below
        cloud = np.ascontiguousarray(points, dtype=np.float32)
        arrows = None if normals is None else np.ascontiguousarray(normals, dtype=np.float32)
    for what, values in (("point", cloud), ("normal", arrows)):
        if values is not None and not np.isfinite(values.sum(dtype=np.float64)):
            bad = ~np.isfinite(values).all(1)
            first = int(bad.argmax())
            raise ValueError(
                f"{what} {first} is {values[first].tolist()}; {int(bad.sum())} of {len(values)} hold NaN, infinity, or "
                "a number beyond float32"
            )
    return cloud, arrows


def _thin(size: int, points: int, generator: torch.Generator) -> NDArray[np.int64]:
    if size < points:
        raise ValueError(f"has {size} points, fewer than the {points} asked for; ask for at most {size}")
    keep: NDArray[np.int64] = torch.randperm(size, generator=generator)[:points].numpy()
    return keep


def _read_all(
    rows: Sequence[int],
    read: Callable[[int], tuple[NDArray[np.float32], NDArray[np.float32] | None]],
    names: Sequence[str],
    max_bytes: int,
    spec: str,
) -> tuple[list[int], list[NDArray[np.float32]], list[NDArray[np.float32] | None], list[tuple[str, str]]]:
    """Rows that could be read, their points and normals, and the faults of the others by name."""
    good: list[int] = []
    clouds: list[NDArray[np.float32]] = []
    normals: list[NDArray[np.float32] | None] = []
    faults: list[tuple[str, str]] = []
    for row in rows:
        try:
            cloud, arrows = read(row)
        except (ValueError, OSError) as error:
            faults.append((names[row], str(error)))
            continue
        each = cloud.nbytes * (1 if arrows is None else 2)
        if not good and each * len(rows) > max_bytes:
            raise too_large(f"{spec}: {len(rows)} clouds of {len(cloud)} points", each * len(rows), max_bytes)
        good.append(row)
        clouds.append(cloud)
        normals.append(arrows)
    return good, clouds, normals, faults


def _some(faults: Sequence[tuple[str, str]]) -> str:
    more = f", and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    return "; ".join(f"{name}: {fault}" for name, fault in faults[:_SHOWN]) + more


def _refusal(spec: str, faults: Sequence[tuple[str, str]], asked: int, every: bool) -> ValueError:
    name, fault = faults[0]
    what = f"{spec}: {name}: {fault}" if name not in fault else fault
    if asked == 1:
        return ValueError(what)
    todo = "mend the source" if every else "mend it, or leave such clouds out with drop_bad=True (--drop-bad)"
    return ValueError(f"{what}\n{len(faults)} of {asked} clouds are bad; {todo}; `pcgen data check` lists them all")


def _same_size(spec: str, names: Sequence[str], clouds: Sequence[NDArray[np.float32]]) -> None:
    sizes = [len(cloud) for cloud in clouds]
    small, large = min(sizes), max(sizes)
    if small != large:
        raise ValueError(
            f"{spec}: its clouds have from {small} ({names[sizes.index(small)]}) to {large} "
            f"({names[sizes.index(large)]}) points; make them equal with points={small} (--points {small})"
        )


def _numbered(listing: Listing, rows: Sequence[int], spec: Spec) -> tuple[torch.Tensor | None, tuple[str, ...]]:
    """The label of each row as a number, and the classes these count: those asked for, or all the source has."""
    if listing.labels is None:
        return None, ()
    order = listing.classes or tuple(sorted(set(listing.labels)))
    if spec.classes and spec.source != "shapes":
        wanted = class_names(spec.classes)
        order = tuple(name for name in order if name in wanted)
    places = {name: place for place, name in enumerate(order)}
    return torch.tensor([places[listing.labels[row]] for row in rows], dtype=torch.int64), order
