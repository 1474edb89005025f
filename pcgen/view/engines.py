"""The two engines that draw cells: Open3D in a process of its own, and matplotlib. Same camera, colours and light."""

import contextlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from pcgen.view.camera import Frame
from pcgen.view.colors import LIGHT, lit
from pcgen.view.inputs import Array

__all__ = ["Image", "NotDrawn", "Open3D", "by_matplotlib", "by_open3d", "environment", "remedy"]

Image: TypeAlias = npt.NDArray[np.uint8]  # (height, width, 4): colour and how much of each pixel is covered
SUPERSAMPLE = 2
_PAUSE = 0.002  # seconds between looks for an answer
_ROOT = str(Path(__file__).resolve().parents[2])  # pcgen need not be installed to draw

# A ball as discs: how far towards the light (in radii), how large, and how far the normal leans there.
_DISCS = np.array([(0.0, 1.0, -0.65), (0.10, 0.86, -0.20), (0.22, 0.62, 0.18), (0.34, 0.26, 0.62)])


class NotDrawn(RuntimeError):
    """Open3D could not draw here; the message is its reason in one line."""


def remedy(reason: str) -> str:
    """What to type where Open3D gave this reason: it installs the package, or the system libraries that it needs."""
    if "open3d" in reason and any(words in reason for words in ("No module named", "import of", "not installed")):
        small = platform.system() == "Linux" and platform.machine() == "x86_64"  # where the small package exists
        return "pip install open3d-cpu" if small else "pip install open3d"
    return "apt-get install libusb-1.0-0 libegl1 libgl1 libx11-6 libgl1-mesa-dri"


def environment() -> dict[str, str]:
    """That of a process which is to import this pcgen."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [_ROOT, os.environ.get("PYTHONPATH")]))}


class Open3D:
    """A process that draws frames of one size with Open3D, one after another, inside a `with` block.

    Open3D may abort the interpreter where its graphics libraries are incomplete, so it runs in a process of its own.

    Args:
        timeout: seconds that a frame may take; None is ten times what a busy machine without graphics takes.
    """

    def __init__(self, timeout: float | None = None) -> None:
        self._timeout = timeout
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="pcgen-view-")
        self._request, self._answer, self._said = (
            Path(self._folder.name, name) for name in ("request.npz", "images.npy", "said.txt")
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdin is not None:
                with contextlib.suppress(OSError):  # what it has not read is lost
                    self._process.stdin.close()
        self._folder.cleanup()

    def draw(self, frame: Frame, colors: list[Array], radius: float) -> list[Image]:
        """Each cloud of a frame as lit balls of `radius` (units of the frame), one (height, width, 4) image each.

        Raises:
            NotDrawn: Open3D is missing, failed, died, or drew nothing.
        """
        self._answer.unlink(missing_ok=True)
        np.savez(
            self._request,
            points=np.concatenate(frame.clouds),
            colors=np.concatenate(colors),
            sizes=np.array([len(cloud) for cloud in frame.clouds]),
            window=np.array([frame.width * SUPERSAMPLE, frame.height * SUPERSAMPLE]),
            focal=frame.focal * SUPERSAMPLE,
            distance=frame.distance,
            radius=radius,
        )
        seconds = self._timeout or 60.0 + 3.0 * len(frame.clouds) + sum(map(len, frame.clouds)) / 10_000
        self._ask(self._process or self._begin(), seconds)
        images = np.load(self._answer, allow_pickle=False)
        if not images[..., 3].any(axis=(1, 2)).all():
            raise NotDrawn("Open3D drew an empty picture")
        return list(images)

    def _begin(self) -> "subprocess.Popen[bytes]":
        try:
            with self._said.open("wb") as said:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "pcgen.view.offscreen", self._folder.name],
                    stdin=subprocess.PIPE,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    env=environment(),
                )
        except OSError as error:
            raise NotDrawn(f"no process for Open3D: {error}") from error
        return self._process

    def _ask(self, process: "subprocess.Popen[bytes]", seconds: float) -> None:
        """Have the request drawn, and wait for the answer's file, which is there whole or not at all."""
        if process.stdin is not None:
            with contextlib.suppress(OSError):  # of a process that has ended, which is told below
                process.stdin.write(b"draw\n")
                process.stdin.flush()
        end = time.monotonic() + seconds
        while not self._answer.is_file():
            if process.poll() is not None and not self._answer.is_file():
                raise NotDrawn(self._reason(process.returncode))
            if time.monotonic() > end:
                raise NotDrawn(f"Open3D did not finish within {seconds:g} s")
            time.sleep(_PAUSE)

    def _reason(self, code: int) -> str:
        """Why the process ended, by the last line that it said."""
        said = [line.strip() for line in self._said.read_text(errors="replace").splitlines() if line.strip()]
        said = [line for line in said if not line.startswith("[Open3D INFO]")]
        how = f"Open3D died of signal {-code}" if code < 0 else "Open3D failed"
        return ": ".join([how, *said[-1:]])


def by_open3d(frame: Frame, colors: list[Array], radius: float, timeout: float | None = None) -> list[Image]:
    """One frame alone, as `Open3D.draw` draws it.

    Raises:
        NotDrawn: as there.
    """
    with Open3D(timeout) as process:
        return process.draw(frame, colors, radius)


def by_matplotlib(frame: Frame, colors: list[Array], radius: float) -> list[Image]:
    """Draw each cloud of the frame as `by_open3d` does, every ball as nested discs from far to near."""
    return [_discs(frame, i, colors[i], radius) for i in range(len(frame.clouds))]


def _discs(frame: Frame, i: int, colors: Array, radius: float) -> Image:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import EllipseCollection
    from matplotlib.figure import Figure

    cloud = frame.clouds[i]
    order = np.argsort(cloud[:, 2])
    centres = frame.project(cloud)[order]  # (N, 2) pixels
    radii = radius * frame.focal / (frame.distance - cloud[order, 2])  # (N,)
    # Each disc is where the ball's normal leans towards the light by an angle; it has the colour of that place.
    lean = LIGHT[:2] / np.linalg.norm(LIGHT[:2])
    discs = _DISCS if np.median(radii) > 1.2 else _DISCS[1:2]  # a point of two pixels shows no light and shade
    offset, size, rim = discs.T
    normals = np.concatenate([rim[:, None] * lean, np.sqrt(1 - rim**2)[:, None]], axis=1)  # (4, 3)
    factor, gloss = lit(normals)
    places = centres[:, None] + radii[:, None, None] * offset[:, None] * lean  # (N, 4, 2)
    diameters = (2 * radii[:, None] * size).reshape(-1)
    shades = np.clip(colors[order, None] * factor[:, None] + gloss[:, None], 0.0, 1.0)  # (N, 4, 3)
    figure = Figure(figsize=(frame.width, frame.height), dpi=1, facecolor="none")  # pixels
    canvas: Any = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(-frame.width / 2, frame.width / 2)
    axes.set_ylim(-frame.height / 2, frame.height / 2)
    axes.add_collection(
        EllipseCollection(
            diameters,
            diameters,
            np.zeros(len(diameters)),
            units="xy",
            offsets=places.reshape(-1, 2),
            offset_transform=axes.transData,
            facecolors=shades.reshape(-1, 3),
            linewidths=0,
        )
    )
    canvas.draw()
    return np.array(canvas.buffer_rgba())
