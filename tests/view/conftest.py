"""Whether this machine can draw with Open3D, asked once."""

from typing import Any

import numpy as np
import pytest

from pcgen.view.camera import Camera, frame
from pcgen.view.engines import NotDrawn, by_open3d


@pytest.fixture(scope="session")
def open3d_draws() -> None:
    """Skips the test, with the reason, where Open3D cannot draw without a screen."""
    cloud: Any = np.eye(3)
    try:
        by_open3d(frame([cloud], Camera(), 64), [cloud], 0.05)
    except NotDrawn as reason:
        pytest.skip(str(reason))
