"""Options of `pcgen evaluate` alone, with their help."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Clouds",
    "Distances",
    "Features",
    "FullMatrix",
    "Normalize",
    "Out",
    "Points",
    "Protocols",
    "Published",
    "Reference",
    "Samples",
    "SamplesUp",
    "Second",
    "Seeds",
    "Tiles",
    "Train",
    "UpOfData",
]

Samples = Annotated[
    list[str],
    typer.Argument(
        help="Generated clouds, SOURCE[:CLASS]\\[@SPLIT], or a report that --out wrote; several are shown side by side."
    ),
]
Reference = Annotated[
    str | None,
    typer.Option(help="Clouds to compare them with; @test unless a split is named, all if there are no splits."),
]
Train = Annotated[
    str | None, typer.Option(help="The training set, for the oracle rows; @train unless a split is named.")
]
Second = Annotated[
    str | None,
    typer.Option(help="Another sampling of the reference's shapes, for an oracle row (surfaces have one anyway)."),
]
Protocols = Annotated[
    str,
    typer.Option(
        help="exact, latent_3d_points, pointflow, lion, dit3d, topodit, dpm, or several, separated by commas."
    ),
]
Normalize = Annotated[
    str | None,
    typer.Option(
        help="Normalise every cloud of all sets, as training did: none, unit_sphere, unit_box, bbox, global_std "
        "(default: the protocol's own)."
    ),
]
Distances = Annotated[str, typer.Option(help="Distances of MMD, COV and 1-NNA: cd, emd, or cd,emd.")]
Seeds = Annotated[
    bool,
    typer.Option("--seeds", help="The SAMPLES are from one model with several seeds: also print mean and deviation."),
]
Published = Annotated[
    str | None, typer.Option(help="Also print published numbers of a ShapeNet class: airplane, chair or car.")
]
Points = Annotated[
    int | None, typer.Option(min=1, help="Subsample every cloud to this many points (default: all sets' smallest).")
]
Clouds = Annotated[
    int | None, typer.Option(min=1, help="At most this many clouds of the samples and of the reference, by seed.")
]
FullMatrix = Annotated[
    bool,
    typer.Option(
        "--full-matrix", help="Compute every EMD, also for precision, recall, density and coverage under EMD."
    ),
]
Features = Annotated[
    list[str] | None,
    typer.Option(
        help="A run folder; can be given several times. A classifier's: the Frechet distance on its features. "
        "An autoencoder's: energy distance and kernel MMD of its codes, tested."
    ),
]
Out = Annotated[Path | None, typer.Option(help="Write the report as JSON.")]
Tiles = Annotated[
    Path | None,
    typer.Option(
        help="Keep finished parts in this folder, for other evaluations too (default: beside --out, until it is "
        "written): an interrupted evaluation continues from there."
    ),
]
UpOfData = Annotated[
    str | None,
    typer.Option("--up", help="Up axis of reference, train and second: x, y (default), z, -x, -y or -z; turned y up."),
]
SamplesUp = Annotated[
    str | None, typer.Option(help="Up axis of the SAMPLES (default: y); those that pcgen makes are y up.")
]
