"""Options that several commands share, with their help."""

from typing import Annotated

import typer

__all__ = [
    "FOUR_GIB",
    "BatchSize",
    "Bf16",
    "Device",
    "DropBad",
    "EmdClouds",
    "EmdPoints",
    "Epochs",
    "Format",
    "GivenBytes",
    "GivenJitter",
    "GivenMirror",
    "GivenRotate",
    "GivenScale",
    "GivenStretch",
    "Jitter",
    "MaxBytes",
    "Minutes",
    "Mirror",
    "Out",
    "Overwrite",
    "Rotate",
    "RotateShare",
    "Scale",
    "Seed",
    "Steps",
    "Stretch",
    "Threads",
    "Up",
]

FOUR_GIB = 4 * 2**30

Out = Annotated[
    str,
    typer.Option(help="The .npz to write; a .ply, .xyz or .obj of one cloud; or a new folder of such files, FOLDER/."),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format", help="Format of the files of a folder: ply (default), xyz, or obj (vertices without faces)."
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is written there already.")]
Seed = Annotated[int, typer.Option(help="Seed of all random numbers.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads (default: torch's choice).")]
MaxBytes = Annotated[int, typer.Option(min=1, help="The most memory for one set of clouds, in bytes.")]
GivenBytes = Annotated[
    int | None,
    typer.Option("--max-bytes", min=1, help="The most memory for one set of clouds (default: 4 GiB), in bytes."),
]
DropBad = Annotated[
    bool, typer.Option("--drop-bad", help="Leave out what cannot be used (NaN, damaged files), counted and named.")
]
Up = Annotated[
    str | None,
    typer.Option(help="Up axis of the data: x, y (default), z, -x, -y or -z; clouds are turned y up, once."),
]
EmdClouds = Annotated[
    int | None,
    typer.Option(min=0, help="EMD on at most this many clouds per set (default: 100 under exact, else all); 0: all."),
]
EmdPoints = Annotated[
    int | None,
    typer.Option(min=0, help="EMD on at most this many points a cloud (default: 2048 under exact, else all); 0: all."),
]
Epochs = Annotated[int | None, typer.Option(min=1, help="Train for this many passes over the data.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Train for this many updates (default: the model's own).")]
Minutes = Annotated[float | None, typer.Option(help="Train for this many minutes.")]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Rows per update (default: the model's own).")]
Bf16 = Annotated[
    bool | None,
    typer.Option(
        "--bf16/--no-bf16",
        help="Compute in bfloat16 (default: the models that learn as well in it, if the device has instructions).",
    ),
]
_ROTATE = typer.Option(min=0, help="Rotate each cloud about the up axis through its centre by up to +- this (degrees).")
_JITTER = typer.Option(min=0, help="Add Gaussian noise of this standard deviation to every point.")
_SCALE = typer.Option(min=0, help="Scale each cloud about its centre, by a factor from 1 / (1 + this) to 1 + this.")
_STRETCH = typer.Option(
    min=0, help="Scale each cloud along each axis about its centre, by factors from 1 / (1 + this) to 1 + this."
)
_MIRROR = typer.Option(min=0, max=1, help="Mirror this share of the clouds about their centre, left to right.")
Rotate = Annotated[float, _ROTATE]
Jitter = Annotated[float, _JITTER]
Scale = Annotated[float, _SCALE]
Stretch = Annotated[float, _STRETCH]
Mirror = Annotated[float, _MIRROR]
# Where an option that is not given is another thing than 0.
GivenRotate = Annotated[float | None, _ROTATE]
RotateShare = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Rotate this share of the clouds; the others keep their direction (default: all)."),
]
GivenJitter = Annotated[float | None, _JITTER]
GivenScale = Annotated[float | None, _SCALE]
GivenStretch = Annotated[float | None, _STRETCH]
GivenMirror = Annotated[float | None, _MIRROR]
