"""An Open3D window with many clouds in a grid, to turn and look at."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pcgen.view import display
from pcgen.view.camera import Camera
from pcgen.view.engines import environment, remedy
from pcgen.view.onscreen import OPENED
from pcgen.view.scene import pages

__all__ = ["show"]

_OPENING = 90.0  # seconds that Open3D has to open a window; it takes two, and twenty on a busy machine
_INSTEAD = "or draw a picture without a screen: pcgen.view.picture(clouds, 'out.png'), pcgen view ... --png out.png"


def show(
    clouds: Any,
    *,
    captions: Sequence[str] | None = None,
    rows: Sequence[str] | None = None,
    groups: Sequence[int] | None = None,
    colors: str = "height",
    columns: int | None = None,
    point_size: float | None = None,
    scale: str = "shared",
    camera: Camera | None = None,
    title: str = "pcgen",
    page: int = 16,
) -> None:
    """Open a window with clouds in a grid and return when it is closed.

    Right and left (N and P) change the page, C changes the colouring, + and - the size of points, T turns the clouds, S
    saves the view as pcgen-1.png, R resets the view, H lists the keys, Q closes. Drag to turn, shift-drag to roll,
    control-drag to move, wheel to zoom. The window runs in its own process, which Ctrl-C ends.

    Args:
        clouds, captions, rows, groups, colors, columns, point_size, scale, camera: as of `picture`.
        title: of the window.
        page: clouds of each group on a page; of all clouds where there are no groups.

    Raises:
        ValueError: as `picture`.
        OSError: there is no display, it does not answer, or Open3D is missing or gets no window; the message says what
            to do.
    """
    scenes = pages(clouds, captions, rows, groups, colors, columns, point_size, scale, camera, page)
    if find_spec("open3d") is None:
        raise OSError(f"show: Open3D is not installed; {remedy('open3d is not installed')}, {_INSTEAD}")
    if reason := display.obstacle():
        raise OSError(f"show: {reason}; give a display that works (ssh -X), {_INSTEAD}")
    with tempfile.TemporaryDirectory(prefix="pcgen-view-") as folder:
        said = Path(folder, "said.txt")
        for place, scene in enumerate(scenes):
            scene.save(Path(folder, f"{place:04}.npz"))
        with said.open("wb") as file:
            window = subprocess.Popen(
                [sys.executable, "-m", "pcgen.view.onscreen", folder, title],
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment(),
            )
        try:
            _wait_until_open(window, said)
            if code := window.wait():
                how = f"of signal {-code}" if code < 0 else f"with code {code}"
                raise OSError(f"show: the window ended {how}: {_last_line(said)}; {_INSTEAD}")
        finally:
            window.kill()
            window.wait()


def _wait_until_open(window: "subprocess.Popen[bytes]", said: Path) -> None:
    end = time.monotonic() + _OPENING
    while OPENED not in (text := said.read_text(errors="replace")) or "offscreen" in text:
        if "offscreen" in text:  # where Open3D gets no window it draws where nobody can see it
            raise OSError(f"show: Open3D got no window on the display {display.name()}; {_INSTEAD}")
        if window.poll() is not None:
            reason = _last_line(said)
            raise OSError(f"show: Open3D opened no window: {reason}; {remedy(reason)}, {_INSTEAD}")
        if time.monotonic() > end:
            raise OSError(f"show: Open3D opened no window within {_OPENING:g} s; {_INSTEAD}")
        time.sleep(0.05)


def _last_line(said: Path) -> str:
    lines = [line.strip() for line in said.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
