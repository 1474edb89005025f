"""Rotation of clouds so that y points up, by the name of the axis that points up in the source."""

import torch
from torch import Tensor

from pcgen.errors import choose

__all__ = ["UP_AXES", "to_y_up"]

# Each is a rotation: the rows say which axis, and with which sign, becomes x, y and z.
UP_AXES: dict[str, tuple[tuple[int, int], ...]] = {
    "y": ((0, 1), (1, 1), (2, 1)),
    "z": ((0, 1), (2, 1), (1, -1)),
    "x": ((1, -1), (0, 1), (2, 1)),
    "-y": ((0, 1), (1, -1), (2, -1)),
    "-z": ((0, 1), (2, -1), (1, 1)),
    "-x": ((1, 1), (0, -1), (2, 1)),
}


def to_y_up(vectors: Tensor, up: str) -> Tensor:
    """Rotate points or normals (..., 3) by quarter turns so that the axis named `up` becomes y.

    Raises:
        ValueError: `up` is none of x, y, z, -x, -y, -z.
    """
    axes = UP_AXES[choose(up, UP_AXES, "up")]
    if up == "y":
        return vectors
    return torch.stack([vectors[..., axis] * sign for axis, sign in axes], dim=-1)
