"""Clouds as text for a page: 16 bits a coordinate, in the box of all clouds of their set."""

import base64
from typing import Any

import numpy as np

from pcgen.view.inputs import Array

__all__ = ["BYTES", "encoded"]

BYTES = 8  # of text for a point: 6 bytes, of which base64 makes a third more
_LEVELS = 65535


def encoded(points: Array) -> dict[str, Any]:
    """Clouds (S, N, 3) as JSON values: their sizes, the box that holds them, and the text of what fills it.

    A coordinate is off by at most a hundred thousandth of the box's longest side.
    """
    clouds, count, _ = points.shape
    low, high = points.min((0, 1)), points.max((0, 1))
    size = float((high - low).max()) or 1.0
    whole = np.rint((points - low) / size * _LEVELS).astype("<u2")
    text = base64.b64encode(whole.tobytes()).decode()
    return {"clouds": clouds, "points": count, "low": [float(each) for each in low], "size": size, "data": text}
