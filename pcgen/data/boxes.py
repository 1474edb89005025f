"""Bounding boxes of the shapes in a scene, (..., 6): centre and size along the axes; NaN if there is no shape."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pcgen.data.axes import to_y_up

__all__ = ["check_boxes", "count_boxes", "move", "turn"]


def count_boxes(boxes: Tensor) -> Tensor:
    """Number of boxes of each scene, (..., K, 6) -> (...), int64."""
    return (~boxes[..., 0].isnan()).sum(-1)


def move(boxes: Tensor, offset: Tensor, size: Tensor | float) -> Tensor:
    """The boxes after the map (x - offset) / size of all points, computed in float64, of the same type.

    Args:
        boxes: (..., 6).
        offset: (..., 3), or a shape that broadcasts to the centres.
        size: (..., 1), or one number.
    """
    centre, extent = boxes.double().split(3, dim=-1)
    return torch.cat([(centre - offset) / size, extent / size], dim=-1).to(boxes)


def turn(boxes: Tensor, up: str) -> Tensor:
    """The boxes (..., 6) after a rotation of all points by which the axis named `up` becomes y."""
    centre, extent = boxes.split(3, dim=-1)
    return torch.cat([to_y_up(centre, up), to_y_up(extent, up).abs()], dim=-1)


def check_boxes(boxes: NDArray[np.generic], counts: NDArray[np.generic] | None, scenes: int, path: Path) -> None:
    """Check that arrays of a file are valid boxes of its scenes.

    Raises:
        ValueError: the boxes are not (S, K, 6) real numbers; a box has some NaN but not all, or a negative size; or the
            counts are not the numbers of boxes.
    """
    if boxes.ndim != 3 or boxes.shape[0] != scenes or boxes.shape[2] != 6 or boxes.dtype.kind != "f":
        raise ValueError(
            f"{path}: boxes must be ({scenes}, K, 6) real numbers, centre and size of K boxes for each of {scenes} "
            f"clouds, got {boxes.shape} {boxes.dtype}"
        )
    there = np.isfinite(boxes).all(2)
    bad = ~(there | np.isnan(boxes).all(2)) | (there & (np.nan_to_num(boxes[..., 3:]) < 0).any(2))
    if bad.any():
        scene, place = np.argwhere(bad)[0].tolist()
        raise ValueError(
            f"{path}: boxes of cloud {scene}: box {place} must be a centre and a size of at least 0, or NaN "
            f"where there is none, got {boxes[scene, place].tolist()}"
        )
    if counts is not None and not np.array_equal(counts.reshape(-1), there.sum(1)):
        raise ValueError(
            f"{path}: counts must be how many boxes each cloud has; leave them out, they follow from boxes"
        )
