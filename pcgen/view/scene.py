"""What a window shows: clouds side by side in space, with captions below and titles left of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pcgen.errors import choose
from pcgen.view.ball import mesh_of_balls
from pcgen.view.boxes import COLOR, edges
from pcgen.view.camera import Camera, frame
from pcgen.view.colors import paint
from pcgen.view.inputs import Array, drawables
from pcgen.view.layout import layout
from pcgen.view.sheet import SCALES, captions_of, check_titles, diameter_of
from pcgen.view.text import strip

__all__ = ["Scene", "arrange", "populate"]

_CELL = 400  # pixels that a cell is laid out for; the window scales them
_FIELD = 20.0  # degrees across: a mild perspective
_CAPTION = 44
_GUTTER = 240


@dataclass(frozen=True)
class Scene:
    """What a window holds: right, up and towards the viewer are the axes, and the pixel of a cell is the unit."""

    points: Array  # (M, 3), of all clouds
    colors: Array  # (M, 3)
    radius: float
    captions: tuple[tuple[npt.NDArray[np.uint8], Array], ...]  # an image and its corners (4, 3) from the top left
    width: float
    height: float
    edges: Array  # (2 E, 3), both ends of each line of a box

    def save(self, path: Path) -> None:
        """Write all of it to an .npz."""
        numbers = np.array([self.radius, self.width, self.height])
        arrays: dict[str, Any] = {"points": self.points, "colors": self.colors, "numbers": numbers, "edges": self.edges}
        for i, (image, corners) in enumerate(self.captions):
            arrays |= {f"image{i}": image, f"corners{i}": corners}
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> Scene:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            count = sum(name.startswith("image") for name in arrays)
            captions = tuple((arrays[f"image{i}"], arrays[f"corners{i}"]) for i in range(count))
            radius, width, height = arrays["numbers"].tolist()
            return cls(arrays["points"], arrays["colors"], radius, captions, width, height, arrays["edges"])


def arrange(
    clouds: Any,
    captions: Sequence[str] | None = None,
    rows: Sequence[str] | None = None,
    groups: Sequence[int] | None = None,
    colors: str = "height",
    columns: int | None = None,
    point_size: float | None = None,
    scale: str = "shared",
    camera: Camera | None = None,
) -> Scene:
    """Put clouds side by side as `picture` does, in space."""
    choose(scale, SCALES, "scale")
    items = drawables(clouds)
    marks = [edges(item.boxes) for item in items]
    framed = frame([item.points for item in items], camera or Camera(), _CELL, scale, marks=marks)
    texts = captions_of(items, captions, colors)
    texts = [f"{text}  {framed.scale_of(i)}".strip() for i, text in enumerate(texts)]
    caption = _CAPTION if any(texts) else 0
    places = layout(_CELL, framed.heights, columns, caption, _GUTTER if rows else 0, groups)
    check_titles(rows, places)
    pixels = framed.focal / framed.distance  # of one unit of the frame, at the middle of a cloud

    def at(left: float, top: float) -> Array:
        return np.array([left - places.width / 2, places.height / 2 - top, 0.0])

    shifts, labels = [], []
    for i, (left, top) in enumerate(places.cells):
        height = places.row_height(i)
        shifts.append(at(left + _CELL / 2, top + height / 2))
        if texts[i]:
            labels.append(_label(texts[i], at(left, top + height), _CELL))
    titled = zip(rows, places.title_middles, strict=True) if rows else ()
    labels += [_label(row, at(0, middle - _CAPTION / 2), _GUTTER) for row, middle in titled]
    return Scene(
        np.concatenate([cloud * pixels + shift for cloud, shift in zip(framed.clouds, shifts, strict=True)]),
        np.concatenate(paint(items, colors)),
        diameter_of(framed, point_size) / 2,
        tuple(labels),
        float(places.width),
        float(places.height),
        np.concatenate([mark * pixels + shift for mark, shift in zip(framed.marks, shifts, strict=True)]),
    )


def _label(text: str, corner: Array, width: int) -> tuple[npt.NDArray[np.uint8], Array]:
    """An image of a text and its corners (4, 3), clockwise from the top left one."""
    right, down = np.array([width, 0.0, 0.0]), np.array([0.0, -_CAPTION, 0.0])
    return strip(text, width, _CAPTION), np.stack([corner, corner + right, corner + right + down, corner + down])


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
    if len(scene.edges):
        lines = o3d.geometry.LineSet(
            o3d.utility.Vector3dVector(scene.edges),
            o3d.utility.Vector2iVector(np.arange(len(scene.edges), dtype=np.int32).reshape(-1, 2)),
        )
        lines.paint_uniform_color(COLOR)
        window.add_geometry(lines)
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
