"""Looking into a source without loading it: what it holds, and everything that is wrong with it."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pcgen.data.axes import to_y_up
from pcgen.data.clouds import SPLITS
from pcgen.data.gathering import clean
from pcgen.data.loading import list_source
from pcgen.data.selection import select
from pcgen.data.source import GIB, told
from pcgen.data.spec import parse
from pcgen.data.splits import DRAWN

__all__ = ["Fault", "check", "info"]

_PROBE = 256  # points drawn of a surface: its faults show before any is
_SHOWN = 4  # different numbers of points that are told one by one


@dataclass(frozen=True)
class Fault:
    """Something wrong with a cloud, or with the source as a whole."""

    name: str  # the cloud's, or the spec
    what: str  # begins with where to find it

    def __str__(self) -> str:
        return self.what


def check(spec: str, *, max_bytes: int = 4 * GIB) -> list[Fault]:
    """All faults of the clouds that a spec names, not the first alone.

    A fault is what `load` refuses: a source without clouds, files that are damaged, NaN, wrong shapes, meshes without
    area or with faces of vertices that are not there, and different numbers of points; and a cloud of one point, or of
    one point repeated, which has no size that a normalisation could divide by.

    Raises:
        FileNotFoundError: there is no such file or folder.
    """
    parsed = parse(spec)
    try:
        listing = select(list_source(parsed, 0, max_bytes), parsed)
    except ValueError as error:
        return [Fault(spec, told(parsed.source, error))]
    if not listing.names:
        return [Fault(spec, f"{spec}: holds no clouds")]
    faults = []
    sizes: dict[int, str] = {}
    for row, name in enumerate(listing.names):
        try:
            raw = listing.read(row, _PROBE)
            points, _ = clean(raw)
        except (ValueError, OSError) as error:
            faults.append(Fault(name, told(listing.place(row, spec), error)))
            continue
        if not raw.sampled:
            sizes.setdefault(len(points), name)
        if (points == points[0]).all():
            what = f"is one point, repeated {len(points)} times" if len(points) > 1 else "is a single point"
            faults.append(Fault(name, f"{listing.place(row, spec)}: {what}; it has no size"))
    if len(sizes) > 1:
        small, large = min(sizes), max(sizes)
        faults.append(
            Fault(
                spec,
                f"{spec}: its clouds have from {small} ({sizes[small]}) to {large} ({sizes[large]}) points; "
                f"load them with points={small} (--points {small})",
            )
        )
    return faults


def info(spec: str, *, up: str = "y", max_bytes: int = 4 * GIB) -> dict[str, Any]:
    """What the clouds that a spec names are: counts, points, classes, splits, and the ranges of x, y and z, y up.

    Clouds that cannot be read are counted as bad; surfaces are measured at samples.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: the source as a whole cannot be read.
    """
    parsed = parse(spec)
    listing = select(list_source(parsed, 0, max_bytes), parsed)
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    sizes: Counter[int] = Counter()
    normals = bad = 0
    farthest = 0.0
    for row in range(len(listing.names)):
        try:
            raw = listing.read(row, _PROBE)
            points, arrows = clean(raw)
        except (ValueError, OSError):
            bad += 1
            continue
        turned = to_y_up(torch.from_numpy(points), up).numpy()
        low, high = np.minimum(low, turned.min(0)), np.maximum(high, turned.max(0))
        farthest = max(farthest, float(np.linalg.norm(turned, axis=1).max()))
        normals += arrows is not None
        sizes[0 if raw.sampled else len(points)] += 1
    about: dict[str, Any] = {"source": spec, "clouds": len(listing.names)}
    if bad:
        about["bad"] = f"{bad}; `pcgen data check` names them"
    good = len(listing.names) - bad
    shown = [_points(size, count) for size, count in sorted(sizes.items())[:_SHOWN]]
    if len(sizes) > _SHOWN:
        shown.append(f"... {len(sizes)} sizes up to {max(sizes)}")
    about["points"] = ", ".join(shown) or "-"
    about["normals"] = "-" if not good else {0: "none", good: "all"}.get(normals, _clouds(normals))
    if listing.labels is not None:
        about["classes"] = ", ".join(f"{name} {count}" for name, count in Counter(listing.labels).most_common())
    if listing.splits is not None:
        counts = Counter(listing.splits)
        about["splits"] = ", ".join(f"{split} {counts[split]}" for split in SPLITS if counts[split]) + (
            f"; {DRAWN}" if listing.drawn else ""
        )
    if sizes:
        for axis, name in enumerate("xyz"):
            about[name] = f"{low[axis] + 0.0:.4g} to {high[axis] + 0.0:.4g}"  # no -0
        about["farthest point"] = f"{farthest:.4g} from the origin"
    return about | ({"notes": "; ".join(listing.notes)} if listing.notes else {})


def _points(size: int, count: int) -> str:
    return f"{size} ({_clouds(count)})" if size else f"surfaces, any number ({_clouds(count)})"


def _clouds(count: int) -> str:
    return f"{count} cloud{'s' * (count != 1)}"
