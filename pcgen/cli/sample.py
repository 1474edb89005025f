"""`pcgen sample`: new clouds from a trained model."""

from pathlib import Path
from typing import Annotated

import typer

from pcgen.cli.common import Overwrite, Seed, check_out, parse_settings, say

__all__ = ["sample"]


def sample(
    run: Annotated[Path, typer.Argument(help="The folder of a trained model.")],
    out: Annotated[Path, typer.Option(help="The .npz to write.")],
    n: Annotated[int, typer.Option("-n", "--number", min=1, help="How many clouds.")] = 100,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="An option of the model's sampling, name=value.")
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option(help="best or last (default: the best, where there was validation).")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Draw new clouds from a trained model, in the units of its training data."""
    import torch

    from pcgen import data, training
    from pcgen.models import GenerativeModel
    from pcgen.models.clouds.latent import LatentCloudModel

    check_out(out, ".npz", overwrite)
    opened = training.Run.open(run)
    description = opened.config["model"]
    name = description.get("head", description).get("name")
    model = training.load(run, checkpoint=checkpoint, device=device)
    if not isinstance(model, GenerativeModel):
        raise ValueError(
            f"{run}: {name} does not generate; train a head on its codes: pcgen train diffusion --codes {run} --out RUN"
        )
    drawer = model.head if isinstance(model, LatentCloudModel) else model
    options = parse_settings(settings or [], drawer.sample)
    torch.manual_seed(seed)
    clouds = model.sample(n, **options).cpu()
    if opened.normalization is not None:
        clouds = data.Normalization.from_dict(opened.normalization).undo(clouds)
    data.save(out, clouds, overwrite=overwrite)
    say(f"{out}: {n} clouds of {clouds.shape[1]} points, drawn by {name} (seed {seed})")
