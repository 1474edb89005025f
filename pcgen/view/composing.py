"""A sheet of drawn cells: captions below them, titles of rows left of them, boxes over them, shadows under them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pcgen.view.boxes import COLOR
from pcgen.view.camera import Fit, Frame
from pcgen.view.engines import Image
from pcgen.view.layout import Layout, check_titles, layout, shorten
from pcgen.view.shadow import shadows
from pcgen.view.text import font as make_font

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageFont import FreeTypeFont

__all__ = ["Style", "compose", "style_of"]

_BOX = tuple(round(255 * part) for part in COLOR)


@dataclass(frozen=True)
class Style:
    """Where all stands on a sheet, and its words."""

    places: Layout
    pixels: int  # height of the captions' letters
    captions: tuple[str, ...]  # one for each cell, "" for none
    titles: tuple[str, ...]  # shortened to what the gutter holds


def style_of(
    fit: Fit, captions: list[str], rows: Sequence[str] | None, groups: Sequence[int] | None, columns: int
) -> Style:
    """Made before anything is drawn, so that what cannot be laid out is refused at once.

    Raises:
        ValueError: another number of titles than that of rows or groups.
    """
    pixels = round(min(26, max(11, fit.width / 16)))
    measure = _title_font(pixels).getlength
    titles = tuple(shorten(row, measure, max(fit.width, 160)) for row in rows or ())
    gutter = round(max(map(measure, titles)) + 1.5 * pixels) if titles else 0
    caption_height = round(1.9 * pixels) if any(captions) else 0
    places = layout(fit.width, fit.heights, columns, caption_height, gutter, groups)
    check_titles(rows, places)
    return Style(places, pixels, tuple(captions), titles)


def compose(images: list[Image], framed: Frame, style: Style) -> "Picture":
    """The sheet of the cells' images, each (height, width, 4)."""
    from PIL import Image, ImageDraw

    places, pixels = style.places, style.pixels
    font, small, title = make_font(pixels), make_font(round(0.8 * pixels)), _title_font(pixels)
    sheet = Image.new("RGB", (places.width, places.height), "white")
    draw = ImageDraw.Draw(sheet)
    grounds = shadows(framed)
    for i, (image, caption, (left, top)) in enumerate(zip(images, style.captions, places.cells, strict=True)):
        height = places.row_height(i)
        spare = (framed.height - height) // 2
        balls = Image.fromarray(image[spare : spare + height])
        sheet.paste(Image.fromarray(grounds[i][spare : spare + height]), (left, top))
        sheet.paste(balls, (left, top), mask=balls)
        if framed.marks:
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


def _title_font(pixels: int) -> "FreeTypeFont":
    return make_font(round(pixels * 1.15))
