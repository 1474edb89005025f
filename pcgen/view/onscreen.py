"""The process that opens a window: `python -m pcgen.view.onscreen scene.npz TITLE`."""

import signal
import sys
from pathlib import Path

from pcgen.view.scene import Scene, populate

__all__ = ["OPENED", "main"]

OPENED = "pcgen: the window is open"


def main(path: Path, title: str) -> None:
    """Show the scene of a file (written by `Scene.save`), say `OPENED` once it is seen, and return when it is closed.

    Raises:
        RuntimeError: Open3D got no window.
    """
    import open3d as o3d

    # Open3D's loop runs no Python, so that Python's own handler of Ctrl-C would never be called.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    scene = Scene.load(path)
    enlarged = min(1600 / scene.width, 1000 / scene.height)
    window = o3d.visualization.Visualizer()
    if not window.create_window(title, round(scene.width * enlarged), round(scene.height * enlarged)):
        raise RuntimeError("Open3D got no window on this display")
    populate(window, scene)
    print(OPENED, flush=True)
    window.run()
    window.destroy_window()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
