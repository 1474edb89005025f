"""Sets of clouds for an evaluation: checks, selection of points, and normalisation."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from pcgen.data import Clouds, Normalization
from pcgen.data.origin import ZERO, Triple, shown
from pcgen.data.placement import Placement
from pcgen.metrics._checks import check_shape
from pcgen.metrics.store import digests

__all__ = ["REFERENCE", "SAMPLES", "SECOND", "TRAINING", "MeasuredSet", "measured_set", "same_clouds"]

SAMPLES, REFERENCE, TRAINING, SECOND = "samples", "reference", "training set", "second sample"
_SHOWN = 5  # names in a message before "..."


@dataclass(frozen=True)
class MeasuredSet:
    """A set of clouds for an evaluation: finite float32 points (S, N, 3), and the names of dropped clouds."""

    role: str
    source: str
    points: Tensor  # (S, N, 3)
    names: tuple[str, ...]
    splits: tuple[str, ...]  # () if they are unknown, or random splits by pcgen
    dropped: tuple[str, ...] = ()
    origin: Triple = ZERO  # the points are relative to it
    given: str = ""  # hash of the clouds before any are chosen, cut or normalised
    whole: tuple[str, Placement] | None = None  # as in `Clouds`: the points may be some of those of each cloud

    def __len__(self) -> int:
        return len(self.points)

    @property
    def size(self) -> int:
        """Number of points of each cloud."""
        return self.points.shape[1]

    def select(self, rows: Tensor) -> "MeasuredSet":
        """The clouds of the given rows, in that order."""
        places = rows.tolist()
        return replace(
            self,
            points=self.points[rows.to(self.points.device)],
            names=tuple(self.names[row] for row in places),
            splits=tuple(self.splits[row] for row in places) if self.splits else (),
            whole=None if self.whole is None else (self.whole[0], self.whole[1].select(places)),
        )

    def subset(self, points: int, which: Literal["first", "random"], generator: torch.Generator) -> "MeasuredSet":
        """The set with `points` points of each cloud: the first ones, or an independent random choice per cloud."""
        if points == self.size:
            return self
        if which == "first":
            return replace(self, points=self.points[:, :points].contiguous())
        return replace(self, points=_gather(self.points, _shuffles(self.points, generator)[:, :points]))

    def halves(self, points: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Two disjoint random samplings of each cloud, (S, points, 3) each; `size` must be at least twice `points`."""
        order = _shuffles(self.points, generator)
        return _gather(self.points, order[:, :points]), _gather(self.points, order[:, points : 2 * points])

    @property
    def clouds(self) -> Clouds:
        """The points as `Clouds`, relative to their origin."""
        return Clouds(self.points, names=self.names, source=self.role, origin=self.origin, whole=self.whole)

    def placed(self, normalization: Normalization) -> "MeasuredSet":
        """The set with each cloud normalised by the whole of it, also if the loader has thinned it.

        Raises:
            ValueError: all points of a cloud are equal, so that it has no size.
        """
        try:
            return replace(self, points=normalization.apply(self.clouds), origin=ZERO, whole=None)
        except ValueError as error:
            raise ValueError(f"{self.role}: {str(error).removeprefix('points: ')}") from error

    def about(self, origin: Triple) -> "MeasuredSet":
        """The set relative to another origin, that of a set with which it is compared.

        Raises:
            ValueError: it is too far from that origin for float32.
        """
        if origin == self.origin:
            return self
        try:
            return replace(self, points=self.clouds.at(origin).points, origin=origin)
        except ValueError as error:
            raise ValueError(
                f"{self.role}: must be near the reference, whose coordinates are relative to {shown(origin)}, but is "
                "too far from there for float32; do both have the same origin? A normalisation of each cloud "
                "(--normalize unit_sphere) removes the positions"
            ) from error

    def to(self, device: torch.device) -> "MeasuredSet":
        """The set on a device."""
        return replace(self, points=self.points.to(device))

    def describe(self) -> dict[str, Any]:
        """Counts, ranges and a hash of the set, and that of the set as it was given, as JSON values."""
        return {
            "source": self.source,
            "clouds": len(self),
            "points": self.size,
            "dropped": list(self.dropped),
            "min": self._shifted(self.points.amin((0, 1))),
            "max": self._shifted(self.points.amax((0, 1))),
            "median_sides": self.median_sides().tolist(),
            "sha256": _hash(self.points),
            "given_sha256": self.given,
        }

    def median_sides(self) -> Tensor:
        """The sides of the clouds' bounding boxes, median over the set, (3,)."""
        return (self.points.amax(1) - self.points.amin(1)).median(0).values

    def range(self) -> str:
        """The set's range on each axis, for messages."""
        low, high = self.points.amin((0, 1)).tolist(), self.points.amax((0, 1)).tolist()
        about = "" if self.origin == ZERO else f" about {shown(self.origin)}"
        return " x ".join(f"[{a:.3g}, {b:.3g}]" for a, b in zip(low, high, strict=True)) + about

    def _shifted(self, place: Tensor) -> list[float]:
        """Absolute coordinates of a point that is relative to the origin."""
        return [value + shift for value, shift in zip(place.tolist(), self.origin, strict=True)]


def measured_set(clouds: Tensor | Clouds, role: str, drop_bad: bool = False) -> MeasuredSet:
    """The set in float32; with `drop_bad`, without clouds that contain NaN or infinity.

    Raises:
        ValueError: it is not a set of clouds, or contains NaN or infinity and `drop_bad` is false, or no cloud is left.
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
    points = check_shape(points, role).detach()
    origin = ZERO if isinstance(clouds, Tensor) else clouds.origin
    placement = None if isinstance(clouds, Tensor) else clouds.whole
    whole = MeasuredSet(role, source, points, names, splits, origin=origin, whole=placement)
    good = points.isfinite().flatten(1).all(1)
    if good.all():
        return _float32(whole)
    bad = [names[row] for row in (~good).nonzero().flatten().tolist()]
    if not drop_bad:
        raise ValueError(
            f"{role}: clouds must be finite, {len(bad)} of {len(points)} hold NaN or infinity: {_listed(bad)}; "
            "repair them, or drop them with drop_bad=True (--drop-bad)"
        )
    if not good.any():
        raise ValueError(f"{role}: all {len(points)} clouds hold NaN or infinity; nothing is left to measure")
    return replace(_float32(whole.select(good.nonzero().flatten())), dropped=tuple(bad))


def _float32(given: MeasuredSet) -> MeasuredSet:
    """The set in float32, relative to an origin if float64 coordinates need one, with its hash."""
    if given.points.dtype != torch.float64:
        points, origin = given.points.float().contiguous(), given.origin
    else:
        clouds = Clouds.of(given.points, names=given.names, source=given.role)
        points, origin = clouds.points.contiguous(), clouds.origin
    return replace(given, points=points, origin=origin, given=_hash(points))


def _hash(points: Tensor) -> str:
    """Of the clouds, in their order."""
    return hashlib.sha256("".join(digests(points)).encode()).hexdigest()[:16]


def same_clouds(a: MeasuredSet, b: MeasuredSet) -> int:
    """The number of clouds of `a` that are bit for bit equal to clouds of `b`."""
    known = set(digests(b.points))
    return sum(digest in known for digest in digests(a.points))


def _shuffles(points: Tensor, generator: torch.Generator) -> Tensor:
    """A random order of the points for each cloud, (S, N)."""
    return torch.rand(points.shape[:2], generator=generator, dtype=torch.float64).argsort(1)


def _gather(points: Tensor, index: Tensor) -> Tensor:
    return points.gather(1, index.to(points.device)[..., None].expand(-1, -1, 3))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
