"""The process that opens a window: `python -m pcgen.view.onscreen FOLDER TITLE`, with its keys."""

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pcgen.view.scene import Scene
from pcgen.view.stage import Stage
from pcgen.view.viewing import KEYS, Change, Viewing

__all__ = ["OPENED", "Window", "main"]

OPENED = "pcgen: the window is open"
_ROOM = (1300, 720)  # pixels: a window of this size fits a screen of 1366 x 768


class Window:
    """The pages of a viewing in an Open3D window, which keys change.

    Args:
        window: of Open3D, created.
        scenes: one for each page.
        folder: where pictures are saved.
    """

    def __init__(self, window: Any, scenes: list[Scene], folder: Path) -> None:
        self._window, self._scenes, self._folder = window, scenes, folder
        self.viewing = Viewing(len(scenes), tuple(scenes[0].colors))
        self._stage = Stage(window)
        self._at = time.monotonic()
        self._stage.fill(scenes[0], self.viewing)
        self._stage.look()

    def pressed(self, action: str) -> None:
        """Do what a key stands for."""
        change = self.viewing.press(action)
        if change is Change.CLOSE:
            self._window.close()
            return
        if change is Change.SAVE:
            self._save()
        self._stage.fill(self._scenes[self.viewing.page], self.viewing)
        if change is Change.VIEW:
            self._stage.look()
        if action == "turn":
            self._at = time.monotonic()
            # With a callback Open3D draws all the time, so there is one only while there is something to draw.
            self._window.register_animation_callback(self.tick if self.viewing.turning else None)

    def tick(self, _: Any) -> bool:
        """Turn the clouds by the time that has passed."""
        now = time.monotonic()
        self.viewing.pass_time(now - self._at)
        self._at = now
        self._stage.turn()
        return False  # the geometry is updated already

    def _save(self) -> None:
        """Save what is seen as the first pcgen-1.png, pcgen-2.png, ... that is not there."""
        number = next(k for k in range(1, 10_000) if not (self._folder / f"pcgen-{k}.png").exists())
        path = self._folder / f"pcgen-{number}.png"
        self._window.capture_screen_image(str(path), do_render=True)
        self.viewing.said = f"saved as {path.name}" if path.is_file() else f"{path} could not be written"


def main(folder: Path, title: str) -> None:
    """Show the scenes of a folder (written by `Scene.save`), say `OPENED` once they are seen, return when it is closed.

    Raises:
        RuntimeError: Open3D got no window.
    """
    import open3d as o3d

    # Open3D's loop runs no Python, so that Python's own handler of Ctrl-C would never be called.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    scenes = [Scene.load(path) for path in sorted(folder.glob("*.npz"))]
    width, height = max(scene.width for scene in scenes), max(scene.full_height for scene in scenes)
    enlarged = min(_ROOM[0] / width, _ROOM[1] / height)
    window = o3d.visualization.VisualizerWithKeyCallback()
    if not window.create_window(title, round(width * enlarged), round(height * enlarged)):
        raise RuntimeError("Open3D got no window on this display")
    shown = Window(window, scenes, Path.cwd())

    def calling(action: str) -> Callable[[Any], bool]:
        def callback(_: Any) -> bool:
            shown.pressed(action)
            return False

        return callback

    for code, action in KEYS.items():
        window.register_key_callback(code, calling(action))
    print(OPENED, flush=True)
    window.run()
    window.destroy_window()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
