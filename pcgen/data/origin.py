"""The origin that a set's coordinates count from, where float32 cannot hold small clouds far from 0 (UTM, say)."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["ZERO", "Floats", "Triple", "bounds", "common_origin", "held", "refuse_unheld", "shown"]

Triple = tuple[float, float, float]
Floats = NDArray[np.float64]

ZERO: Triple = (0.0, 0.0, 0.0)

# float32 rounds a number x by up to 2^-24 |x|. A cloud may be so many of its sizes away that this is 1e-4 of its size.
_REACH = 1e-4 * 2**24
_SHOWN = 3  # names in a message; the rest is counted


def bounds(points: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Smallest and largest coordinates of a cloud (N, 3), each (3,) float64."""
    axes = points.T.copy()  # over rows NumPy takes thirty times as long
    return axes.min(1).astype(np.float64), axes.max(1).astype(np.float64)


def held(low: Floats, high: Floats, origin: Triple = ZERO) -> NDArray[np.bool_]:
    """Which clouds float32 represents about an origin to 1e-4 of their size, (S,) bool.

    A cloud's size is the longest side of its bounding box; a cloud of one place has none, and is held anywhere.

    Args:
        low: smallest coordinates of each cloud, (S, 3) float64; `high` the largest.
        origin: what the coordinates count from.
    """
    size = (high - low).max(1)  # (S,)
    farthest = np.maximum(np.abs(low - origin), np.abs(high - origin)).max(1)
    fits: NDArray[np.bool_] = (farthest <= _REACH * size) | (size == 0)
    return fits


def common_origin(low: Floats, high: Floats) -> Triple:
    """An origin near the clouds that float32 does not hold about 0, rounded to few digits; 0 if it holds all.

    It is the median of their bounding boxes' middles, rounded to a power of ten of about the smallest one's size.
    """
    far = ~held(low, high)
    if not far.any():
        return ZERO
    middles = np.sort((low[far] + high[far]) / 2, axis=0)
    middle = middles[(len(middles) - 1) // 2]  # of an even number the lower one, which is a cloud's place
    digits = -math.ceil(math.log10(float((high[far] - low[far]).max(1).min())))
    x, y, z = (round(value, digits) + 0.0 for value in middle.tolist())  # no -0
    return x, y, z


def refuse_unheld(low: Floats, high: Floats, origin: Triple, names: Sequence[str], source: str) -> None:
    """Raise an error for clouds that do not fit into float32 about the origin of their set, which is named `source`.

    Raises:
        ValueError: there is one; the message names some and says what to do.
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
    """A place in few digits, for messages.

    >>> shown((691230.0, 5334570.0, 0.25))
    '(691230, 5334570, 0.25)'
    """
    return f"({', '.join(f'{value:.12g}' for value in place)})"
