"""What an Open3D window holds of a scene: balls, boxes, captions, the line below them and the list of keys."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pcgen.view.ball import mesh_of_balls
from pcgen.view.boxes import COLOR
from pcgen.view.inputs import Array
from pcgen.view.scene import LINE, Scene
from pcgen.view.text import panel, strip
from pcgen.view.viewing import LEGEND, Viewing

__all__ = ["Stage"]

_FIELD = 20.0  # degrees across: a mild perspective
_MOST_BALLS = 200_000  # beyond, a processor without graphics does not turn balls smoothly
_PANEL = (720, 40)  # width of the list of keys, and height of its lines


class Stage:
    """Fills an Open3D window, again and again."""

    def __init__(self, window: Any) -> None:
        self._window = window
        self._scene: Scene
        self._viewing: Viewing
        self._cloud: Any = None
        self._lines: Any = None

    def fill(self, scene: Scene, viewing: Viewing) -> None:
        """Show a scene as the viewing says: balls as far as they turn smoothly, plain points beyond."""
        import open3d as o3d

        first = self._cloud is None
        self._scene, self._viewing = scene, viewing
        options = self._window.get_render_option()
        options.background_color = np.ones(3)
        options.light_on = False  # the balls are lit already, and captions are to be white
        self._window.clear_geometries()
        points, _ = scene.turned(viewing.angle)
        if len(points) > _MOST_BALLS:
            self._cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
            self._cloud.colors = o3d.utility.Vector3dVector(scene.colors[viewing.color])
            options.point_size = max(1.0, 2 * scene.radius * viewing.size)
        else:
            self._cloud = self._balls()
        self._window.add_geometry(self._cloud, reset_bounding_box=first)
        if len(scene.edges):
            pairs = np.arange(len(scene.edges), dtype=np.int32).reshape(-1, 2)
            self._lines = o3d.geometry.LineSet(
                o3d.utility.Vector3dVector(scene.turned(viewing.angle)[1]), o3d.utility.Vector2iVector(pairs)
            )
            self._lines.paint_uniform_color(COLOR)
            self._window.add_geometry(self._lines, reset_bounding_box=first)
        for image, corners in (*scene.captions, *self._words()):
            self._window.add_geometry(_label(image, corners), reset_bounding_box=first)

    def look(self) -> None:
        """Look at the scene from the front, at all of it."""
        view, scene = self._window.get_view_control(), self._scene
        self._window.reset_view_point(True)  # the room is that of what is there now
        view.change_field_of_view(_FIELD - view.get_field_of_view())
        view.set_lookat(np.zeros(3))
        view.set_front(np.array([0.0, 0.0, 1.0]))
        view.set_up(np.array([0.0, 1.0, 0.0]))
        # Open3D shows `zoom` times the longest side of the bounding box above its middle, and as much below.
        corners = [corners for _, corners in (*scene.captions, *self._words())]
        points, radius = scene.turned(self._viewing.angle)[0], scene.radius * self._viewing.size
        solid = np.concatenate([points - radius, points + radius, *corners])
        view.set_zoom(0.52 * scene.full_height / float(np.ptp(solid, axis=0).max()))

    def turn(self) -> None:
        """Move the clouds to where they have turned by now."""
        import open3d as o3d

        points, ends = self._scene.turned(self._viewing.angle)
        if len(points) > _MOST_BALLS:
            self._cloud.points = o3d.utility.Vector3dVector(points)
        else:
            self._cloud.vertices = self._balls().vertices
        self._window.update_geometry(self._cloud)
        if self._lines is not None and len(ends):
            self._lines.points = o3d.utility.Vector3dVector(ends)
            self._window.update_geometry(self._lines)

    def _balls(self) -> Any:
        scene, viewing = self._scene, self._viewing
        count = len(scene.points)
        level = 2 if count <= 8_000 else 1 if count <= 40_000 else 0
        level = min(level, 1 if count <= 8_000 else 0) if viewing.turning else level
        points, _ = scene.turned(viewing.angle)
        return mesh_of_balls(points, scene.colors[viewing.color], scene.radius * viewing.size, level)

    def _words(self) -> list[tuple[npt.NDArray[np.uint8], Array]]:
        """The line below the clouds and, if it is asked for, the list of keys before them."""
        scene = self._scene
        below = -scene.height / 2 - LINE
        words = [(strip(self._viewing.line, round(scene.width), LINE), _rectangle(scene.width, LINE, below, 0.0))]
        if self._viewing.listed:
            width, line = _PANEL
            image = panel([f"{keys}  -  {what}" for keys, what in LEGEND], width, line)
            scale = min(1.0, 0.9 * scene.width / width, 0.9 * scene.full_height / len(image))
            high = scale * len(image)
            nearest = float(scene.points[:, 2].max()) + 2 * scene.radius * self._viewing.size
            words.append((image, _rectangle(scale * width, high, -high / 2, nearest)))
        return words


def _rectangle(width: float, height: float, bottom: float, depth: float) -> Array:
    """Corners (4, 3), clockwise from the top left one, of an image in the middle from left to right."""
    left, right, top = -width / 2, width / 2, bottom + height
    return np.array([[left, top, depth], [right, top, depth], [right, bottom, depth], [left, bottom, depth]])


def _label(image: npt.NDArray[np.uint8], corners: Array) -> Any:
    import open3d as o3d

    # Both sides, or the caption vanishes when the grid is seen from behind.
    faces = np.array([[0, 2, 1], [0, 3, 2], [0, 1, 2], [0, 2, 3]])
    label = o3d.geometry.TriangleMesh(o3d.utility.Vector3dVector(corners), o3d.utility.Vector3iVector(faces))
    # Not from edge to edge: a texture's edge blends with the opposite one.
    uv = np.array([[0.01, 0.05], [0.99, 0.05], [0.99, 0.95], [0.01, 0.95]])
    label.triangle_uvs = o3d.utility.Vector2dVector(uv[faces].reshape(-1, 2))
    label.triangle_material_ids = o3d.utility.IntVector([0] * len(faces))
    pixels: Any = image  # Open3D's stubs know no array
    label.textures = [o3d.geometry.Image(pixels)]
    return label
