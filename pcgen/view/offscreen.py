"""The process that draws with Open3D without a screen: `python -m pcgen.view.offscreen FOLDER`."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from pcgen.view.ball import mesh_of_balls
from pcgen.view.engines import SUPERSAMPLE, Image
from pcgen.view.inputs import Array

__all__ = ["main"]

_MOST_BALLS = 200_000  # beyond, points are a pixel or two across and Open3D runs out of memory


def main(folder: Path) -> None:
    """Draw the folder's request.npz, which `pcgen.view.engines.Open3D` writes, at each line that comes, till the end.

    Every cloud of it becomes an image in images.npy, (S, height, width, 4) uint8, which is there whole or not at all.
    All requests are of one size.

    Raises:
        RuntimeError: Open3D got no window.
    """
    import open3d as o3d

    window = o3d.visualization.Visualizer()
    opened = False
    for _ in sys.stdin:
        with np.load(folder / "request.npz", allow_pickle=False) as asked:
            given = dict(asked)
        if not opened:
            width, height = (int(pixels) for pixels in given["window"])
            if not window.create_window("pcgen", width, height, visible=False):
                raise RuntimeError("no window, with a screen or without")
            opened = True
        images = _draw(window, given)
        with (folder / "part.npy").open("wb") as file:
            np.save(file, images)
        os.replace(folder / "part.npy", folder / "images.npy")


def _draw(window: Any, given: dict[str, Any]) -> Image:
    """All clouds of a request, (S, height, width, 4)."""
    import open3d as o3d

    width, height = (int(pixels) for pixels in given["window"])
    focal, distance, radius = (float(given[name]) for name in ("focal", "distance", "radius"))
    options = window.get_render_option()
    options.background_color = np.ones(3)
    options.light_on = False  # the colours of the balls are lit already
    camera = o3d.camera.PinholeCameraParameters()
    camera.intrinsic = o3d.camera.PinholeCameraIntrinsic(width, height, focal, focal, width / 2 - 0.5, height / 2 - 0.5)
    # Points come in the viewer's axes (right, up, towards); Open3D's camera has right, down, away.
    camera.extrinsic = np.array([[1.0, 0, 0, 0], [0, -1.0, 0, 0], [0, 0, -1.0, distance], [0, 0, 0, 1.0]])
    pixels = radius * focal / distance
    level = 0 if pixels < 5 else 1 if pixels < 10 else 2
    images = []
    ends = np.cumsum(given["sizes"])
    for start, end in zip(ends - given["sizes"], ends, strict=True):
        points, colors = given["points"][start:end], given["colors"][start:end]
        window.clear_geometries()
        if len(points) > _MOST_BALLS:
            options.point_size = max(1.0, 2 * pixels)
            cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
            cloud.colors = o3d.utility.Vector3dVector(colors)
            window.add_geometry(cloud)
        else:
            window.add_geometry(mesh_of_balls(points, colors, radius, level))
        window.get_view_control().convert_from_pinhole_camera_parameters(camera, True)
        image = np.asarray(window.capture_screen_float_buffer(do_render=True))
        if image.shape != (height, width, 3):
            raise RuntimeError(f"a window of {image.shape[1]} x {image.shape[0]} pixels instead of {width} x {height}")
        images.append(_reduce(image))
    return np.stack(images)


def _reduce(image: Array) -> Image:
    """Every square of SUPERSAMPLE pixels as one, (height, width, 4): mean of what is not background, and its share."""
    rows, columns = image.shape[0] // SUPERSAMPLE, image.shape[1] // SUPERSAMPLE
    squares = image.reshape(rows, SUPERSAMPLE, columns, SUPERSAMPLE, 3)
    covered = (squares < 1.0).any(axis=-1, keepdims=True)
    share = covered.mean(axis=(1, 3))  # (rows, columns, 1)
    colour = (squares * covered).mean(axis=(1, 3)) / np.maximum(share, 1e-9)
    return np.asarray(np.rint(np.concatenate([colour, share], axis=-1) * 255), dtype=np.uint8)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
