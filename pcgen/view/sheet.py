"""A picture of many clouds in one PNG, drawn without a screen."""

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

import numpy as np

from pcgen.errors import choose
from pcgen.view.boxes import edges
from pcgen.view.camera import Camera, Fit, Frame, fit
from pcgen.view.colors import fade, paint
from pcgen.view.composing import Style, compose, style_of
from pcgen.view.drawing import Drawing
from pcgen.view.files import target, write
from pcgen.view.inputs import Array, Drawable, drawables
from pcgen.view.layout import layout

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["SCALES", "Look", "Picture", "Sheet", "Shot", "captions_of", "diameter_of", "picture", "sheet"]

_ROOM = (1920, 640)  # pixels: width of the sheet, and the largest of a cell

SCALES = ("shared", "each")

Shot: TypeAlias = tuple[list[Drawable], Camera]
"""A cloud for each cell, and where they are looked at from."""


class Look(TypedDict, total=False):
    """How clouds are drawn: the arguments of `picture` of these names."""

    captions: Sequence[str] | None
    rows: Sequence[str] | None
    groups: Sequence[int] | None
    colors: str
    columns: int | None
    size: int | None
    point_size: float | None
    scale: str


@dataclass(frozen=True)
class Picture:
    """A picture on disk and how it was drawn; may be given wherever a path is expected."""

    path: Path
    engine: str  # "open3d" or "matplotlib"
    note: str = ""  # why not Open3D, in one line; empty where it drew

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return f"{self.path} (drawn by {self.engine})"


def picture(
    clouds: Any,
    path: str | os.PathLike[str],
    *,
    captions: Sequence[str] | None = None,
    rows: Sequence[str] | None = None,
    groups: Sequence[int] | None = None,
    colors: str = "height",
    columns: int | None = None,
    size: int | None = None,
    point_size: float | None = None,
    scale: str = "shared",
    camera: Camera | None = None,
    engine: str = "auto",
    overwrite: bool = False,
) -> Picture:
    """Draw clouds as small lit balls in a grid, from one camera, into a PNG; y is up.

    The boxes of scenes are drawn over them, and default captions give their number.

    Args:
        clouds: a `pcgen.data.Clouds`, a tensor (S, N, 3) or (N, 3), or a list of sets or of (N_i, 3), of any unit.
        path: the .png to write; missing folders are made.
        captions: one line below each cloud; by default the names of a cloud set (its classes with `colors="label"`),
            nothing for tensors; `()` for none.
        rows: a title left of each row of the grid, or of each group.
        groups: the number of clouds of each group; each group starts a new row.
        colors: "height" (each cloud from its lowest point to its highest), "label" or "order" (of the points).
        columns: clouds side by side; chosen by their number otherwise.
        size: width of a cell in pixels; by default such that the sheet is about 1920 wide, between 120 and 640.
        point_size: diameter of a point in pixels, at the middle of a cloud; chosen by the number of points otherwise.
        scale: "shared": one unit is equally long in every cell (a cloud of more than four times the median size is
            shrunk, and "1 : 12" in its corner says how much); "each": every cloud fills its cell.
        camera: where to look from.
        engine: "open3d", "matplotlib", or "auto": Open3D, and matplotlib where Open3D cannot draw, which the
            returned `Picture` and a warning say with the reason.
        overwrite: replace a picture that exists.

    Raises:
        ValueError: clouds that cannot be drawn (the message names the first), a wrong number of captions, an unknown
            name, or `engine="open3d"` where Open3D cannot draw.
        FileExistsError: the picture exists and `overwrite` is false.
    """
    path = target(path, overwrite)
    shot = drawables(clouds), camera or Camera()
    with Drawing(engine) as drawing:
        same = sheet(
            [shot],
            _ROOM,
            captions=captions,
            rows=rows,
            groups=groups,
            colors=colors,
            columns=columns,
            size=size,
            point_size=point_size,
            scale=scale,
        )
        drawn = same.draw(shot, drawing)
    _write(drawn, path, drawing.used)
    return Picture(path, drawing.used, drawing.note)


@dataclass(frozen=True)
class Sheet:
    """What is the same in all pictures of a film: how clouds are placed, their words and the size of a point."""

    fit: Fit
    style: Style
    radius: float  # of a point, in units of the frame
    colors: str

    def draw(self, shot: Shot, drawing: Drawing) -> "Image":
        """The sheet of a shot."""
        items, camera = shot
        marks = [edges(item.boxes) for item in items]
        framed = self.fit.frame([item.points for item in items], camera, marks)
        painted = zip(paint(items, self.colors), framed.clouds, strict=True)
        faded = [fade(color, cloud[:, 2]) for color, cloud in painted]
        return compose(drawing.cells(framed, faded, self.radius), framed, self.style)


def sheet(
    shots: Sequence[Shot],
    room: tuple[int, int],
    *,
    captions: Sequence[str] | None = None,
    rows: Sequence[str] | None = None,
    groups: Sequence[int] | None = None,
    colors: str = "height",
    columns: int | None = None,
    size: int | None = None,
    point_size: float | None = None,
    scale: str = "shared",
) -> Sheet:
    """How to draw all of the shots alike, each of as many clouds; the captions are those of the last one.

    Args:
        shots: what is to be drawn.
        room: width in pixels of the sheet, and the largest of a cell, unless `size` says that of a cell.
        captions, rows, groups, colors, columns, size, point_size, scale: as in `picture`.

    Raises:
        ValueError: as `picture`.
    """
    choose(scale, SCALES, "scale")
    items = shots[-1][0]
    texts = captions_of(items, captions, colors)
    columns = layout(1, [1] * len(items), columns, groups=groups).columns
    width = min(room[1], max(120, room[0] // columns)) if size is None else size
    if not 32 <= width <= 4096:
        raise ValueError(f"size: must be 32 to 4096 pixels, got {width}")
    paint(items, colors)  # a colour that these clouds have not is refused before anything is drawn
    fitted = fit([(_outlines(clouds, len(shots)), camera) for clouds, camera in shots], width, scale)
    style = style_of(fitted, texts, rows, groups, columns)
    framed = fitted.frame([item.points for item in items], shots[-1][1])
    radius = diameter_of(framed, point_size) / 2 * framed.distance / framed.focal
    return Sheet(fitted, style, radius, colors)


def _outlines(items: list[Drawable], shots: int) -> list[Array]:
    """What of each cloud takes the room that it needs: all points for one picture, the outermost for many."""
    return [item.points if shots == 1 else item.outermost for item in items]


def captions_of(items: list[Drawable], captions: Sequence[str] | None, colors: str) -> list[str]:
    """One caption for each cloud: the given ones, or the names of classes or clouds; "" for none."""
    if captions is None:
        return [(item.kind if colors == "label" else "") or _name(item) for item in items]
    if isinstance(captions, str) or len(captions) not in (0, len(items)):
        raise ValueError(
            f"captions: must be one for each of the {len(items)} clouds, got "
            + (repr(captions) if isinstance(captions, str) else str(len(captions)))
        )
    return [str(caption) for caption in captions] or [""] * len(items)


def _name(item: Drawable) -> str:
    return item.name if item.boxes is None else f"{item.name}: {len(item.boxes)}".removeprefix(": ")


def diameter_of(framed: Frame, asked: float | None) -> float:
    """Pixels of a point at the middle of a cloud; by default balls of the median cloud just hide its inside.

    Raises:
        ValueError: another diameter than one above 0 is asked for.
    """
    if asked is not None:
        if not 0 < asked <= framed.width:
            raise ValueError(f"point_size: must be a diameter in pixels, above 0 and below {framed.width}, got {asked}")
        return asked
    count = float(np.median([len(cloud) for cloud in framed.clouds]))
    return float(np.clip(0.95 * framed.width / count**0.5, max(1.5, framed.width / 250), framed.width / 18))


def _write(sheet: Any, path: Path, engine: str) -> None:
    """Save whole or not at all; the PNG itself says what drew it."""
    from PIL.PngImagePlugin import PngInfo

    said = PngInfo()
    said.add_text("Software", f"pcgen, {engine}")
    data = io.BytesIO()
    sheet.save(data, format="PNG", pnginfo=said, optimize=True)
    write(path, data.getvalue())
