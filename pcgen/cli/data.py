"""`pcgen data`: look into data, find its faults, convert it."""

from pathlib import Path
from typing import Annotated

import typer

from pcgen.cli.common import check_out, say
from pcgen.cli.options import FOUR_GIB, DropBad, MaxBytes, Overwrite, Up

__all__ = ["app"]

app = typer.Typer(help="Look into data, find its faults, convert it.", no_args_is_help=True)

Spec = Annotated[str, typer.Argument(help="SOURCE[:CLASS]\\[@SPLIT]: a file, a folder, or shapes:chair and its like.")]


@app.command()
def info(spec: Spec, up: Up = "y", max_bytes: MaxBytes = FOUR_GIB) -> None:
    """Say what a source holds: clouds, points, classes, splits, ranges."""
    import rich.console
    import rich.table
    import rich.text

    from pcgen import data

    table = rich.table.Table(box=None, show_header=False)
    for name, value in data.info(spec, up=up, max_bytes=max_bytes).items():
        table.add_row(name, rich.text.Text(str(value)))
    rich.console.Console().print(table)


@app.command()
def check(spec: Spec, max_bytes: MaxBytes = FOUR_GIB) -> None:
    """List every fault of a source, not only the first; exit code 2 if there is one."""
    from pcgen import data

    faults = data.check(spec, max_bytes=max_bytes)
    for fault in faults:
        typer.echo(str(fault))
    say(f"{spec}: {len(faults)} fault{'s' * (len(faults) != 1)}" if faults else f"{spec}: no faults")
    raise typer.Exit(2 if faults else 0)


@app.command()
def convert(
    spec: Spec,
    out: Annotated[Path, typer.Option(help="The .npz to write.")],
    points: Annotated[int | None, typer.Option(min=1, help="Points per cloud; needed where counts differ.")] = None,
    normalize: Annotated[
        str,
        typer.Option(
            help="none, unit_sphere, unit_box or bbox, each cloud by itself; or global_std, by those of @train."
        ),
    ] = "none",
    up: Up = "y",
    max_bytes: MaxBytes = FOUR_GIB,
    drop_bad: DropBad = False,
    overwrite: Overwrite = False,
) -> None:
    """Write any source as one npz of points, labels and splits."""
    import dataclasses

    from pcgen import data

    check_out(out, ".npz", overwrite)
    normalization = data.Normalization(normalize)
    clouds = data.load(spec, points=points, up=up, drop_bad=drop_bad, max_bytes=max_bytes)
    train = clouds.split("train") if clouds.splits and "train" in clouds.splits else clouds
    normalized = normalization.fit(train.points).apply(clouds.points)
    data.save(out, dataclasses.replace(clouds, points=normalized), overwrite=overwrite)
    if clouds.drawn:
        say("the source has no splits: those written were drawn by the clouds' names, 85% train, 5% val, 10% test")
    say(*clouds.notes, f"{out}: {len(clouds)} clouds of {clouds.points.shape[1]} points")
