"""Captions as pixels, in the font that matplotlib brings."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pcgen.view.layout import shorten

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

__all__ = ["font", "strip"]


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
