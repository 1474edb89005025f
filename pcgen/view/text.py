"""Captions as pixels, in the font that matplotlib brings."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pcgen.view.layout import shorten

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

__all__ = ["font", "panel", "strip"]


def font(pixels: int) -> "FreeTypeFont":
    """DejaVu Sans of the given height: it has the letters of most languages."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), pixels)


def strip(text: str, width: int, height: int) -> npt.NDArray[np.uint8]:
    """A white image (height, width, 3) with the text, shortened to fit, in its middle."""
    from PIL import Image, ImageDraw

    face = font(round(height * 0.6))
    image = Image.new("RGB", (width, height), "white")
    line = shorten(text, face.getlength, width * 0.96)
    ImageDraw.Draw(image).text((width / 2, height / 2), line, fill=(40, 40, 40), font=face, anchor="mm")
    return np.array(image)


def panel(lines: Sequence[str], width: int, height: int) -> npt.NDArray[np.uint8]:
    """A white image with a frame and lines of text from its left, each of that height: (lines * height, width, 3)."""
    from PIL import Image, ImageDraw

    face, whole = font(round(height * 0.6)), height * (len(lines) + 1)
    image = Image.new("RGB", (width, whole), "white")
    draw = ImageDraw.Draw(image)
    rim = round(0.06 * whole)  # what a texture shows does not reach its edges
    draw.rectangle((12, rim, width - 13, whole - rim), outline=(150, 150, 150), width=2)
    for place, line in enumerate(lines, 1):
        text = shorten(line, face.getlength, width * 0.9)
        draw.text((width * 0.06, place * height), text, fill=(40, 40, 40), font=face, anchor="lm")
    return np.array(image)
