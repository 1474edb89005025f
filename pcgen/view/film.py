"""Films of clouds: a set that turns, or clouds that change from state to state."""

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from pcgen.errors import at_least, not_negative, positive
from pcgen.view.camera import Camera
from pcgen.view.drawing import Drawing
from pcgen.view.files import target
from pcgen.view.inputs import drawables
from pcgen.view.layout import shorten
from pcgen.view.movies import SUFFIXES, Movie
from pcgen.view.sheet import Look, Picture, Sheet, Shot, sheet
from pcgen.view.text import font

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["animate", "film"]

_ROOM = (720, 320)  # pixels: width of the sheet, and the largest of a cell
_FASTEST = 50  # frames a second: browsers show a gif's shorter frames for longer


def film(
    clouds: Any,
    path: str | os.PathLike[str],
    *,
    frames: int = 48,
    seconds: float = 4.0,
    camera: Camera | None = None,
    engine: str = "auto",
    overwrite: bool = False,
    **look: Unpack[Look],
) -> Picture:
    """Draw clouds in a grid that turn once about the up axis, into a .gif, or an .mp4 if ffmpeg is installed.

    Args:
        clouds: as of `picture`.
        path: the .gif or .mp4 to write.
        frames: number of pictures of the turn.
        seconds: duration.
        camera: the first direction to look from.
        engine: as of `picture`.
        overwrite: replace a film that exists.
        **look: other arguments of `picture`; the sheet is about 720 pixels wide unless `size` says the width of a cell.

    Raises:
        ValueError: as `picture`, another ending, or more than 50 frames a second.
        FileExistsError: the film exists and `overwrite` is false.
        OSError: an .mp4 without ffmpeg, or ffmpeg failed.
    """
    at_least(2, frames=frames)
    begin, items = camera or Camera(), drawables(clouds)
    angles = (begin.azimuth + 360 * k / frames for k in range(frames))
    shots = [(items, Camera(angle, begin.elevation)) for angle in angles]
    return _film(shots, [], path, seconds, 0.0, engine, overwrite, look)


def animate(
    states: Sequence[Any],
    path: str | os.PathLike[str],
    *,
    titles: Sequence[str] = (),
    seconds: float = 5.0,
    hold: float = 1.5,
    camera: Camera | None = None,
    engine: str = "auto",
    overwrite: bool = False,
    **look: Unpack[Look],
) -> Picture:
    """Draw clouds in a grid that change from state to state, into a .gif, or an .mp4 if ffmpeg is installed.

    Args:
        states: two or more, each of as many clouds, as of `picture`.
        path: the .gif or .mp4 to write.
        titles: a line above the grid for each state.
        seconds: duration from the first to the last state.
        hold: seconds for which the last state is shown.
        camera: where to look from.
        engine: as of `picture`.
        overwrite: replace a film that exists.
        **look: other arguments of `picture`, as of `film`.

    Raises:
        ValueError: as `film`, or other numbers of clouds or titles.
        FileExistsError: the film exists and `overwrite` is false.
        OSError: an .mp4 without ffmpeg, or ffmpeg failed.
    """
    shots = [(drawables(state), camera or Camera()) for state in states]
    at_least(2, states=len(shots))
    counts = [len(items) for items, _ in shots]
    if len(set(counts)) > 1:
        raise ValueError(f"states: must all have as many clouds, got {min(counts)} to {max(counts)}")
    if titles and len(titles) != len(shots):
        raise ValueError(f"titles: must be one for each of the {len(shots)} states, got {len(titles)}")
    return _film(shots, list(titles), path, seconds, hold, engine, overwrite, look)


def _film(
    shots: list[Shot],
    titles: list[str],
    path: str | os.PathLike[str],
    seconds: float,
    hold: float,
    engine: str,
    overwrite: bool,
    look: Look,
) -> Picture:
    positive(seconds=seconds)
    not_negative(hold=hold)
    if len(shots) > _FASTEST * seconds:
        raise ValueError(
            f"seconds: must be at least {len(shots) / _FASTEST:g} for {len(shots)} frames, got {seconds:g}: no more "
            f"than {_FASTEST} frames a second are shown"
        )
    movie = Movie(target(path, overwrite, *SUFFIXES), len(shots), seconds, hold)
    with Drawing(engine) as drawing:
        same = sheet(shots, _ROOM, **look)
        pictures = (same.draw(shot, drawing) for shot in shots)
        movie.write(_titled(pictures, titles, same) if titles else pictures)
    return Picture(movie.path, drawing.used, drawing.note)


def _titled(pictures: Iterator["Image"], titles: list[str], same: Sheet) -> Iterator["Image"]:
    """Each picture below its title."""
    from PIL import Image, ImageDraw

    pixels = same.style.pixels
    face, height = font(pixels), round(2 * pixels)
    for picture, title in zip(pictures, titles, strict=True):
        whole = Image.new("RGB", (picture.width, picture.height + height), "white")
        whole.paste(picture, (0, height))
        line = shorten(title, face.getlength, picture.width * 0.96)
        ImageDraw.Draw(whole).text((picture.width / 2, height / 2), line, fill=(20, 20, 20), font=face, anchor="mm")
        yield whole
