"""Writing pictures as a film, one after another: a .gif by Pillow, an .mp4 by ffmpeg."""

import io
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pcgen.view.files import write

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["SUFFIXES", "Movie", "check_movie"]

SUFFIXES = (".gif", ".mp4")
_GREYS = (255, 248, 240, 232, 224, 216, 208, 198, 188, 176, 150, 100, 30)  # of a gif: most are of shadows, some of text
_COLORS = 48  # a ramp with its light and shade
_GREY = 12  # how far the channels of a grey pixel may lie apart


def check_movie(path: Path) -> None:
    """Refuse an .mp4 where it cannot be made, before anything is drawn.

    Raises:
        OSError: there is no ffmpeg.
    """
    if path.suffix.lower() == ".mp4" and shutil.which("ffmpeg") is None:
        raise OSError(
            f"{path}: an .mp4 is made by ffmpeg, which is not on the PATH; install it (apt-get install ffmpeg), or "
            f"name a gif: {path.with_suffix('.gif')}"
        )


class Movie:
    """A film to be written, of pictures of one size.

    Args:
        path: ends in .gif or .mp4.
        frames: how many pictures will come.
        seconds: that they take together.
        hold: seconds that the last one stays besides.

    Raises:
        OSError: an .mp4 without ffmpeg.
    """

    def __init__(self, path: Path, frames: int, seconds: float, hold: float = 0.0) -> None:
        check_movie(path)
        self.path, self._frames, self._seconds, self._hold = path, frames, seconds, hold

    def write(self, pictures: Iterator["Image"]) -> None:
        """Write the film, whole or not at all.

        Raises:
            OSError: it could not be written, or ffmpeg failed.
        """
        write(self.path, self._gif(pictures) if self.path.suffix.lower() == ".gif" else self._mp4(pictures))

    def _gif(self, pictures: Iterator["Image"]) -> bytes:
        """All frames have the colours of the first one: what is held in memory is a byte a pixel."""
        from PIL import Image

        first = next(pictures)
        palette = _palette(first)
        flat = (each.quantize(palette=palette, dither=Image.Dither.NONE) for each in chain([first], pictures))
        data = io.BytesIO()
        next(flat).save(
            data, format="GIF", save_all=True, append_images=flat, duration=self._durations(), loop=0, disposal=1
        )
        return data.getvalue()

    def _durations(self) -> list[int]:
        """Of each frame in milliseconds: hundredths of a second are what a gif knows."""
        ends = [round(100 * self._seconds * k / self._frames) for k in range(self._frames + 1)]
        each = [10 * (end - begin) for begin, end in pairwise(ends)]
        return [*each[:-1], each[-1] + 10 * round(100 * self._hold)]

    def _mp4(self, pictures: Iterator["Image"]) -> bytes:
        first = next(pictures)
        rate = self._frames / self._seconds
        with tempfile.TemporaryDirectory(prefix="pcgen-view-") as folder:
            made, said = Path(folder, "film.mp4"), Path(folder, "said.txt")
            command = ["ffmpeg", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"]
            command += ["-s", f"{first.width}x{first.height}", "-r", f"{rate:.6f}", "-i", "-"]
            # Colours are stored of every second pixel, so both sides must be even.
            command += ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2:color=white", "-pix_fmt", "yuv420p"]
            command += ["-movflags", "+faststart", str(made)]
            with said.open("wb") as errors:
                encoder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=errors, stderr=errors)
            try:
                self._feed(encoder, chain([first], pictures), rate)
                code = encoder.wait()
            finally:
                encoder.kill()
                encoder.wait()
            if code or not made.is_file():
                lines = said.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
                raise OSError(f"{self.path}: ffmpeg failed: {lines[-1]}; name a gif: {self.path.with_suffix('.gif')}")
            return made.read_bytes()

    def _feed(self, encoder: "subprocess.Popen[bytes]", pictures: Iterator["Image"], rate: float) -> None:
        pipe = encoder.stdin
        if pipe is None:
            return
        try:
            with pipe:
                pixels = b""
                for picture in pictures:
                    pixels = picture.tobytes()
                    pipe.write(pixels)
                for _ in range(round(self._hold * rate)):
                    pipe.write(pixels)
        except BrokenPipeError:  # ffmpeg has ended, and its exit code is told
            return


def _palette(picture: "Image") -> "Image":
    """An image whose palette has greys from white on, and the colours of the picture's points."""
    from PIL import Image

    pixels = np.asarray(picture).reshape(-1, 3)
    coloured = pixels[np.ptp(pixels, axis=1) > _GREY]
    greys = np.repeat(np.array(_GREYS, dtype=np.uint8), 3).tobytes()
    colors = b""
    if len(coloured):
        row = Image.fromarray(coloured[None]).quantize(_COLORS, Image.Quantize.MAXCOVERAGE)
        colors = bytes(row.getpalette() or ())[: 3 * _COLORS]
    held = Image.new("P", (1, 1))
    held.putpalette(greys + colors)
    return held
