"""`pcgen view`: a window, a picture or a film of clouds, or of sampling steps; for a run folder, its losses."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pcgen.cli.common import given, read_each, say
from pcgen.cli.options import FOUR_GIB, DropBad, GivenBytes, Up
from pcgen.cli.showing import Showing, watch

if TYPE_CHECKING:
    from pcgen.data import Clouds
    from pcgen.data.gathering import Reading

__all__ = ["view"]

_PAIRS_IN_A_ROW = 4
_COUNT = 16  # clouds of each source in a window or a picture
_COUNT_OF_A_FILM = 12
_PAGES, _MOST = 8, 1024  # of a window, and clouds in it
_OF_LOSSES = ("files", "png", "overwrite")

_FILES = "SOURCE[:CLASS]\\[@SPLIT], one or several; or a run folder."
_CHAIN = "A run: draw new clouds step by step, the states of its chain or the steps from noise to data."
_FILM = "Draw a film, a .gif or an .mp4: the clouds turn once, or the states of --chain follow each other."
_FRAMES = "Frames of the film (default: 48); for --chain --png, the states side by side (default: 8)."
_NEAREST = (
    "A training set: draws the nearest cloud of it beside each cloud, by CD; x 1.0 is a copy. @train unless it names a "
    "split; --up is then the up axis of this set."
)
_LABELS = "For --chain: classes, separated by commas, with equally many clouds each."
_SETTINGS = "For --chain: an option of the model's sampling, name=value."


def view(
    context: typer.Context,
    files: Annotated[list[str] | None, typer.Argument(help=_FILES)] = None,
    png: Annotated[Path | None, typer.Option(help="Draw a picture instead of opening a window.")] = None,
    film: Annotated[Path | None, typer.Option(help=_FILM)] = None,
    chain: Annotated[Path | None, typer.Option(help=_CHAIN)] = None,
    frames: Annotated[int | None, typer.Option(min=2, help=_FRAMES)] = None,
    seconds: Annotated[float | None, typer.Option(help="Duration of the film (default: 4, for --chain 5).")] = None,
    labels: Annotated[str | None, typer.Option(help=_LABELS)] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help=_SETTINGS)] = None,
    nearest: Annotated[str | None, typer.Option(help=_NEAREST)] = None,
    count: Annotated[
        int | None,
        typer.Option(min=1, help="Clouds of each source, in a window on a page (default: 16; film: 12; --chain: 4)."),
    ] = None,
    shuffle: Annotated[
        bool, typer.Option("--shuffle", help="Choose the clouds by seed instead of the first ones.")
    ] = False,
    points: Annotated[
        int | None, typer.Option(min=1, help="At most this many points of a cloud; larger ones are subsampled.")
    ] = None,
    color: Annotated[str, typer.Option(help="Colour of the points: height, label or order.")] = "height",
    columns: Annotated[int | None, typer.Option(min=1, help="Clouds side by side.")] = None,
    size: Annotated[int | None, typer.Option(min=32, help="Width of a cell of the picture in pixels.")] = None,
    point_size: Annotated[float | None, typer.Option(help="Diameter of a point in pixels.")] = None,
    engine: Annotated[
        str | None, typer.Option(help="The program that draws a picture: auto (default), open3d or matplotlib.")
    ] = None,
    up: Up = None,
    max_bytes: GivenBytes = None,
    drop_bad: DropBad = False,
    seed: Annotated[int, typer.Option(help="Seed of --shuffle, and of the clouds of --chain.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a picture that exists.")] = False,
) -> None:
    """Show clouds in an Open3D window, or draw them as a PNG or a film; draw the losses of a run folder."""
    from pcgen.data.gathering import Reading

    how_drawn = "auto" if engine is None else engine
    showing = Showing(png, film, frames, seconds, color, columns, size, point_size, how_drawn, overwrite)
    showing.check(chain is not None)
    if chain is not None:
        reading = {"nearest": nearest, "shuffle": shuffle, "points": points}
        _refuse("for clouds, not for --chain", **reading, up=up, drop_bad=drop_bad, max_bytes=max_bytes)
        if files:
            raise ValueError(f"--chain: takes one run alone, got {', '.join(files)} too; draw them one after the other")
        watch(chain, showing, count, seed, labels, settings or [])
        return
    if not files:
        raise ValueError("FILES: give clouds to look at, SOURCE[:CLASS][@SPLIT], or a run by --chain RUN")
    if labels is not None or settings:
        raise ValueError("--labels and --set: are for --chain RUN; leave them out")
    if any(_is_run(path) for path in files):
        if asked := given(context, _OF_LOSSES):
            raise ValueError(
                f"{', '.join(asked)}: for clouds, and {files[0]} is a run folder, whose losses are drawn; leave it "
                "out, or draw its sampling: --chain RUN"
            )
        _losses(files, png, overwrite)
        return
    if showing.in_window:
        _refuse("for a picture or a film, --png or --film", size=size, engine=engine)
    how = Reading(points=points, up=up, drop_bad=drop_bad, max_bytes=FOUR_GIB if max_bytes is None else max_bytes)
    most = count or (_COUNT if film is None else _COUNT_OF_A_FILM)
    _look(files, showing, how, nearest, seed if shuffle else None, most)


def _refuse(reason: str, **given: object) -> None:
    """Refuse the options that were given and would be ignored: all but None, and flags that are not set."""
    named = [f"--{name.replace('_', '-')}" for name, value in given.items() if value is not None and value is not False]
    if named:
        verb, them = ("is", "it") if len(named) == 1 else ("are", "them")
        raise ValueError(f"{', '.join(named)}: {verb} {reason}; leave {them} out")


def _look(
    files: list[str], showing: Showing, how: "Reading", nearest: str | None, shuffled: int | None, count: int
) -> None:
    """Show the clouds of sources, or those of one beside their nearest of a training set."""
    if nearest is not None and len(files) > 1:
        raise ValueError(f"--nearest: takes one source of samples, got {', '.join(files)}; draw one after the other")
    titles: dict[str, Any] = {}
    # A window has pages, but for samples beside their nearest clouds, which are searched for.
    pages = _PAGES if showing.in_window and nearest is None else 1
    most = max(count, min(pages * count, _MOST // len(files)))
    of_files = how if nearest is None else replace(how, up=None)
    loaded = [read_each(spec, of_files, "draw", most + 1, shuffled) for spec in files]
    for spec, clouds in zip(files, loaded, strict=True):
        if len(clouds) > most:
            del clouds[most:]
            say(f"{spec}: {'the first ' if shuffled is None else ''}{most} of its clouds; --count shows more")
    shown: list[Any] = [cloud for clouds in loaded for cloud in clouds]
    names = _titles(files)
    if nearest is not None:
        shown, titles = _beside_nearest(shown, nearest, how)
        showing = replace(showing, columns=showing.columns or _PAIRS_IN_A_ROW * 2)
    elif len(shown) == len(files) > 1:  # a cloud of each, to be seen together
        titles, count = {"captions": names}, len(shown)
    elif len(files) > 1:
        titles = {"rows": names, "groups": [len(clouds) for clouds in loaded]}
    showing.show(shown, titles, count if nearest is None else len(shown))


def _beside_nearest(samples: "list[Clouds]", spec: str, how: "Reading") -> tuple[list[Any], dict[str, Any]]:
    """Each sample and its nearest cloud of the training set, and their captions."""
    import torch

    from pcgen import data
    from pcgen.data.thinning import thin
    from pcgen.view import nearest_pairs

    chosen, note = data.default_split(spec, "train")
    points = min(cloud.points.shape[1] for cloud in samples)
    train = data.load(chosen, at_least=points, seed=how.seed, up=how.up, drop_bad=how.drop_bad, max_bytes=how.max_bytes)
    say(*([note] if note else []), *train.notes)
    thinned = torch.cat([thin(cloud.at(train.origin).points, points, how.seed) for cloud in samples])
    names = tuple(name for cloud in samples for name in cloud.names)
    pairs = nearest_pairs(data.Clouds(thinned, names=names, origin=train.origin), train, how.seed)
    return pairs.clouds, {"captions": pairs.captions}


def _titles(files: list[str]) -> list[str]:
    """Different names of sources: the names of their files, or their full paths if two are equal."""
    from pcgen.data.spec import short

    names = [short(spec) for spec in files]
    return names if len(set(names)) == len(names) else files


def _is_run(path: str) -> bool:
    return (Path(path) / "config.json").is_file()


def _losses(files: list[str], png: Path | None, overwrite: bool) -> None:
    """Draw how the losses of one run fell."""
    from pcgen.training import Run
    from pcgen.training.listing import model_name
    from pcgen.view import curves

    if len(files) > 1 or png is None:
        raise ValueError(
            f"{files[0]}: is a run folder: give it alone, with --png out.png, to draw its losses; or draw its sampling "
            f"step by step: --chain {files[0]}"
        )
    run = Run.open(files[0])
    chosen = run.checkpoint("best").is_file()
    say(str(curves(run.history, png, title=model_name(run.config), chosen=chosen, overwrite=overwrite)))
