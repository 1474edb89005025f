"""Clouds as text for a page: 16 bits a coordinate, in the box of each cloud."""

import base64
from typing import Any

import numpy as np

from pcgen.view.inputs import Array

__all__ = ["BYTES", "encoded"]

BYTES = 8  # of text for a point: 6 bytes, of which base64 makes a third more
_LEVELS = 65535


def encoded(points: Array) -> dict[str, Any]:
    """Clouds (S, N, 3) as JSON values: their number, the box of each, and the text of what fills them.

    A coordinate is off by at most a hundred thousandth of its cloud's longest side, however large other clouds are.
    """
    clouds, count, _ = points.shape
    low = points.min(1)  # (S, 3)
    size = (points.max(1) - low).max(1)  # (S,)
    size[size == 0] = 1.0
    whole = np.rint((points - low[:, None]) / size[:, None, None] * _LEVELS).astype("<u2")
    text = base64.b64encode(whole.tobytes()).decode()
    return {"clouds": clouds, "points": count, "low": low.tolist(), "size": size.tolist(), "data": text}
