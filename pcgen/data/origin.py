"""The origin of a set's coordinates, for small clouds so far from 0 that float32 is not precise enough (as in UTM)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ZERO", "Floats", "Stored", "Triple", "bounds", "common_origin", "held", "refuse_unheld", "shown", "stored"]

Triple = tuple[float, float, float]
Floats = NDArray[np.float64]

ZERO: Triple = (0.0, 0.0, 0.0)

# float32 rounds a number x by up to 2^-24 |x|. At this distance, in sizes of a cloud, the error is 1e-4 of its size.
_ERROR = 1e-4
_REACH = _ERROR * 2**24
_SHOWN = 3  # names in a message; the number of others is given


def bounds(points: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Smallest and largest coordinates of a cloud (N, 3), each (3,) float64."""
    axes = points.T.copy()  # over rows, NumPy would need thirty times as long
    return axes.min(1).astype(np.float64), axes.max(1).astype(np.float64)


@dataclass(frozen=True)
class Stored:
    """The coordinates of a cloud or mesh as its file has them: their type, and their smallest and largest values."""

    kind: np.dtype[Any]
    low: Floats  # (3,)
    high: Floats  # (3,)

    @property
    def coarse(self) -> bool:
        """Whether the cloud is so far from 0 that the type rounds its coordinates by more than 1e-4 of its size.

        A type that does so even about 0, float16, must round by four times what it would there.
        """
        if self.kind.kind != "f" or not self.size > 0:
            return False
        digits = np.finfo(self.kind.type).nmant
        return self.farthest > max(_ERROR, 2.0**-digits) * 2.0 ** (digits + 1) * self.size

    @property
    def name(self) -> str:
        """Of the type, whatever the order of its bytes."""
        return str(self.kind.newbyteorder("=").name)

    @property
    def size(self) -> float:
        """The longest side of the bounding box."""
        return float((self.high - self.low).max())

    @property
    def farthest(self) -> float:
        """The largest coordinate, without its sign."""
        return float(max(np.abs(self.low).max(), np.abs(self.high).max()))

    def __str__(self) -> str:
        """How coarse it is, as a sentence without its subject."""
        step = float(np.spacing(self.kind.type(self.farthest)))
        return f"is {self.size:.4g} in size, so far from 0 that its {self.name} numbers are {step:.4g} apart"


def stored(points: NDArray[Any]) -> Stored:
    """The coordinates (N, 3) of a file, N >= 1, in the type in which it has them."""
    return Stored(points.dtype, *bounds(points))


def held(low: Floats, high: Floats, origin: Triple = ZERO) -> NDArray[np.bool_]:
    """Whether float32 represents each cloud, relative to an origin, to 1e-4 of its size, (S,) bool.

    A cloud's size is the longest side of its bounding box. If it is 0, the result is always true.

    Args:
        low: smallest coordinates of each cloud, (S, 3) float64.
        high: largest coordinates, likewise.
        origin: of the float32 coordinates.
    """
    size = (high - low).max(1)  # (S,)
    farthest = np.maximum(np.abs(low - origin), np.abs(high - origin)).max(1)
    fits: NDArray[np.bool_] = (farthest <= _REACH * size) | (size == 0)
    return fits


def common_origin(low: Floats, high: Floats) -> Triple:
    """An origin near the clouds that are too far from 0 for float32, rounded to few digits; 0 if there are none.

    It is the median of the centres of their bounding boxes, rounded to a power of ten near the smallest cloud's size.
    """
    far = ~held(low, high)
    if not far.any():
        return ZERO
    middles = np.sort((low[far] + high[far]) / 2, axis=0)
    middle = middles[(len(middles) - 1) // 2]  # for an even number the lower one, which is the centre of a cloud
    digits = -math.ceil(math.log10(float((high[far] - low[far]).max(1).min())))
    x, y, z = (round(value, digits) + 0.0 for value in middle.tolist())  # no -0
    return x, y, z


def refuse_unheld(low: Floats, high: Floats, origin: Triple, names: Sequence[str], source: str) -> None:
    """Check that float32 is precise enough for all clouds, relative to the origin of their set.

    Raises:
        ValueError: it is not; the message names `source`, some of the clouds, and what to do.
    """
    rows = np.flatnonzero(~held(low, high, origin)).tolist()
    if not rows:
        return
    first = rows[0]
    size = float((high[first] - low[first]).max())
    middle = shown(((low[first] + high[first]) / 2).tolist())
    todo = "Normalization('unit_sphere').apply(points)"
    if source != "tensor":
        todo = f"`pcgen data convert {source} --normalize unit_sphere --out NEW.npz`"
    more = f", and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    raise ValueError(
        f"{source}: {len(rows)} of {len(low)} clouds are too far from the origin {shown(origin)} for float32 "
        f"({', '.join(names[row] for row in rows[:_SHOWN])}{more}; the first is {size:.4g} in size, at {middle}); "
        f"normalise each cloud by itself: {todo}"
    )


def shown(place: Sequence[float]) -> str:
    """A position in few digits, for messages.

    >>> shown((691230.0, 5334570.0, 0.25))
    '(691230, 5334570, 0.25)'
    """
    return f"({', '.join(f'{value:.12g}' for value in place)})"
