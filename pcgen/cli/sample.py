"""`pcgen sample`: new clouds from a trained model."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pcgen.cli.common import parse_settings, say
from pcgen.cli.options import Device, Format, Out, Overwrite, Seed

__all__ = ["sample"]


def sample(
    run: Annotated[Path, typer.Argument(help="The folder of a trained model.")],
    out: Out,
    n: Annotated[int, typer.Option("-n", "--number", min=1, help="Number of clouds.")] = 100,
    labels: Annotated[
        str | None,
        typer.Option(help="Classes, separated by commas, with equally many clouds each (default: as in training)."),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="An option of the model's sampling, name=value.")
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option(help="best or last (default: the best, if there was validation).")
    ] = None,
    format: Format = None,
    device: Device = "cpu",
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Generate new clouds by a trained model, in the units of its training data."""
    import torch

    from pcgen import data, training
    from pcgen.cli.progress import WORTH_A_WORD, counting, duration
    from pcgen.data.saving import check_target
    from pcgen.training.cost import available_memory, gigabytes

    check_target(out, overwrite, make_folder=True, format=format, count=n)
    opened = training.Run.open(run)
    model = opened.generator(checkpoint, device)
    parts: dict[Any, None] = dict.fromkeys((model, model.learner))
    drawing = [part.draw for part in parts]
    options = parse_settings(settings or [], *drawing, skip=["labels"])
    cost = opened.cost(n, checkpoint=checkpoint, device=device, **options)
    cost.check(available_memory())
    if cost.seconds > WORTH_A_WORD:
        say(
            f"sampling {n:,} clouds, {cost.batch:,} at a time: about {duration(cost.seconds)}, and "
            f"{gigabytes(cost.memory)} of memory for {gigabytes(cost.result)} of clouds"
        )
    torch.manual_seed(seed)
    if labels is None:
        as_often = model.draw_labels(n)
        places = None if as_often is None else as_often.cpu()
    else:
        places = training.spread_labels(model.classes, [name.strip() for name in labels.split(",")], n)
    with counting("sampling", "clouds") as progress:
        clouds = opened.sample(n, places, checkpoint=checkpoint, device=device, progress=progress, **options)
    drawn = data.Clouds.of(clouds, labels=places, classes=model.classes)
    data.save(out, drawn, format=format, overwrite=overwrite)
    described = opened.config["model"]
    name = described.get("head", described).get("name")
    of = f" of {labels}" if labels else ""
    say(f"{out}: {n} clouds{of} of {clouds.shape[1]} points, sampled by {name} (seed {seed})")
