"""What can be drawn: cloud sets, tensors, arrays and lists of them become one list of plain arrays, checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "CloudSet", "Drawable", "drawables"]

Array: TypeAlias = npt.NDArray[np.float64]
MOST = 1024


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


def drawables(clouds: Any) -> list[Drawable]:
    """The clouds of any input that holds some: a cloud set, (S, N, 3), (N, 3), or a list of (N_i, 3).

    Tensors may live on any device and carry a gradient. Sizes may differ between the members of a list.

    Raises:
        ValueError: no clouds, more than 1024, another shape, a cloud without points, or a coordinate that is not
            finite; the message names the cloud.
    """
    if isinstance(clouds, CloudSet):
        points = _array(clouds.points, "clouds.points")
        labels = None if clouds.labels is None else [int(label) for label in clouds.labels]
        found = [
            Drawable(
                points[i],
                str(clouds.names[i]),
                None if labels is None else labels[i],
                "" if labels is None or labels[i] >= len(clouds.classes) else str(clouds.classes[labels[i]]),
            )
            for i in range(len(points))
        ]
    elif isinstance(clouds, Sequence) and not isinstance(clouds, str):
        found = [Drawable(_array(cloud, f"clouds[{i}]")) for i, cloud in enumerate(clouds)]
    else:
        points = _array(clouds, "clouds")
        found = [Drawable(cloud) for cloud in (points[None] if points.ndim == 2 else points)]
    _check(found)
    return found


def _array(cloud: Any, argument: str) -> Array:
    if hasattr(cloud, "detach"):
        cloud = cloud.detach().cpu().float().numpy()
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
