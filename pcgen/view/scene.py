"""What a window shows: clouds side by side in space, with captions below and titles left of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pcgen.errors import choose
from pcgen.view.boxes import edges
from pcgen.view.camera import Camera, Frame, frame
from pcgen.view.colors import COLORS, paint
from pcgen.view.inputs import Array, Drawable, drawables
from pcgen.view.layout import check_titles, layout
from pcgen.view.paging import pages_of
from pcgen.view.sheet import SCALES, captions_of, diameter_of
from pcgen.view.text import strip

__all__ = ["LINE", "Scene", "arrange", "pages"]

_CELL = 400  # pixels that a cell is laid out for; the window scales them
LINE = 44  # height of a caption
_GUTTER = 240
_ARRAYS = ("points", "sizes", "middles", "up", "edges", "edge_sizes")


@dataclass(frozen=True)
class Scene:
    """What a window holds: right, up and towards the viewer are the axes, and the pixel of a cell is the unit."""

    points: Array  # (M, 3), of all clouds
    sizes: npt.NDArray[np.int64]  # (S,), points of each cloud
    middles: Array  # (S, 3), what each cloud turns about
    up: Array  # (3,), the axis that it turns about
    colors: Mapping[str, Array]  # by name, (M, 3) each, those that are shown at first before the others
    radius: float
    captions: tuple[tuple[npt.NDArray[np.uint8], Array], ...]  # an image and its corners (4, 3) from the top left
    width: float
    height: float
    edges: Array  # (2 E, 3), both ends of each line of a box
    edge_sizes: npt.NDArray[np.int64]  # (S,), ends of lines of each cloud

    @property
    def full_height(self) -> float:
        """With the line below the clouds, and as much room above them."""
        return self.height + 2 * LINE

    def turned(self, angle: float) -> tuple[Array, Array]:
        """Points (M, 3) and ends of lines (2 E, 3) with every cloud turned by degrees about its own upright axis."""
        if angle == 0:
            return self.points, self.edges
        a, (x, y, z) = np.radians(angle), self.up
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        rotation = np.eye(3) + np.sin(a) * cross + (1 - np.cos(a)) * cross @ cross  # Rodrigues
        about, also = (np.repeat(self.middles, counts, axis=0) for counts in (self.sizes, self.edge_sizes))
        return about + (self.points - about) @ rotation.T, also + (self.edges - also) @ rotation.T

    def save(self, path: Path) -> None:
        """Write all of it to an .npz."""
        arrays: dict[str, Any] = {name: getattr(self, name) for name in _ARRAYS}
        arrays["numbers"] = np.array([self.radius, self.width, self.height])
        arrays["names"] = np.array(list(self.colors))
        arrays |= {f"color{i}": color for i, color in enumerate(self.colors.values())}
        for i, (image, corners) in enumerate(self.captions):
            arrays |= {f"image{i}": image, f"corners{i}": corners}
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> Scene:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            count = sum(name.startswith("image") for name in arrays)
            radius, width, height = arrays["numbers"].tolist()
            return cls(
                **{name: arrays[name] for name in _ARRAYS},
                colors={name: arrays[f"color{i}"] for i, name in enumerate(arrays["names"].tolist())},
                radius=radius,
                captions=tuple((arrays[f"image{i}"], arrays[f"corners{i}"]) for i in range(count)),
                width=width,
                height=height,
            )


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
    items = drawables(clouds)
    texts = captions_of(items, captions, colors)
    whole = _Whole.of(items, colors, scale, camera or Camera(), point_size)
    return whole.arranged(range(len(items)), texts, rows, groups, columns)


def pages(
    clouds: Any,
    captions: Sequence[str] | None = None,
    rows: Sequence[str] | None = None,
    groups: Sequence[int] | None = None,
    colors: str = "height",
    columns: int | None = None,
    point_size: float | None = None,
    scale: str = "shared",
    camera: Camera | None = None,
    page: int = 16,
) -> list[Scene]:
    """Scenes of at most this many clouds of each group, in their order; all groups beside each other on each page.

    All pages have one scale, one size of points and the same colourings. Rows with titles of their own, which are not
    groups, stay on one page.
    """
    items = drawables(clouds)
    texts = captions_of(items, captions, colors)
    layout(1, [1] * len(items), columns, groups=groups)  # what cannot be laid out is refused
    if rows and groups and len(rows) != len(groups):
        raise ValueError(f"rows: must be one title for each of the {len(groups)} groups, got {len(rows)}")
    whole = _Whole.of(items, colors, scale, camera or Camera(), point_size)
    scenes = []
    for places, there in pages_of(groups or [len(items)], len(items) if rows and not groups else page):
        titles = [rows[group] for group in there] if rows and groups else rows
        sizes = [len(group) for group in places] if groups else None
        flat = [place for group in places for place in group]
        scenes.append(whole.arranged(flat, [texts[place] for place in flat], titles, sizes, columns))
    return scenes


@dataclass(frozen=True)
class _Whole:
    """All clouds of a viewing, framed together, so that they can be compared from page to page."""

    framed: Frame
    camera: Camera
    palettes: Mapping[str, list[Array]]  # by name, (N_i, 3) of each cloud, those that are asked for before the others
    radius: float

    @classmethod
    def of(cls, items: list[Drawable], colors: str, scale: str, camera: Camera, point_size: float | None) -> _Whole:
        choose(scale, SCALES, "scale")
        marks = [edges(item.boxes) for item in items]
        framed = frame([item.points for item in items], camera, _CELL, scale, marks=marks)
        labelled = all(item.label is not None for item in items)
        others = [name for name in COLORS if name != colors and (name != "label" or labelled)]
        palettes = {name: paint(items, name) for name in (colors, *others)}
        return cls(framed, camera, palettes, diameter_of(framed, point_size) / 2)

    def arranged(
        self,
        chosen: Sequence[int],
        texts: list[str],
        rows: Sequence[str] | None,
        groups: Sequence[int] | None,
        columns: int | None,
    ) -> Scene:
        """A scene of the chosen clouds, with a text for each."""
        framed = self.framed.of(chosen)
        texts = [f"{text}  {framed.scale_of(i)}".strip() for i, text in enumerate(texts)]
        caption = LINE if any(texts) else 0
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
        labels += [_label(row, at(0, middle - LINE / 2), _GUTTER) for row, middle in titled]
        clouds = [cloud * pixels + shift for cloud, shift in zip(framed.clouds, shifts, strict=True)]
        lines = [mark * pixels + shift for mark, shift in zip(framed.marks, shifts, strict=True)]
        return Scene(
            points=np.concatenate(clouds),
            sizes=np.array([len(cloud) for cloud in clouds]),
            middles=np.stack([(cloud.min(axis=0) + cloud.max(axis=0)) / 2 for cloud in clouds]),
            up=self.camera.axes() @ np.array([0.0, 1.0, 0.0]),
            colors={name: np.concatenate([own[i] for i in chosen]) for name, own in self.palettes.items()},
            radius=self.radius,
            captions=tuple(labels),
            width=float(places.width),
            height=float(places.height),
            edges=np.concatenate(lines),
            edge_sizes=np.array([len(line) for line in lines]),
        )


def _label(text: str, corner: Array, width: int) -> tuple[npt.NDArray[np.uint8], Array]:
    """An image of a text and its corners (4, 3), clockwise from the top left one."""
    right, down = np.array([width, 0.0, 0.0]), np.array([0.0, -LINE, 0.0])
    return strip(text, width, LINE), np.stack([corner, corner + right, corner + right + down, corner + down])
