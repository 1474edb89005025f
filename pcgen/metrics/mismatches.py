"""Checks that sets of clouds fit together: same units, same axes, the right split, no cloud in two sets."""

import itertools
import math
from collections.abc import Mapping

import torch
from torch import Tensor

from pcgen.metrics.protocols import Protocol
from pcgen.metrics.sets import REFERENCE, SAMPLES, TRAINING, MeasuredSet, same_clouds

__all__ = ["better_axes", "leaks", "mismatches", "wrong_split"]

_SCALE = 3 / 2  # tolerated ratio between the sizes of two sets
_SHIFT = 0.25  # tolerated distance between their means, in diagonals of a cloud's bounding box
_LEVELS = 33  # quantiles of a cloud's points along an axis in its profile
_TURNED = 0.01  # minimum improvement of the fit by other axes, in diagonals
_NOISE = 2.0  # standard errors of the profiles that are attributed to chance


def mismatches(a: MeasuredSet, b: MeasuredSet) -> list[str]:
    """Signs that two sets are not in the same units and axes: one line each, with both ranges."""
    found = []
    size_a, size_b = (float(each.median_sides().norm()) for each in (a, b))
    if not 1 / _SCALE <= (size_a / size_b if size_b else math.inf) <= _SCALE:
        found.append(f"scale: boxes have the diagonal {size_a:.3g} in the {a.role}, {size_b:.3g} in the {b.role}")
    else:
        shift = float((a.points.double().mean((0, 1)) - b.points.double().mean((0, 1))).norm())
        if shift > _SHIFT * size_b:
            found.append(f"place: the sets' means are {shift:.3g} apart, boxes have the diagonal {size_b:.3g}")
    axes = better_axes(a.points, b.points)
    if axes:
        found.append(f"axes: clouds fit better if the axes of the {a.role} are read as {axes}; is one set not y up?")
    return [f"{text}; {a.role} {a.range()}, {b.role} {b.range()}" for text in found]


def leaks(sets: Mapping[str, MeasuredSet]) -> list[str]:
    """Warnings about clouds in two sets; before points are chosen, to find equal clouds."""
    found = []
    reference = sets[REFERENCE]
    for role, why in ((SAMPLES, "are they samples?"), (TRAINING, "the reference must be unseen in training")):
        if role in sets and (count := same_clouds(reference, sets[role])):
            found.append(f"reference: {count} of its {len(reference)} clouds are also in the {role}; {why}")
    if TRAINING in sets and (count := same_clouds(sets[SAMPLES], sets[TRAINING])):
        found.append(f"samples: {count} of {len(sets[SAMPLES])} are clouds of the training set, bit for bit")
    return found


def wrong_split(protocol: Protocol, reference: MeasuredSet) -> list[str]:
    """How the reference's split deviates from the protocol's; clouds to learn from deviate from every protocol."""
    splits = sorted(set(reference.splits))  # () for random splits, which no publication uses
    if "train" in splits:
        return ["reference: contains clouds of the split train; use the split test (SPEC@test)"]
    if splits and protocol.split and splits != [protocol.split]:
        return [f"reference: is the split {', '.join(splits)}; {protocol.name} uses the split {protocol.split}"]
    return []


def better_axes(a: Tensor, b: Tensor) -> str | None:
    """The order and signs of axes with which the clouds of `a` (S, N, 3) fit `b` (R, M, 3) better than with x y z.

    The profile of a set along an axis consists of quantiles of the points' positions in the bounding box, in diagonals
    of the box, mean over the set: for example, half of a table's points are at its top, for all ratios of its sides.
    All signed orders of axes are compared by the distance of profiles. x y z must be worse by more than chance.
    """
    if min(len(a), len(b)) < 2:
        return None  # the standard error of one cloud is unknown
    (of_a, error_a), (of_b, error_b) = _profile(a), _profile(b)
    noise = math.hypot(error_a, error_b)
    signed = sorted(
        itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)), key=_moved
    )
    misfits = [float((_turned(of_a, *axes) - of_b).square().mean().sqrt()) for axes in signed]
    best = min(misfits)
    if not misfits[0] > 1.5 * best + _NOISE * noise + _TURNED:
        return None
    # Of those that fit equally well, as for symmetric shapes, the one that changes the fewest axes.
    order, signs = next(axes for axes, misfit in zip(signed, misfits, strict=True) if misfit <= best + noise)
    return " ".join(("-" if sign < 0 else "") + "xyz"[axis] for axis, sign in zip(order, signs, strict=True))


def _profile(points: Tensor) -> tuple[Tensor, float]:
    """Mean over clouds of the quantiles along each axis, (levels, 3), and the standard error of the mean."""
    points = points.detach().double()
    low, high = points.amin(1, keepdim=True), points.amax(1, keepdim=True)
    tiny = torch.finfo(points.dtype).tiny  # for a cloud whose points are all equal
    unit = (points - (low + high) / 2) / (high - low).norm(dim=2, keepdim=True).clamp_min(tiny)
    levels = torch.linspace(0, points.shape[1] - 1, _LEVELS).round().long().to(points.device)
    places = unit.sort(1).values[:, levels]  # (S, levels, 3)
    return places.mean(0), float((places.var(0) / len(places)).mean().sqrt())


def _turned(profile: Tensor, order: tuple[int, ...], signs: tuple[int, ...]) -> Tensor:
    """The profile of the same clouds with the given axes instead of x, y and z."""
    columns = [
        profile[:, axis] if sign > 0 else -profile[:, axis].flip(0) for axis, sign in zip(order, signs, strict=True)
    ]
    return torch.stack(columns, 1)


def _moved(axes: tuple[tuple[int, ...], tuple[int, ...]]) -> int:
    """A measure of how much other axes differ from x y z."""
    order, signs = axes
    return sum(place != axis for place, axis in enumerate(order)) + signs.count(-1)
