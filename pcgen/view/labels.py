"""Where to write the names of points so that no name covers another or a point."""

import numpy as np

from pcgen.view.inputs import Array

__all__ = ["place"]

# Sixteenths of a turn: right, left, above, below, the diagonals, then what is between.
_ORDER = (0, 8, 4, 12, 2, 14, 6, 10, 1, 15, 3, 13, 5, 11, 7, 9)
_RINGS = 8


def place(anchors: Array, sizes: Array, box: tuple[float, float, float, float], radius: float) -> Array:
    """Lower left corners of labels, (M, 2), each beside its anchor, (M, 2), and clear of labels and points.

    Each label in turn, those with the nearest neighbours first, takes the place nearest its point of sixteen directions
    times eight distances (right is tried first) that covers nothing and lies in the box; where none is free, the
    place that covers least. Deterministic.

    Args:
        anchors: the points, in pixels.
        sizes: width and height of every label, (M, 2), in pixels.
        box: left, bottom, right, top of the room there is.
        radius: of a point, in pixels.
    """
    count = len(anchors)
    apart = np.linalg.norm(anchors[:, None] - anchors[None], axis=2) + np.diag(np.full(count, np.inf))
    dots = np.concatenate([anchors - radius, anchors + radius], axis=1)  # (M, 4): left, bottom, right, top
    corners = np.zeros((count, 2))
    written = np.zeros((0, 4))
    for i in np.argsort(apart.min(axis=1), kind="stable") if count > 1 else range(count):
        tried = _places(anchors[i], sizes[i], radius)  # (P, 2), nearest first
        boxes = np.concatenate([tried, tried + sizes[i]], axis=1)
        covered = _overlap(boxes, np.concatenate([dots, written])).sum(axis=1)
        inside = _overlap(boxes, np.array([box]))[:, 0]
        cost = covered + (sizes[i].prod() - inside)
        best = int(np.argmax(cost < 1e-6)) if (cost < 1e-6).any() else int(cost.argmin())
        corners[i] = tried[best]
        written = np.concatenate([written, boxes[best : best + 1]])
    return corners


def _places(anchor: Array, size: Array, radius: float) -> Array:
    """Corners of labels all around a point: the first ring touches it, the next ones stand further off."""
    turn = np.array(_ORDER) * 2 * np.pi / len(_ORDER)
    way = np.stack([np.cos(turn), np.sin(turn)], axis=1)  # (D, 2)
    reach = radius * (1.05 + 1.5 * np.arange(_RINGS))[:, None, None]  # (R, 1, 1)
    # The label's middle lies where its box, seen from the point, just clears the dot in that direction.
    half = size / 2
    clear = np.min(np.where(np.abs(way) > 1e-9, half / np.maximum(np.abs(way), 1e-9), np.inf), axis=1)[:, None]
    middles = anchor + way * (clear + reach)  # (R, D, 2)
    return np.asarray((middles - half).reshape(-1, 2))


def _overlap(boxes: Array, others: Array) -> Array:
    """Area that each of (P, 4) boxes shares with each of (Q, 4), (P, Q)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.asarray(np.clip(high - low, 0.0, None).prod(axis=2))
