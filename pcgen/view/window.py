"""An Open3D window with many clouds in a grid, to turn and look at."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pcgen.errors import choose
from pcgen.view.ball import mesh_of_balls
from pcgen.view.camera import Camera, frame
from pcgen.view.colors import paint
from pcgen.view.engines import mend
from pcgen.view.inputs import Array, drawables
from pcgen.view.layout import columns_for, layout
from pcgen.view.sheet import SCALES, captions_of, diameter_of
from pcgen.view.text import strip

__all__ = ["Scene", "arrange", "populate", "show"]

_CELL = 400  # pixels that a cell is laid out for; the window scales them
_FIELD = 20.0  # degrees across: a mild perspective
_CAPTION = 44


@dataclass(frozen=True)
class Scene:
    """What a window holds: right, up and towards the viewer are the axes, and the pixel of a cell is the unit."""

    points: Array  # (M, 3), of all clouds
    colors: Array  # (M, 3)
    radius: float
    captions: tuple[tuple[npt.NDArray[np.uint8], Array], ...]  # an image and its corners (4, 3) from the top left
    width: float
    height: float


def show(
    clouds: Any,
    *,
    captions: Sequence[str] | None = None,
    colors: str = "height",
    columns: int | None = None,
    point_size: float | None = None,
    scale: str = "shared",
    camera: Camera | None = None,
    title: str = "pcgen",
) -> None:
    """Open a window with clouds in a grid and return when it is closed; arguments are those of `picture`.

    Drag to turn, shift-drag to roll, control-drag to move, wheel to zoom; R is the first view again, P saves what is
    seen, H prints every key, Q closes.

    Raises:
        ValueError: as `picture`.
        OSError: there is no display, or Open3D is missing or gets no window; the message has the line that mends it.
    """
    scene = arrange(clouds, captions, colors, columns, point_size, scale, camera)
    instead = "or draw a picture without a screen: pcgen.view.picture(clouds, 'out.png'), pcgen view ... --png out.png"
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise OSError(f"show: there is no display (DISPLAY is not set); log in with ssh -X, {instead}")
    try:
        import open3d as o3d
    except (ImportError, OSError) as error:
        raise OSError(f"show: Open3D cannot be imported ({error}); {mend(str(error))}, {instead}") from error
    window = o3d.visualization.Visualizer()
    enlarged = min(1600 / scene.width, 1000 / scene.height)
    if not window.create_window(title, round(scene.width * enlarged), round(scene.height * enlarged)):
        raise OSError(f"show: Open3D got no window on this display; {mend('')}, {instead}")
    try:
        populate(window, scene)
        window.run()
    finally:
        window.destroy_window()


def arrange(
    clouds: Any,
    captions: Sequence[str] | None = None,
    colors: str = "height",
    columns: int | None = None,
    point_size: float | None = None,
    scale: str = "shared",
    camera: Camera | None = None,
) -> Scene:
    """Put clouds side by side as `picture` does, in space."""
    choose(scale, SCALES, "scale")
    items = drawables(clouds)
    framed = frame([item.points for item in items], camera or Camera(), _CELL, scale)
    texts = captions_of(items, captions, colors)
    texts = [f"{text}  {framed.scale_of(i)}".strip() for i, text in enumerate(texts)]
    columns = columns_for(len(items)) if columns is None else columns
    places = layout(_CELL, framed.heights, columns, _CAPTION if any(texts) else 0)
    pixels = framed.focal / framed.distance  # of one unit of the frame, at the middle of a cloud
    tops = np.array([(left + _CELL / 2, -top, 0.0) for left, top in places.cells])
    tops += (-places.width / 2, places.height / 2, 0.0)  # the middle of each cell's upper edge
    heights = np.array([places.row_height(i) for i in range(len(items))])
    shifts = tops - np.stack([np.zeros_like(heights), heights / 2, np.zeros_like(heights)], axis=1)
    labels = []
    for text, (x, y, _), height in zip(texts, tops, heights, strict=True):
        if not text:
            continue
        image = strip(text, _CELL, _CAPTION)
        right, top, bottom = x + _CELL / 2, y - height, y - height - _CAPTION
        left = x - _CELL / 2
        corners = np.array([(left, top, 0), (right, top, 0), (right, bottom, 0), (left, bottom, 0)], dtype=np.float64)
        labels.append((image, corners))
    return Scene(
        np.concatenate([cloud * pixels + shift for cloud, shift in zip(framed.clouds, shifts, strict=True)]),
        np.concatenate(paint(items, colors)),
        diameter_of(framed, point_size) / 2,
        tuple(labels),
        float(places.width),
        float(places.height),
    )


def populate(window: Any, scene: Scene) -> None:
    """Fill an Open3D window: balls as far as a processor without graphics turns them smoothly, plain points beyond."""
    import open3d as o3d

    options = window.get_render_option()
    options.background_color = np.ones(3)
    options.light_on = False  # the balls are lit already, and captions are to be white
    count = len(scene.points)
    if count > 200_000:
        cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(scene.points))
        cloud.colors = o3d.utility.Vector3dVector(scene.colors)
        options.point_size = max(1.0, 2 * scene.radius)
        window.add_geometry(cloud)
    else:
        level = 2 if count <= 8_000 else 1 if count <= 40_000 else 0
        window.add_geometry(mesh_of_balls(scene.points, scene.colors, scene.radius, level))
    for image, corners in scene.captions:
        # Both sides, or the caption vanishes when the grid is seen from behind.
        faces = np.array([[0, 2, 1], [0, 3, 2], [0, 1, 2], [0, 2, 3]])
        label = o3d.geometry.TriangleMesh(o3d.utility.Vector3dVector(corners), o3d.utility.Vector3iVector(faces))
        # Not from edge to edge: a texture's edge blends with the opposite one.
        uv = np.array([[0.01, 0.05], [0.99, 0.05], [0.99, 0.95], [0.01, 0.95]])
        label.triangle_uvs = o3d.utility.Vector2dVector(uv[faces].reshape(-1, 2))
        label.triangle_material_ids = o3d.utility.IntVector([0] * len(faces))
        pixels: Any = image  # Open3D's stubs know no array
        label.textures = [o3d.geometry.Image(pixels)]
        window.add_geometry(label)
    view = window.get_view_control()
    view.change_field_of_view(_FIELD - view.get_field_of_view())
    view.set_lookat(np.zeros(3))
    view.set_front(np.array([0.0, 0.0, 1.0]))
    view.set_up(np.array([0.0, 1.0, 0.0]))
    # Open3D shows `zoom` times the longest side of the bounding box above its middle, and as much below.
    solid = np.concatenate([scene.points - scene.radius, scene.points + scene.radius, *(c for _, c in scene.captions)])
    view.set_zoom(0.52 * scene.height / float(np.ptp(solid, axis=0).max()))
