"""`pcgen view`: a window, or a picture; of a run folder, its losses."""

from pathlib import Path
from typing import Annotated

import typer

from pcgen.cli.common import check_out, say
from pcgen.cli.options import FOUR_GIB, DropBad, MaxBytes, Seed, Up

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
    color: Annotated[str, typer.Option(help="Colour of the points: height, label or order.")] = "height",
    columns: Annotated[int | None, typer.Option(min=1, help="Clouds side by side.")] = None,
    size: Annotated[int | None, typer.Option(min=32, help="Width of a cell of the picture in pixels.")] = None,
    point_size: Annotated[float | None, typer.Option(help="Diameter of a point in pixels.")] = None,
    engine: Annotated[str, typer.Option(help="What draws a picture: auto, open3d or matplotlib.")] = "auto",
    up: Up = "y",
    max_bytes: MaxBytes = FOUR_GIB,
    drop_bad: DropBad = False,
    seed: Seed = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a picture that exists.")] = False,
) -> None:
    """Look at clouds in an Open3D window, or draw them into a PNG without a screen; draw the losses of a run folder."""
    import torch

    from pcgen import data
    from pcgen.view import picture, show

    if png is not None:
        check_out(png, ".png", overwrite, "--png")
    if any(_is_run(path) for path in files):
        _losses(files, png, overwrite)
        return
    shown = []
    for spec in files:
        clouds = data.load(spec, up=up, drop_bad=drop_bad, max_bytes=max_bytes)
        rows = torch.arange(len(clouds))
        if shuffle:
            rows = torch.randperm(len(clouds), generator=torch.Generator().manual_seed(seed))
        shown.append(clouds.select(rows[:count]))
    if png is None:
        show(shown, colors=color, columns=columns)
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
    )
    say(str(drawn))


def _is_run(path: str) -> bool:
    return (Path(path) / "config.json").is_file()


def _losses(files: list[str], png: Path | None, overwrite: bool) -> None:
    """Draw how the losses of one run fell."""
    from pcgen.training import Run
    from pcgen.view import curves

    if len(files) > 1 or png is None:
        raise ValueError(f"{files[0]}: of a run folder the losses are drawn, one at a time: give --png")
    run = Run.open(files[0])
    say(str(curves(run.history, png, title=str(run.config["model"].get("name")), overwrite=overwrite)))
