"""The edges of boxes, as pictures and windows draw them."""

from itertools import product

import numpy as np

from pcgen.view.colors import by_label
from pcgen.view.inputs import Array

__all__ = ["COLOR", "edges"]

COLOR = by_label(5)  # red on violet, green and yellow alike

_CORNERS = np.array(list(product((-0.5, 0.5), repeat=3)))  # (8, 3)
_PAIRS = np.array([(a, b) for a in range(8) for b in range(a + 1, 8) if (_CORNERS[a] != _CORNERS[b]).sum() == 1])


def edges(boxes: Array | None) -> Array:
    """Both ends of the twelve edges of each box, (K, 6) -> (24 K, 3), centre and size along the axes; None is none."""
    if boxes is None:
        return np.zeros((0, 3))
    corners = boxes[:, None, :3] + boxes[:, None, 3:] * _CORNERS  # (K, 8, 3)
    return np.asarray(corners[:, _PAIRS].reshape(-1, 3))
