"""Options of `pcgen train` alone, with their help."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Again",
    "Averages",
    "Clip",
    "CodesOf",
    "Data",
    "Domain",
    "Model",
    "Normalize",
    "Out",
    "Points",
    "Resume",
    "SaveEvery",
    "Schedule",
    "Settings",
    "Tensorboard",
    "TrainSeed",
    "UpAxis",
    "ValidateEvery",
    "Warmup",
]

Model = Annotated[
    str | None,
    typer.Argument(help="A model; `pcgen models` lists them, `pcgen models NAME` its options. Or module:Class."),
]
Out = Annotated[Path, typer.Option(help="The run folder to write.")]
Data = Annotated[
    str | None,
    typer.Option(
        help="Clouds to learn from: SOURCE[:CLASS]\\[@SPLIT]; with --codes or --again, where its clouds are now."
    ),
]
CodesOf = Annotated[
    Path | None,
    typer.Option("--codes", help="Learn codes: the run folder of an autoencoder, whose data is read again."),
]
Again = Annotated[
    Path | None, typer.Option("--again", help="Train as this run was trained: its model, data and options.")
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="An option of the model, name=value; may be given many times.")
]
Domain = Annotated[
    str | None,
    typer.Option(
        help="How codes are mapped for a head: real, unit, nonnegative, binary or raw (default: the head's own)."
    ),
]
Points = Annotated[
    int | None,
    typer.Option(min=1, help="Points per cloud (default: 2048); larger clouds are subsampled anew in every batch."),
]
Normalize = Annotated[
    str | None, typer.Option(help="none (default), unit_sphere, unit_box, bbox or global_std; undone when sampling.")
]
Schedule = Annotated[str | None, typer.Option(help="Learning rate: constant, linear or cosine (default: the model's).")]
Warmup = Annotated[
    int | None, typer.Option(min=0, help="Steps over which the rate rises from 0 (default: the model's).")
]
Clip = Annotated[
    float | None, typer.Option(help="Clip the norm of gradients to this; 0: no clipping (default: the model's).")
]
Averages = Annotated[
    float | None,
    typer.Option(
        "--average", help="Largest decay of averaged weights, which samples use; 0: none (default: the model's)."
    ),
]
ValidateEvery = Annotated[int | None, typer.Option(min=1, help="Steps between validations (default: 20 in all).")]
SaveEvery = Annotated[int | None, typer.Option(min=1, help="Steps between checkpoints (default: 30 seconds).")]
Resume = Annotated[str | None, typer.Option(help="auto: continue from the newest intact checkpoint of --out.")]
UpAxis = Annotated[str | None, typer.Option("--up", help="Up axis of the data: x, y (default), z, -x, -y or -z.")]
TrainSeed = Annotated[
    int | None, typer.Option("--seed", help="Seed of everything random (default: 0, or that of the resumed run).")
]
Tensorboard = Annotated[bool, typer.Option("--tensorboard", help="Write event files too.")]
