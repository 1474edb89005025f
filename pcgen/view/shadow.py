"""The soft shadow below a cloud: it says where the floor is, and so how the shape stands."""

import numpy as np
import numpy.typing as npt

from pcgen.view.camera import Frame
from pcgen.view.inputs import Array

__all__ = ["shadows"]

_DARKEST = 0.30


def shadows(frame: Frame) -> list[npt.NDArray[np.uint8]]:
    """One grey image for each cell, (height, width): the points dropped to the floor, blurred, on white."""
    return [_shadow(frame.project(floor), frame.width, frame.height) for floor in frame.floors]


def _shadow(places: Array, width: int, height: int) -> npt.NDArray[np.uint8]:
    from scipy.ndimage import gaussian_filter

    across, down = width / 2 + places[:, 0], height / 2 - places[:, 1]
    count, _, _ = np.histogram2d(down, across, bins=(height, width), range=((0, height), (0, width)))
    density = gaussian_filter(count, width / 40, mode="constant")
    return np.asarray(np.rint(255 * (1 - _DARKEST * (density / density.max()) ** 0.7)), dtype=np.uint8)
