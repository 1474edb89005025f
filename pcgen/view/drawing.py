"""What draws the frames: Open3D, and matplotlib where it cannot."""

import warnings
from typing import Self

from pcgen.errors import choose
from pcgen.view.camera import Frame
from pcgen.view.engines import Image, NotDrawn, Open3D, by_matplotlib, remedy
from pcgen.view.inputs import Array

__all__ = ["ENGINES", "Drawing"]

ENGINES = ("auto", "open3d", "matplotlib")


class Drawing:
    """Draws frames of one size, inside a `with` block.

    Args:
        engine: "open3d", "matplotlib", or "auto": Open3D, and from the first frame on that it cannot draw matplotlib,
            with a warning that has the reason.

    Attributes:
        used: "open3d" or "matplotlib".
        note: why not Open3D, in one line; empty where it drew.

    Raises:
        ValueError: an unknown engine.
    """

    def __init__(self, engine: str = "auto") -> None:
        self._asked = choose(engine, ENGINES, "engine")
        self.used = "matplotlib" if engine == "matplotlib" else "open3d"
        self.note = ""
        self._open3d = Open3D()

    def __enter__(self) -> Self:
        self._open3d.__enter__()
        return self

    def __exit__(self, *reason: object) -> None:
        self._open3d.__exit__(*reason)

    def cells(self, frame: Frame, colors: list[Array], radius: float) -> list[Image]:
        """Each cloud of a frame as lit balls of `radius` (units of the frame), one (height, width, 4) image each.

        Raises:
            ValueError: "open3d" was asked for and cannot draw here.
        """
        if self.used == "open3d":
            try:
                return self._open3d.draw(frame, colors, radius)
            except NotDrawn as reason:
                self.note = f"{reason}; for Open3D: {remedy(str(reason))}"
                if self._asked == "open3d":
                    told = f"engine: 'open3d' cannot draw here: {self.note}; or engine='matplotlib'"
                    raise ValueError(told) from reason
                warnings.warn(f"drawn by matplotlib: {self.note}", stacklevel=4)
                self.used = "matplotlib"
        return by_matplotlib(frame, colors, radius)
