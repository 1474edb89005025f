"""What can be drawn: cloud sets, tensors, arrays and lists of them become one list of plain arrays, checked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "CloudSet", "Drawable", "drawables"]

Array: TypeAlias = npt.NDArray[np.float64]
MOST = 1024


def _spread(count: int) -> Array:
    """Directions spread evenly over the sphere, down and up among them, (count, 3): Fibonacci's spiral."""
    height = np.linspace(-1.0, 1.0, count)
    turn = np.pi * (3 - 5**0.5) * np.arange(count)
    across = np.sqrt(1 - height**2)
    return np.stack([across * np.cos(turn), height, across * np.sin(turn)], axis=1)


_DIRECTIONS = _spread(200)


@runtime_checkable
class CloudSet(Protocol):
    """Clouds with names and labels, as `pcgen.data.Clouds` has them."""

    points: Any  # (S, N, 3)
    labels: Any  # (S,) or None
    classes: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Drawable:
    """One cloud to draw; `name` is empty and `label` None where the input had none."""

    points: Array  # (N, 3)
    name: str = ""
    label: int | None = None
    kind: str = ""
    boxes: Array | None = None  # (K, 6) of a scene: centre and size along the axes of each shape in it

    @cached_property
    def outermost(self) -> Array:
        """The points, (M, 3), that are farthest in 200 directions: those that a camera sees at the cloud's outline."""
        return np.asarray(self.points[np.unique((self.points @ _DIRECTIONS.T).argmax(axis=0))])


def drawables(clouds: Any) -> list[Drawable]:
    """The clouds of any input that holds some: a cloud set, (S, N, 3), (N, 3), or a list of (N_i, 3) or cloud sets.

    Tensors may live on any device and carry a gradient. Sizes may differ between the members of a list. Classes of the
    same name in several sets are one class.

    Raises:
        ValueError: no clouds, more than 1024, another shape, a cloud without points, or a coordinate that is not
            finite; the message names the cloud.
    """
    members = clouds if isinstance(clouds, Sequence) and not isinstance(clouds, str) else [clouds]
    found: list[Drawable] = []
    for i, member in enumerate(members):
        argument = "clouds" if members is not clouds else f"clouds[{i}]"
        if isinstance(member, CloudSet):
            found += _of_set(member, f"{argument}.points")
        else:
            points = _array(member, argument)
            alone = points.ndim == 2 or members is clouds
            found += [Drawable(cloud) for cloud in (points[None] if alone else points)]
    _check(found)
    kinds = {kind: i for i, kind in enumerate(dict.fromkeys(cloud.kind for cloud in found if cloud.kind))}
    sets = sum(isinstance(member, CloudSet) for member in members)
    return [replace(cloud, label=kinds[cloud.kind]) if sets > 1 and cloud.kind else cloud for cloud in found]


def _of_set(clouds: CloudSet, argument: str) -> list[Drawable]:
    points = _array(clouds.points, argument)
    boxes = _boxes(clouds, len(points))
    if clouds.labels is None:
        named = zip(points, clouds.names, boxes, strict=True)
        return [Drawable(cloud, str(name), boxes=own) for cloud, name, own in named]
    labels = [int(label) for label in clouds.labels]
    return [
        Drawable(cloud, str(name), label, str(clouds.classes[label]), own)
        for cloud, name, label, own in zip(points, clouds.names, labels, boxes, strict=True)
    ]


def _boxes(clouds: CloudSet, count: int) -> list[Array | None]:
    """The boxes of each cloud of a set that has some, without the places where there is none."""
    known = getattr(clouds, "boxes", None)
    if known is None:
        return [None] * count
    return [own[np.isfinite(own).all(1)] for own in _array(known, "clouds.boxes")]


def _array(cloud: Any, argument: str) -> Array:
    if hasattr(cloud, "detach"):
        cloud = cloud.detach().cpu().double().numpy()
    try:
        return np.asarray(cloud, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{argument}: must be a tensor or an array of numbers, got {type(cloud).__name__}; pass (S, N, 3), (N, 3), "
            "a list of (N, 3) or what pcgen.data.load returns"
        ) from error


def _check(found: list[Drawable]) -> None:
    if not 1 <= len(found) <= MOST:
        raise ValueError(f"clouds: must be 1 to {MOST} clouds, got {len(found)}; select some of them, clouds[:64] say")
    for i, cloud in enumerate(found):
        name = f"cloud {i}" + (f" ({cloud.name})" if cloud.name else "")
        if cloud.points.ndim != 2 or cloud.points.shape[1] != 3 or not len(cloud.points):
            raise ValueError(f"clouds: each must be (N, 3) with N > 0, got {cloud.points.shape} for {name}")
        bad = int((~np.isfinite(cloud.points)).any(axis=1).sum())
        if bad:
            raise ValueError(
                f"clouds: coordinates must be finite, got NaN or infinity in {bad} of {len(cloud.points)} points of "
                f"{name}; leave that cloud out"
            )
