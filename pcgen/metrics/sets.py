"""What is done to a set of clouds before it is measured, and what is said about two sets that do not fit."""

import hashlib
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from pcgen.data import Clouds
from pcgen.metrics._checks import check_shape
from pcgen.metrics.store import digests

__all__ = ["MeasuredSet", "measured_set", "mismatches", "same_clouds"]

_SHOWN = 5  # names in a message before "..."


@dataclass(frozen=True)
class MeasuredSet:
    """Clouds as they are measured: finite float32 points (S, N, 3), and what was dropped on the way."""

    role: str
    source: str
    points: Tensor  # (S, N, 3)
    names: tuple[str, ...]
    splits: tuple[str, ...]  # () where they are not known, or were drawn by pcgen
    dropped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.points)

    @property
    def size(self) -> int:
        """Points of each cloud."""
        return self.points.shape[1]

    def select(self, rows: Tensor) -> "MeasuredSet":
        """The clouds of the given rows, in that order."""
        places = rows.tolist()
        return replace(
            self,
            points=self.points[rows],
            names=tuple(self.names[row] for row in places),
            splits=tuple(self.splits[row] for row in places) if self.splits else (),
        )

    def subset(self, points: int, which: Literal["first", "random"], generator: torch.Generator) -> "MeasuredSet":
        """The set with `points` points of each cloud: the first, or a choice of its own for each cloud."""
        if points == self.size:
            return self
        if which == "first":
            return replace(self, points=self.points[:, :points].contiguous())
        return replace(self, points=_gather(self.points, _shuffles(self.points, generator)[:, :points]))

    def halves(self, points: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Two disjoint random samplings of each cloud, (S, points, 3) each; `size` must be at least twice `points`."""
        order = _shuffles(self.points, generator)
        return _gather(self.points, order[:, :points]), _gather(self.points, order[:, points : 2 * points])

    def boxed(self) -> "MeasuredSet":
        """The set with every cloud's bounding box centred at the origin and its longest side made 2.

        Raises:
            ValueError: a cloud is a single place, so that its box has no side.
        """
        low, high = self.points.amin(1, keepdim=True), self.points.amax(1, keepdim=True)  # (S, 1, 3)
        side = (high - low).amax(2, keepdim=True)  # (S, 1, 1)
        flat = (side.flatten() == 0).nonzero().flatten().tolist()
        if flat:
            raise ValueError(
                f"{self.role}: bounding boxes must have a side to be scaled to [-1, 1], got clouds that are one place: "
                f"{_listed([self.names[row] for row in flat])}; take them out"
            )
        return replace(self, points=(self.points - (low + high) / 2) / (side / 2))

    def describe(self) -> dict[str, Any]:
        """Counts, ranges and a hash of the set, as JSON values."""
        return {
            "source": self.source,
            "clouds": len(self),
            "points": self.size,
            "dropped": list(self.dropped),
            "min": self.points.amin((0, 1)).tolist(),
            "max": self.points.amax((0, 1)).tolist(),
            "median_sides": _median_sides(self).tolist(),
            "sha256": hashlib.sha256("".join(digests(self.points)).encode()).hexdigest()[:16],
        }

    def range(self) -> str:
        """The set's range on each axis, for messages."""
        low, high = self.points.amin((0, 1)).tolist(), self.points.amax((0, 1)).tolist()
        return " x ".join(f"[{a:.3g}, {b:.3g}]" for a, b in zip(low, high, strict=True))


def measured_set(clouds: Tensor | Clouds, role: str, drop_bad: bool = False) -> MeasuredSet:
    """The set as float32, without the clouds that hold NaN or infinity if `drop_bad`.

    Raises:
        ValueError: it is no set of clouds, or holds NaN or infinity and `drop_bad` is false, or nothing is left.
    """
    if not isinstance(clouds, Tensor | Clouds):
        raise ValueError(
            f"{role}: must be a tensor (S, N, 3) or Clouds, got {type(clouds).__name__}; "
            "torch.as_tensor and pcgen.data.load make them"
        )
    points = clouds if isinstance(clouds, Tensor) else clouds.points
    names = tuple(map(str, range(len(points)))) if isinstance(clouds, Tensor) else clouds.names
    drawn = isinstance(clouds, Tensor) or clouds.drawn
    splits = () if isinstance(clouds, Tensor) or drawn else clouds.splits or ()
    source = "a tensor" if isinstance(clouds, Tensor) else clouds.source
    points = check_shape(points, role).detach().float().contiguous()
    whole = MeasuredSet(role, source, points, names, splits)
    good = points.isfinite().flatten(1).all(1)
    if good.all():
        return whole
    bad = [names[row] for row in (~good).nonzero().flatten().tolist()]
    if not drop_bad:
        raise ValueError(
            f"{role}: clouds must be finite, {len(bad)} of {len(points)} hold NaN or infinity: {_listed(bad)}; "
            "mend them, or drop them with drop_bad=True (--drop-bad)"
        )
    if not good.any():
        raise ValueError(f"{role}: all {len(points)} clouds hold NaN or infinity; nothing is left to measure")
    return replace(whole.select(good.nonzero().flatten()), dropped=tuple(bad))


def mismatches(a: MeasuredSet, b: MeasuredSet) -> list[str]:
    """What suggests that two sets are not in the same units and axes: one line each, with both ranges."""
    found = []
    sides_a, sides_b = _median_sides(a), _median_sides(b)
    size_a, size_b = float(sides_a.norm()), float(sides_b.norm())
    if not 2 / 3 <= (size_a / size_b if size_b else math.inf) <= 3 / 2:
        found.append(f"scale: boxes have the diagonal {size_a:.3g} in the {a.role}, {size_b:.3g} in the {b.role}")
    else:
        shift = float((a.points.double().mean((0, 1)) - b.points.double().mean((0, 1))).norm())
        if shift > 0.25 * size_b:
            found.append(f"place: the sets' means are {shift:.3g} apart, boxes have the diagonal {size_b:.3g}")
        order = _better_axes(sides_a, sides_b)
        if order:
            found.append(f"axes: boxes fit better if the axes of the {a.role} are read as {order}")
    return [f"{text}; {a.role} {a.range()}, {b.role} {b.range()}" for text in found]


def same_clouds(a: MeasuredSet, b: MeasuredSet) -> int:
    """How many clouds of `a` are, bit for bit, clouds of `b`."""
    known = set(digests(b.points))
    return sum(digest in known for digest in digests(a.points))


def _better_axes(a: Tensor, b: Tensor) -> str | None:
    """The order of a's axes whose median sides fit b's much better than the given one, if there is one."""
    a, b = a / a.norm(), b / b.norm()

    def misfit(order: Sequence[int]) -> float:
        return float((a[list(order)] - b).norm())

    best = min(itertools.permutations(range(3)), key=misfit)
    return "".join("xyz"[axis] for axis in best) if misfit(range(3)) > 0.2 + 2 * misfit(best) else None


def _median_sides(clouds: MeasuredSet) -> Tensor:
    return (clouds.points.amax(1) - clouds.points.amin(1)).median(0).values  # (3,)


def _shuffles(points: Tensor, generator: torch.Generator) -> Tensor:
    """An order of the points for each cloud, (S, N)."""
    return torch.rand(points.shape[:2], generator=generator, dtype=torch.float64).argsort(1)


def _gather(points: Tensor, index: Tensor) -> Tensor:
    return points.gather(1, index.to(points.device)[..., None].expand(-1, -1, 3))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
