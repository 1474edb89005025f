"""Inspection of a source without loading it: its content, and all errors in it."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pcgen.data.axes import to_y_up
from pcgen.data.clouds import SPLITS
from pcgen.data.gathering import clean, coarse, true_points, up_axis
from pcgen.data.loading import list_source
from pcgen.data.origin import ZERO, Floats, bounds, common_origin, held, refuse_unheld, shown
from pcgen.data.selection import select
from pcgen.data.source import GIB, Listing, told, too_large
from pcgen.data.spec import parse
from pcgen.data.splits import DRAWN

__all__ = ["Fault", "check", "info"]

_PROBE = 256  # points sampled from a surface; its errors are found before sampling
_SHOWN = 4  # different numbers of points that are listed one by one


@dataclass(frozen=True)
class Fault:
    """An error in a cloud, or in the source as a whole."""

    name: str  # the cloud's, or the spec
    what: str  # begins with the place of the error

    def __str__(self) -> str:
        return self.what


def check(spec: str, *, max_bytes: int = 4 * GIB) -> list[Fault]:
    """All errors in the clouds that a spec names, not only the first.

    An error is what `load` does not accept, whatever number of points it is asked for: a source without clouds, damaged
    files, NaN, wrong shapes, meshes without area or with missing vertices, and clouds too far from each other for
    float32 with a common origin. Different numbers of stored points, and more memory than `max_bytes` for all clouds,
    are errors of the source, though `load` accepts them with a smaller number. Surfaces may have any number of points,
    so beside stored clouds they are no error, but `load` needs the number. These are errors too: a cloud of one point,
    or of one point repeated, which cannot be normalised since its size is 0; and a cloud or mesh that was stored so far
    from 0 that the type of its numbers, such as float32, lost its shape.

    Raises:
        FileNotFoundError: there is no such file or folder.
    """
    parsed = parse(spec)
    try:
        listing = select(list_source(parsed, 0, max_bytes), parsed)
    except (ValueError, PermissionError) as error:
        return [Fault(spec, told(parsed.source, error))]
    if not listing.names:
        return [Fault(spec, f"{spec}: holds no clouds")]
    faults = []
    sizes: dict[int, str] = {}
    good: list[int] = []  # rows of clouds that can be read
    ranges: list[tuple[Floats, Floats]] = []  # low and high of each
    arrows = False  # whether a stored cloud has normals
    for row, name in enumerate(listing.names):
        try:
            raw = listing.read(row, _PROBE)
            points, normals = clean(raw)
        except (ValueError, OSError) as error:
            faults.append(Fault(name, told(listing.place(row, spec), error)))
            continue
        if not raw.sampled:
            sizes.setdefault(len(points), name)
            arrows |= normals is not None
        if (points == points[0]).all():
            what = f"is one point, repeated {len(points)} times" if len(points) > 1 else "is a single point"
            faults.append(Fault(name, f"{listing.place(row, spec)}: {what}; it has no size"))
        good.append(row)
        ranges.append(bounds(true_points(points, listing.origin)))
        if (lost := coarse(raw)) is not None:
            todo = "write it again from its source, in float64 or relative to its own centre"
            faults.append(Fault(name, f"{listing.place(row, spec)}: {lost}; {todo}"))
    if len(sizes) > 1:
        small, large = min(sizes), max(sizes)
        faults.append(
            Fault(
                spec,
                f"{spec}: its clouds have from {small} ({sizes[small]}) to {large} ({sizes[large]}) points; "
                f"make them equal: `pcgen data convert {spec} --points {small} --out NEW.npz`",
            )
        )
    else:
        faults += _too_large(listing, spec, max(sizes, default=0), arrows, max_bytes)
    return faults + _too_far(listing, spec, good, ranges)


def _too_large(listing: Listing, spec: str, points: int, normals: bool, max_bytes: int) -> list[Fault]:
    """An error of the source, if its clouds of so many points need more memory than allowed."""
    count = len(listing.names)
    if (size := count * points * 12 * (2 if normals else 1)) <= max_bytes:
        return []
    return [Fault(spec, str(too_large(f"{spec}: {count} clouds of {points} points", size, max_bytes)))]


def _too_far(listing: Listing, spec: str, rows: list[int], ranges: list[tuple[Floats, Floats]]) -> list[Fault]:
    """An error of the source, if its clouds are too far from each other for float32 with a common origin."""
    if not rows:
        return []
    low, high = np.stack(ranges, axis=1)
    origin = listing.origin if bool(held(low, high, listing.origin).all()) else common_origin(low, high)
    try:
        refuse_unheld(low, high, origin, [listing.names[row] for row in rows], spec)
    except ValueError as error:
        return [Fault(spec, str(error))]
    return []


def info(spec: str, *, up: str | None = None, max_bytes: int = 4 * GIB) -> dict[str, Any]:
    """Properties of the clouds that a spec names: counts, points, classes, splits, sizes, ranges of x, y and z, y up.

    A cloud's size is the diagonal of its bounding box. Clouds that cannot be read count as bad. The sizes of surfaces
    are those of sampled points.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: the source as a whole cannot be read.
    """
    parsed = parse(spec)
    listing = select(list_source(parsed, 0, max_bytes), parsed)
    up, up_notes = up_axis(listing, spec, up)
    ranges: list[tuple[Floats, Floats]] = []
    sizes: Counter[int] = Counter()
    shapes: list[int] = []  # boxes of each scene
    normals = bad = 0
    farthest = 0.0
    for row in range(len(listing.names)):
        try:
            raw = listing.read(row, _PROBE)
            points, arrows = clean(raw)
        except (ValueError, OSError):
            bad += 1
            continue
        turned = to_y_up(torch.from_numpy(true_points(points, listing.origin)), up).numpy()
        ranges.append(bounds(turned))
        farthest = max(farthest, float(np.linalg.norm(turned, axis=1).max()))
        normals += arrows is not None
        shapes += [] if raw.boxes is None else [int((~np.isnan(raw.boxes.astype(np.float64)[:, 0])).sum())]
        sizes[0 if raw.sampled else len(points)] += 1
    about: dict[str, Any] = {"source": spec, "clouds": len(listing.names)}
    if bad:
        about["bad"] = f"{bad}; `pcgen data check` lists them"
    good = len(listing.names) - bad
    shown = [_points(size, count) for size, count in sorted(sizes.items())[:_SHOWN]]
    if len(sizes) > _SHOWN:
        shown.append(f"... {len(sizes)} sizes up to {max(sizes)}")
    about["points"] = ", ".join(shown) or "-"
    about["normals"] = "-" if not good else {0: "none", good: "all"}.get(normals, _clouds(normals))
    if shapes:
        about["boxes"] = f"{min(shapes)} to {max(shapes)} in a cloud, {sum(shapes)} in all"
    if listing.labels is not None:
        about["classes"] = ", ".join(f"{name} {count}" for name, count in Counter(listing.labels).most_common())
    if listing.splits is not None:
        counts = Counter(listing.splits)
        about["splits"] = ", ".join(f"{split} {counts[split]}" for split in SPLITS if counts[split]) + (
            f"; {DRAWN}" if listing.drawn else ""
        )
    if ranges:
        about |= _measures(np.stack(ranges, axis=1), farthest)
    notes = (*listing.notes, *up_notes)
    return about | ({"notes": "; ".join(notes)} if notes else {})


def _measures(ranges: Floats, farthest: float) -> dict[str, str]:
    """Sizes, ranges and positions of clouds, from their low and high coordinates (2, S, 3)."""
    low, high = ranges
    size = np.linalg.norm(high - low, axis=1)
    median = f"median {np.median(size):.4g} (diagonals of bounding boxes)"
    about = {"sizes": f"{size.min():.4g} to {size.max():.4g}, {median}"}
    digits = 4 if bool(held(low, high).all()) else 12
    for axis, name in enumerate("xyz"):
        about[name] = f"{low[:, axis].min() + 0.0:.{digits}g} to {high[:, axis].max() + 0.0:.{digits}g}"  # no -0
    about["farthest point"] = f"{farthest:.{digits}g} from 0"
    if (origin := common_origin(low, high)) != ZERO:
        lost = int((~held(low, high, origin)).sum())
        about["origin"] = f"{shown(origin)}; float32 is not precise enough for coordinates relative to 0"
        if lost:
            about["too far"] = f"{_clouds(lost)}, even relative to this origin; `pcgen data check` lists them"
    return about


def _points(size: int, count: int) -> str:
    return f"{size} ({_clouds(count)})" if size else f"surfaces, any number ({_clouds(count)})"


def _clouds(count: int) -> str:
    return f"{count} cloud{'s' * (count != 1)}"
