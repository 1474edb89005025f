"""`pcgen complete`: completions of partial clouds."""

from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from pcgen.cli.common import check_out, read_each, say
from pcgen.cli.options import Device, DropBad, Format, Out, Overwrite, Seed, Up

__all__ = ["complete"]

_DRAWN = 8  # partial clouds in a picture


def complete(
    run: Annotated[Path, typer.Argument(help="The folder of a trained head on an autoencoder's codes.")],
    partial: Annotated[
        str, typer.Argument(help="Partial clouds of any sizes, in the units and position of the training data: SOURCE.")
    ],
    out: Out,
    png: Annotated[
        Path | None, typer.Option(help=f"Also draw the first {_DRAWN} partial clouds, each beside its completions.")
    ] = None,
    n: Annotated[int, typer.Option("-n", "--number", min=1, help="Number of completions of each.")] = 4,
    labels: Annotated[
        str | None, typer.Option(help="One class for all, or one for each, separated by commas (default: any class).")
    ] = None,
    candidates: Annotated[int, typer.Option(min=1, help="Number of samples to search among.")] = 1000,
    steps: Annotated[int, typer.Option(min=0, help="Steps of the optimisation of the best of them.")] = 100,
    checkpoint: Annotated[
        str | None, typer.Option(help="best or last (default: the best, if there was validation).")
    ] = None,
    format: Format = None,
    up: Up = None,
    drop_bad: DropBad = False,
    device: Device = "cpu",
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Complete partial clouds, with several completions of each, named after the partial cloud: NAME-1, NAME-2."""
    import torch

    from pcgen import data, training
    from pcgen.cli.progress import counting
    from pcgen.data.gathering import Reading
    from pcgen.data.readers import READERS
    from pcgen.data.saving import check_target
    from pcgen.view import picture

    check_target(out, overwrite, make_folder=True, format=format)
    if png is not None:
        check_out(png, ".png", overwrite, "--png")
    opened = training.Run.open(run)
    clouds = read_each(partial, Reading(up=up, drop_bad=drop_bad), "complete")
    check_target(out, overwrite, format=format, count=n * len(clouds))
    chosen = None if labels is None else [name.strip() for name in labels.split(",")]
    torch.manual_seed(seed)
    with counting("completing", "clouds") as progress:
        whole = opened.complete(
            clouds,
            n,
            chosen[0] if chosen and len(chosen) == 1 else chosen,
            checkpoint=checkpoint,
            device=device,
            progress=progress,
            candidates=candidates,
            steps=steps,
        )
    stems = [PurePosixPath(cloud.names[0]) for cloud in clouds]
    stems = [stem.with_suffix("") if stem.suffix.lower() in READERS else stem for stem in stems]
    names = tuple(f"{stem}-{place}" for stem in stems for place in range(1, n + 1))
    data.save(out, data.Clouds.of(whole.flatten(0, 1), names=names), format=format, overwrite=overwrite)
    said = f"{n} completions of {stems[0]}" if len(stems) == 1 else f"{n} completions of each of {len(stems)} clouds"
    say(f"{out}: {said}, of {whole.shape[2]} points (seed {seed})")
    if png is not None:
        pairs = list(zip(clouds, whole, strict=True))[:_DRAWN]
        shown = [each for part, made in pairs for each in (part, data.Clouds.of(made))]
        captions = [name for _ in pairs for name in ("given", *(str(place) for place in range(1, n + 1)))]
        titles = [str(stem) for stem in stems[:_DRAWN]]
        drawn = picture(shown, png, captions=captions, rows=titles, columns=n + 1, overwrite=overwrite)
        say(str(drawn))
