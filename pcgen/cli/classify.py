"""`pcgen classify`: how well codes separate classes, with baselines and supervised references, as one table."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pcgen.cli.common import given, parse_model_settings, say
from pcgen.cli.options import (
    FOUR_GIB,
    BatchSize,
    Bf16,
    Device,
    DropBad,
    Epochs,
    MaxBytes,
    Minutes,
    Seed,
    Steps,
    Threads,
    Up,
)

__all__ = ["classify"]

# What only the supervised references have, and only the linear classifier of codes.
_OF_REFERENCES = ("settings", "points", "epochs", "steps", "minutes", "batch_size", "rotate", "jitter", "bf16")
_OF_CODES = ("losses",)

Data = Annotated[str, typer.Option(help="A labelled set, SOURCE[:CLASS,CLASS]; @train is learned, @test tested.")]
Out = Annotated[Path, typer.Option(help="The folder of the table; results that are already in it are kept.")]
Runs = Annotated[
    list[str] | None, typer.Argument(help="Run folders of autoencoders, whose codes a linear SVM classifies.")
]
Supervised = Annotated[
    bool, typer.Option("--supervised", help="Also train PointNet and PointNet++, each in its variants.")
]
Names = Annotated[
    str | None,
    typer.Option(
        "--models",
        help="Which of pointnet, pointnet_tnets, pointnet2, pointnet2_mrg, pointnet2_normals to train, separated by "
        "commas.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="An option of a supervised reference, MODEL.name=value; can be given several times."),
]
Points = Annotated[int, typer.Option(min=1, help="Points per cloud of the supervised references.")]
Rotate = Annotated[float, typer.Option(min=0, help="Rotate clouds about the up axis by up to +- this (degrees).")]
Jitter = Annotated[
    float, typer.Option(min=0, help="Standard deviation of the noise of every point, in the unit sphere.")
]
Losses = Annotated[
    str, typer.Option(help="The SVM's losses to choose from: squared_hinge, hinge, or both with a comma (slow).")
]


def classify(
    context: typer.Context,
    data: Data,
    out: Out,
    runs: Runs = None,
    supervised: Supervised = False,
    models: Names = None,
    settings: Settings = None,
    points: Points = 1024,
    epochs: Epochs = None,
    steps: Steps = None,
    minutes: Minutes = None,
    batch_size: BatchSize = None,
    rotate: Rotate = 180,
    jitter: Jitter = 0.02,
    losses: Losses = "squared_hinge",
    bf16: Bf16 = None,
    device: Device = "cpu",
    threads: Threads = None,
    up: Up = None,
    drop_bad: DropBad = False,
    max_bytes: MaxBytes = FOUR_GIB,
    seed: Seed = 0,
) -> None:
    """Classify a labelled set by a linear SVM on codes, and by supervised references, with baselines."""
    if not runs and not supervised and not models:
        raise ValueError("RUNS, --supervised: give an autoencoder's run folder, or --supervised, or both")
    import rich.console
    import rich.markdown
    import torch

    from pcgen.errors import choose
    from pcgen.metrics.svm import LOSSES
    from pcgen.ranks import device as device_of_process
    from pcgen.studies import classification
    from pcgen.training import Options

    names = _names(supervised, models)
    config = parse_model_settings(settings or [], names, _target)
    chosen = list(dict.fromkeys(choose(loss.strip(), LOSSES, "--losses") for loss in losses.split(",")))
    _refuse_unused(context, bool(runs), bool(names))
    options = Options(epochs=epochs, steps=steps, minutes=minutes, batch_size=batch_size, bf16=bf16)
    device_of_process(device)
    classification.check_out(out, classification.REFERENCES)
    wanted = [int(classification.encoder(run).shape[0]) for run in runs or []] + [points]
    if threads is not None:
        torch.set_num_threads(threads)
    sets = classification.labelled(
        data, at_least=1, surface_points=max(2048, *wanted), up=up, drop_bad=drop_bad, max_bytes=max_bytes
    )
    if names:
        classification.check_points(sets, points, "--points")
    if not models:
        usable = classification.usable(sets)
        say(*(f"{name}: left out, since the clouds have no normals" for name in names if name not in usable))
        names = [name for name in names if name in usable]
    about = {"data": data, "seed": seed, **sets.about}
    rows = {row.name: row for row in classification.kept(out, about, classification.REFERENCES)}
    say(*sets.train.notes, f"{data}: {len(sets.train)} clouds of @train are learned, {len(sets.test)} of @test tested")

    def add(*made: classification.Row) -> None:
        rows.update({row.name: row for row in made})
        classification.write(list(rows.values()), out, about)

    add(classification.majority(sets))
    for run in runs or []:
        say(f"{run}: linear SVM on its codes, and on those of its untrained encoder")
        add(*classification.on_codes(run, sets, losses=chosen, device=device, seed=seed))
    changes: dict[str, Any] = {"points": points, "rotate": rotate, "jitter": jitter}
    how: dict[str, Any] = {"device": device, "seed": seed, "options": options, "resume": "auto", "progress": True}
    for name in names:
        add(classification.supervised(name, sets, out / name, config=config.get(name), **changes, **how))
    rich.console.Console().print(rich.markdown.Markdown(classification.table(list(rows.values()), about)))
    say(f"{out}: classification.json and classification.md")


def _refuse_unused(context: typer.Context, codes: bool, references: bool) -> None:
    """Refuse options that were given and would be ignored."""
    for there, own, what in (
        (references, _OF_REFERENCES, "supervised references; add --supervised or --models"),
        (codes, _OF_CODES, "a classifier of codes; name a run folder"),
    ):
        if not there and (asked := given(context, among=own)):
            raise ValueError(f"{', '.join(asked)}: for {what}, or leave it out")


def _names(supervised: bool, models: str | None) -> list[str]:
    """The supervised references that were asked for."""
    from pcgen.errors import choose
    from pcgen.studies import classification

    if models:
        named = (choose(name.strip(), classification.REFERENCES, "--models") for name in models.split(","))
        return list(dict.fromkeys(named))
    return list(classification.REFERENCES) if supervised else []


def _target(name: str) -> tuple[Any, list[str]]:
    """The class of a supervised reference, and its arguments that the data and the reference settle."""
    from pcgen.models import CLASSIFIERS
    from pcgen.studies import classification

    reference = classification.REFERENCES[name]
    return CLASSIFIERS[reference["name"]], ["shape", "classes", *reference]
