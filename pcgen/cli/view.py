"""`pcgen view`: a window, or a picture; of a run folder, its losses."""

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pcgen.cli.common import check_out, say
from pcgen.cli.options import FOUR_GIB, DropBad, MaxBytes, Seed, Up

if TYPE_CHECKING:
    from pcgen.data import Clouds
    from pcgen.data.gathering import Reading

__all__ = ["view"]


def view(
    files: Annotated[
        list[str], typer.Argument(help="SOURCE[:CLASS]\\[@SPLIT], several after each other; or a run folder.")
    ],
    png: Annotated[Path | None, typer.Option(help="Draw a picture instead of opening a window.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Clouds of each source.")] = 16,
    shuffle: Annotated[
        bool, typer.Option("--shuffle", help="Draw the clouds by seed instead of the first ones.")
    ] = False,
    points: Annotated[int | None, typer.Option(min=1, help="Most points of a cloud; larger ones are thinned.")] = None,
    color: Annotated[str, typer.Option(help="Colour of the points: height, label or order.")] = "height",
    columns: Annotated[int | None, typer.Option(min=1, help="Clouds side by side.")] = None,
    size: Annotated[int | None, typer.Option(min=32, help="Width of a cell of the picture in pixels.")] = None,
    point_size: Annotated[float | None, typer.Option(help="Diameter of a point in pixels.")] = None,
    engine: Annotated[str, typer.Option(help="What draws a picture: auto, open3d or matplotlib.")] = "auto",
    up: Up = None,
    max_bytes: MaxBytes = FOUR_GIB,
    drop_bad: DropBad = False,
    seed: Seed = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a picture that exists.")] = False,
) -> None:
    """Look at clouds in an Open3D window, or draw them into a PNG without a screen; draw the losses of a run folder."""
    from pcgen.data.gathering import Reading
    from pcgen.view import picture, show

    if png is not None:
        check_out(png, ".png", overwrite, "--png")
    if any(_is_run(path) for path in files):
        _losses(files, png, overwrite)
        return
    how = Reading(points=points, seed=seed, up=up, drop_bad=drop_bad, max_bytes=max_bytes)
    loaded = [_clouds(spec, how, shuffle, count) for spec in files]
    shown, names = [cloud for clouds in loaded for cloud in clouds], _titles(files)
    titles: dict[str, Any] = {}
    if len(shown) == len(files) > 1:  # a cloud of each
        titles = {"captions": names}
    elif len(files) > 1:
        titles = {"rows": names, "groups": [len(clouds) for clouds in loaded]}
    if png is None:
        show(shown, colors=color, columns=columns, point_size=point_size, **titles)
        return
    drawn = picture(
        shown,
        png,
        colors=color,
        columns=columns,
        size=size,
        point_size=point_size,
        engine=engine,
        overwrite=overwrite,
        **titles,
    )
    say(str(drawn))


def _clouds(spec: str, how: "Reading", shuffle: bool, count: int) -> "list[Clouds]":
    """The first clouds of a source, each a set of one, as their sizes may differ."""
    from pcgen import data

    found = list(islice(data.load_each(spec, how, shuffle=shuffle), count))
    if not found:
        raise ValueError(f"{spec}: no cloud is left to draw; look at its faults with pcgen data check {spec}")
    return found


def _titles(files: list[str]) -> list[str]:
    """What tells sources apart: the names of their files, or all of it where two have the same."""
    short = [spec.rstrip("/").rpartition("/")[2] for spec in files]
    return short if len(set(short)) == len(short) else files


def _is_run(path: str) -> bool:
    return (Path(path) / "config.json").is_file()


def _losses(files: list[str], png: Path | None, overwrite: bool) -> None:
    """Draw how the losses of one run fell."""
    from pcgen.training import Run
    from pcgen.view import curves

    if len(files) > 1 or png is None:
        raise ValueError(f"{files[0]}: is a run folder, whose losses are drawn: give it alone, with --png out.png")
    run = Run.open(files[0])
    say(str(curves(run.history, png, title=str(run.config["model"].get("name")), overwrite=overwrite)))
