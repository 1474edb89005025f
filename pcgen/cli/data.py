"""`pcgen data`: inspect data, find its errors, convert it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from pcgen.cli.common import read_each, say
from pcgen.cli.options import (
    FOUR_GIB,
    DropBad,
    Format,
    Jitter,
    MaxBytes,
    Mirror,
    Out,
    Overwrite,
    Rotate,
    Scale,
    Stretch,
    Up,
)

if TYPE_CHECKING:
    from pcgen.data import Clouds

__all__ = ["app"]

app = typer.Typer(help="Inspect data, find its errors, convert it.", no_args_is_help=True)

Spec = Annotated[
    str, typer.Argument(help="SOURCE[:CLASS]\\[@SPLIT]: a file, a folder, or built-in shapes such as shapes:chair.")
]


@app.command()
def info(spec: Spec, up: Up = None, max_bytes: MaxBytes = FOUR_GIB) -> None:
    """Describe a source: clouds, points, classes, splits, sizes, ranges."""
    import rich.console
    import rich.table
    import rich.text

    from pcgen import data
    from pcgen.data.source import printable

    table = rich.table.Table(box=None, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in data.info(spec, up=up, max_bytes=max_bytes).items():
        table.add_row(name, rich.text.Text(printable(str(value))))
    rich.console.Console().print(table)


@app.command()
def check(spec: Spec, max_bytes: MaxBytes = FOUR_GIB) -> None:
    """List every error of a source, not only the first; the exit code is 2 if there is one."""
    from pcgen import data

    faults = data.check(spec, max_bytes=max_bytes)
    for fault in faults:
        typer.echo(str(fault))
    say(f"{spec}: {len(faults)} error{'s' * (len(faults) != 1)}" if faults else f"{spec}: no errors")
    raise typer.Exit(2 if faults else 0)


@app.command()
def convert(
    spec: Spec,
    out: Out,
    points: Annotated[
        int | None, typer.Option(min=1, help="Points per cloud; needed if numbers of points differ.")
    ] = None,
    normalize: Annotated[
        str,
        typer.Option(
            help="none, unit_sphere, unit_box or bbox, each cloud by itself; or global_std, by those of @train."
        ),
    ] = "none",
    copies: Annotated[
        int, typer.Option(min=1, help="Write each cloud this many times, with the random changes of the next options.")
    ] = 1,
    rotate: Rotate = 0,
    jitter: Jitter = 0,
    scale: Scale = 0,
    stretch: Stretch = 0,
    mirror: Mirror = 0,
    format: Format = None,
    seed: Annotated[
        int, typer.Option(help="Seed of the random changes, and of which shapes of copies become val.")
    ] = 0,
    up: Up = None,
    max_bytes: MaxBytes = FOUR_GIB,
    drop_bad: DropBad = False,
    overwrite: Overwrite = False,
) -> None:
    """Write any source as one npz of points, labels and splits, or in the format of --out."""
    from pcgen import data
    from pcgen.data.enlarging import enlarged
    from pcgen.data.gathering import Reading
    from pcgen.data.loading import load_placed
    from pcgen.data.saving import check_target
    from pcgen.data.splits import DRAWN, counted

    check_target(out, overwrite, make_folder=True, format=format)
    amounts = {"rotation": rotate, "jitter": jitter, "scale": scale, "stretch": stretch, "mirror": mirror}
    changes = data.Augmentation(**amounts, centred=True)
    normalization = data.Normalization(normalize)
    each = normalize if normalization.each else "none"
    how = Reading(points=points, up=up, normalize=each, drop_bad=drop_bad, max_bytes=max_bytes)
    clouds, _ = load_placed(spec, how)
    if normalize == "global_std":
        clouds = _standardised(clouds)
    if copies > 1 or any(amounts.values()):
        clouds = enlarged(clouds, copies, changes, seed, max_bytes)
    data.save(out, clouds, format=format, overwrite=overwrite)
    if clouds.splits:
        how_made = f"; the source has none: they were {DRAWN}" if clouds.drawn else ""
        say(f"splits: {counted(clouds.splits)}{how_made}")
    if clouds.boxes is not None and not out.endswith(".npz"):
        say("boxes: left out, since only .npz stores them")
    say(*clouds.notes, f"{out}: {len(clouds)} clouds of {clouds.points.shape[1]} points")


def _standardised(clouds: "Clouds") -> "Clouds":
    """The clouds with the mean and standard deviation of those of @train, which are said."""
    from pcgen.data import Normalization

    if clouds.splits and "train" not in clouds.splits:
        raise ValueError(
            f"--normalize: global_std is fitted to the clouds of @train, and {clouds.source} has none of them; name "
            "the whole source, or normalise each cloud by itself, as with unit_sphere"
        )
    train = clouds.split("train") if clouds.splits else clouds
    fitted = Normalization("global_std").fit(train)
    x, y, z = fitted.offset
    say(
        f"global_std: {x:.9g} {y:.9g} {z:.9g} subtracted from x, y and z, then divided by {fitted.size:.6g}: mean and "
        f"deviation of {len(train)} clouds{' of @train' if clouds.splits else ''}"
    )
    return fitted.apply_to(clouds)


@app.command()
def mesh(
    spec: Spec,
    out: Annotated[str, typer.Option(help="A .ply or .obj of one mesh, or a new folder of such files, FOLDER/.")],
    method: Annotated[
        str,
        typer.Option(
            help="poisson: smooth, closes gaps, removes parts far from all points. ball_pivoting: triangles of the "
            "points themselves, with holes where they are few."
        ),
    ] = "poisson",
    depth: Annotated[
        int | None, typer.Option(help="For poisson: 2^depth cells along a cloud (default: by the number of points).")
    ] = None,
    format: Annotated[
        str | None, typer.Option("--format", help="Format of the files of a folder: ply (default) or obj.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Number of clouds, the first ones (default: all).")] = None,
    up: Up = None,
    max_bytes: MaxBytes = FOUR_GIB,
    drop_bad: DropBad = False,
    overwrite: Overwrite = False,
) -> None:
    """Make a mesh of each cloud, by Open3D.

    Sides are separated if points are closer to each other than the sides are: thin parts of clouds of 2,048 points
    are lost or merged. poisson may close open surfaces. Use scans with many points.
    """
    from pcgen import data
    from pcgen.cli.progress import counting
    from pcgen.data.gathering import Reading
    from pcgen.data.saving import check_mesh_target
    from pcgen.data.surface import Mesh

    check_mesh_target(out, overwrite, make_folder=True, format=format)
    clouds = read_each(spec, Reading(up=up, drop_bad=drop_bad, max_bytes=max_bytes), "mesh", count)
    check_mesh_target(out, overwrite, format=format, count=len(clouds))
    triangles: list[int] = []

    def made() -> Iterator[tuple[data.Clouds, Mesh]]:
        with counting("meshing", "clouds") as progress:
            for cloud in clouds:
                try:
                    found = data.mesh(cloud.coordinates[0], method, depth)
                except ValueError as error:
                    reason = f"{cloud.names[0]}: {error}"
                    if not drop_bad:
                        raise ValueError(f"{reason} (--drop-bad leaves it out)") from None
                    say(f"left out: {reason}")
                    continue
                triangles.append(len(found.faces))
                progress(len(triangles), len(clouds))
                yield cloud, found
        if not triangles:
            raise ValueError(f"{spec}: no cloud is left to mesh")

    data.save_meshes(out, made(), format=format, overwrite=overwrite)
    say(f"{out}: {len(triangles)} meshes by {method}, of {min(triangles):,} to {max(triangles):,} triangles")
