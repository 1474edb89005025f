"""`pcgen view`: a window, or a picture."""

from pathlib import Path
from typing import Annotated

import typer

from pcgen.cli.common import Seed, Up, say

__all__ = ["view"]


def view(
    files: Annotated[list[str], typer.Argument(help="What to show: SOURCE[:CLASS][@SPLIT], several after each other.")],
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
    seed: Seed = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a picture that exists.")] = False,
) -> None:
    """Look at clouds in an Open3D window, or draw them into a PNG without a screen."""
    import torch

    from pcgen import data
    from pcgen.view import picture, show

    if png is not None and png.exists() and not overwrite:
        raise FileExistsError(f"--png: {png} exists; choose another name or give --overwrite")
    shown: list[torch.Tensor] = []
    captions: list[str] = []
    for spec in files:
        clouds = data.load(spec, up=up)
        rows = torch.arange(len(clouds))
        if shuffle:
            rows = torch.randperm(len(clouds), generator=torch.Generator().manual_seed(seed))
        chosen = clouds.select(rows[:count])
        shown += list(chosen.points)
        captions += list(chosen.names)
    if png is None:
        show(shown, captions=captions, colors=color, columns=columns)
        return
    drawn = picture(
        shown,
        png,
        captions=captions,
        colors=color,
        columns=columns,
        size=size,
        point_size=point_size,
        engine=engine,
        overwrite=overwrite,
    )
    say(str(drawn))
