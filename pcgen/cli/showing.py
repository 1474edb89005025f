"""The output of `pcgen view`: a window, a picture or a film of clouds, or the sampling steps of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pcgen.cli.common import check_out, parse_settings, say

if TYPE_CHECKING:
    from pcgen.view.sheet import Look

__all__ = ["Showing", "watch"]

_COUNT, _STATES, _FRAMES = 4, 8, 48
_TURN, _WAY = 4.0, 5.0  # seconds


@dataclass(frozen=True)
class Showing:
    """The options of `pcgen view` that say where and how clouds are drawn."""

    png: Path | None
    film: Path | None
    frames: int | None
    seconds: float | None
    color: str
    columns: int | None
    size: int | None
    point_size: float | None
    engine: str
    overwrite: bool

    def check(self, chain: bool) -> None:
        """Refuse what cannot be written, before any work; a chain's states are drawn, and shown in no window.

        Raises:
            ValueError: both a picture and a film, neither of them for a chain, a wrong ending, or options of a film
                without one.
            FileExistsError: it exists, and is not to be replaced.
            OSError: an .mp4 without ffmpeg.
        """
        from pcgen.view.movies import check_movie

        if self.png is not None and self.film is not None:
            raise ValueError("--film, --png: give one of them")
        if chain and self.in_window:
            raise ValueError("--chain: must be drawn into a file; give --png strip.png, or --film chain.gif")
        if self.film is None and not chain and self.frames is not None:
            raise ValueError("--frames: is for a film or --chain; give --film out.gif, or leave it out")
        if self.film is None and self.seconds is not None:
            raise ValueError("--seconds: is for a film; give --film out.gif, or leave it out")
        if self.png is not None:
            check_out(self.png, ".png", self.overwrite, "--png")
        if self.film is not None:
            check_out(self.film, ".mp4" if self.film.suffix.lower() == ".mp4" else ".gif", self.overwrite, "--film")
            check_movie(self.film)

    @property
    def look(self) -> "Look":
        """What pictures and films are drawn with alike."""
        return {"colors": self.color, "columns": self.columns, "size": self.size, "point_size": self.point_size}

    @property
    def in_window(self) -> bool:
        """Whether a window is opened, and nothing written."""
        return self.png is None and self.film is None

    def show(self, clouds: list[Any], titles: dict[str, Any], page: int) -> None:
        """Draw the picture or the film of the clouds, with their captions or rows, or open the window.

        In a window there are at most `page` clouds of each source at once.
        """
        from pcgen import view

        if self.film is not None:
            drawn = view.film(
                clouds,
                self.film,
                frames=self.frames or _FRAMES,
                seconds=self.seconds or _TURN,
                engine=self.engine,
                overwrite=self.overwrite,
                **self.look,
                **titles,
            )
        elif self.png is not None:
            drawn = view.picture(clouds, self.png, engine=self.engine, overwrite=self.overwrite, **self.look, **titles)
        else:
            options: dict[str, Any] = {"colors": self.color, "columns": self.columns, "point_size": self.point_size}
            view.show(clouds, page=page, **options, **titles)
            return
        say(str(drawn))


def watch(
    path: Path, showing: Showing, count: int | None, seed: int, labels: str | None, settings: Sequence[str]
) -> None:
    """Draw the states that new clouds of a run pass through: each cloud a row of a picture, or all as a film.

    Raises:
        ValueError: what `states_of` raises.
    """
    from pcgen import training, view

    run = training.Run.open(path)
    model = run.generator()
    parts: dict[Any, None] = dict.fromkeys((model, model.learner))
    drawing = [part.draw for part in parts]
    options = parse_settings(settings, *drawing, skip=["labels"])
    frames = showing.frames or (_STATES if showing.film is None else _FRAMES)
    chosen = None if labels is None else [name.strip() for name in labels.split(",")]
    states, captions = training.states_of(run, count or _COUNT, frames, seed, chosen, **options)
    # Pictures are drawn from float32, which does not hold the true coordinates of a map.
    states = states - states.new_tensor(run.normalization.origin)
    if showing.film is not None:
        said = view.animate(
            list(states),
            showing.film,
            titles=captions,
            seconds=showing.seconds or _WAY,
            engine=showing.engine,
            overwrite=showing.overwrite,
            **showing.look,
        )
    elif showing.png is not None:
        rows = states.transpose(0, 1)  # (clouds, states, points, 3)
        words = captions * len(rows)
        look: Look = {**showing.look, "captions": words, "columns": showing.columns or len(captions)}
        said = view.picture(
            list(rows.flatten(0, 1)),
            showing.png,
            engine=showing.engine,
            overwrite=showing.overwrite,
            **look,
        )
    say(f"{said}: {len(captions)} states of {states.shape[1]} clouds, from {captions[0]} to {captions[-1]}")
