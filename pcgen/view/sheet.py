"""A picture of many clouds in one PNG, drawn without a screen."""

import io
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pcgen.errors import choose
from pcgen.view import engines
from pcgen.view.boxes import COLOR, edges
from pcgen.view.camera import Camera, Frame, frame
from pcgen.view.colors import fade, paint
from pcgen.view.files import target, write
from pcgen.view.inputs import Drawable, drawables
from pcgen.view.layout import Layout, layout, shorten
from pcgen.view.shadow import shadows
from pcgen.view.text import font as make_font

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

__all__ = ["ENGINES", "SCALES", "Picture", "captions_of", "check_titles", "diameter_of", "picture"]

ENGINES = ("auto", "open3d", "matplotlib")
SCALES = ("shared", "each")
_BOX = tuple(round(255 * part) for part in COLOR)


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

    The boxes of scenes are drawn over them, and captions by name tell how many there are.

    Args:
        clouds: a `pcgen.data.Clouds`, a tensor (S, N, 3) or (N, 3), or a list of sets or of (N_i, 3), of any unit.
        path: the .png to write; missing folders are made.
        captions: one line below each cloud; by default the names of a cloud set (its classes with `colors="label"`),
            nothing for tensors; `()` for none.
        rows: a title left of each row of the grid, or of each group.
        groups: how many clouds belong together, one number a group: each group begins a row.
        colors: "height" (each cloud from its lowest point to its highest), "label" or "order" (of the points).
        columns: clouds side by side; chosen by their number otherwise.
        size: width of a cell in pixels; by default what makes the sheet about 1920 wide, between 120 and 640.
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
    choose(engine, ENGINES, "engine")
    choose(scale, SCALES, "scale")
    path = target(path, overwrite)
    items = drawables(clouds)
    texts = captions_of(items, captions, colors)
    columns = layout(1, [1] * len(items), columns, groups=groups).columns
    width = min(640, max(120, 1920 // columns)) if size is None else size
    if not 32 <= width <= 4096:
        raise ValueError(f"size: must be 32 to 4096 pixels, got {width}")
    painted = paint(items, colors)
    marks = [edges(item.boxes) for item in items]
    framed = frame([item.points for item in items], camera or Camera(), width, scale, marks=marks)
    faded = [fade(color, cloud[:, 2]) for color, cloud in zip(painted, framed.clouds, strict=True)]
    radius = diameter_of(framed, point_size) / 2 * framed.distance / framed.focal
    style = _style(framed, texts, rows, groups, columns)
    used, note, images = "open3d", "", []
    if engine != "matplotlib":
        try:
            images = engines.by_open3d(framed, faded, radius)
        except engines.NotDrawn as reason:
            note = f"{reason}; for Open3D: {engines.remedy(str(reason))}"
            if engine == "open3d":
                raise ValueError(f"engine: 'open3d' cannot draw here: {note}; or engine='matplotlib'") from reason
            warnings.warn(f"drawn by matplotlib: {note}", stacklevel=2)
    if not images:
        used, images = "matplotlib", engines.by_matplotlib(framed, faded, radius)
    _write(_compose(images, framed, texts, style), path, used)
    return Picture(path, used, note)


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


def check_titles(rows: Sequence[str] | None, places: Layout) -> None:
    """Refuse another number of titles than that of rows or groups.

    Raises:
        ValueError: as said.
    """
    count = len(places.title_middles)
    if rows and len(rows) != count:
        kind = f"the {count} rows of the grid" if count == len(places.rows) else f"the {count} groups"
        raise ValueError(f"rows: must be one title for each of {kind}, got {len(rows)}")


@dataclass(frozen=True)
class _Style:
    places: Layout
    pixels: int  # height of the captions' letters
    titles: tuple[str, ...]  # shortened to what the gutter holds


def _style(
    framed: Frame, captions: list[str], rows: Sequence[str] | None, groups: Sequence[int] | None, columns: int
) -> _Style:
    """Where all stands; made before anything is drawn, so that what cannot be laid out is refused at once."""
    pixels = round(min(26, max(11, framed.width / 16)))
    measure = _title_font(pixels).getlength
    titles = tuple(shorten(row, measure, max(framed.width, 160)) for row in rows or ())
    gutter = round(max(map(measure, titles)) + 1.5 * pixels) if titles else 0
    caption_height = round(1.9 * pixels) if any(captions) else 0
    places = layout(framed.width, framed.heights, columns, caption_height, gutter, groups)
    check_titles(rows, places)
    return _Style(places, pixels, titles)


def _title_font(pixels: int) -> "FreeTypeFont":
    return make_font(round(pixels * 1.15))


def _compose(images: list[engines.Image], framed: Frame, captions: list[str], style: _Style) -> Any:
    """The sheet as a PIL image: cells, captions below them, titles of rows left of them."""
    from PIL import Image, ImageDraw

    places, pixels = style.places, style.pixels
    font, small, title = make_font(pixels), make_font(round(0.8 * pixels)), _title_font(pixels)
    sheet = Image.new("RGB", (places.width, places.height), "white")
    draw = ImageDraw.Draw(sheet)
    grounds = shadows(framed)
    for i, (image, caption, (left, top)) in enumerate(zip(images, captions, places.cells, strict=True)):
        height = places.row_height(i)
        spare = (framed.height - height) // 2
        balls = Image.fromarray(image[spare : spare + height])
        sheet.paste(Image.fromarray(grounds[i][spare : spare + height]), (left, top))
        sheet.paste(balls, (left, top), mask=balls)
        for start, end in framed.project(framed.marks[i]).reshape(-1, 2, 2) * (1, -1):
            middle_of_cell = np.array([left + framed.width / 2, top + height / 2])
            line = [*(middle_of_cell + start), *(middle_of_cell + end)]
            draw.line(line, fill=_BOX, width=max(1, framed.width // 160))
        corner = (left + framed.width * 0.96, top + height - 0.4 * pixels)
        draw.text(corner, framed.scale_of(i), fill=(120, 120, 120), font=small, anchor="rs")
        text = shorten(caption, font.getlength, framed.width * 0.96)
        middle = (left + framed.width / 2, top + height + 0.6 * pixels)
        draw.text(middle, text, fill=(40, 40, 40), font=font, anchor="mm")
    for row, level in zip(style.titles, places.title_middles, strict=False):
        draw.text((0.75 * pixels, level), row, fill=(20, 20, 20), font=title, anchor="lm")
    return sheet


def _write(sheet: Any, path: Path, engine: str) -> None:
    """Save whole or not at all; the PNG itself says what drew it."""
    from PIL.PngImagePlugin import PngInfo

    said = PngInfo()
    said.add_text("Software", f"pcgen, {engine}")
    data = io.BytesIO()
    sheet.save(data, format="PNG", pnginfo=said, optimize=True)
    write(path, data.getvalue())
