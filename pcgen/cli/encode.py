"""`pcgen encode` and `pcgen reconstruct`: codes of clouds, and their reconstructions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pcgen.cli.common import check_out, say
from pcgen.cli.options import FOUR_GIB, Device, DropBad, Format, MaxBytes, Out, Overwrite, Up
from pcgen.cli.tables import show_table

if TYPE_CHECKING:
    from torch import Tensor

    from pcgen.data import Clouds
    from pcgen.training import Run

__all__ = ["Checkpoint", "Points", "RunArgument", "Source", "encode", "read", "reconstruct"]

RunArgument = Annotated[Path, typer.Argument(help="The folder of a trained autoencoder, or of a head on its codes.")]
Source = Annotated[str, typer.Argument(help="Clouds in the training data's units: SOURCE[:CLASS]\\[@SPLIT].")]
Points = Annotated[int | None, typer.Option(min=1, help="Points of each cloud that are used (default: all).")]
ModelSeed = Annotated[int, typer.Option("--seed", help="Seed of the model's random numbers; the clouds are the same.")]
Checkpoint = Annotated[str | None, typer.Option(help="best or last (default: the best, if there was validation).")]

_DRAWN = 8  # clouds in a picture of reconstructions


def encode(
    run: RunArgument,
    source: Source,
    out: Annotated[Path, typer.Option(help="The .npz to write: codes, names, and, if known, labels and scores.")],
    png: Annotated[
        Path | None, typer.Option(help=f"Also draw the {_DRAWN} clouds with the highest anomaly scores.")
    ] = None,
    own: Annotated[
        bool,
        typer.Option(
            "--own",
            help="The codes that a head itself makes of the autoencoder's: a position on the map of a som, the code of "
            "a vae.",
        ),
    ] = False,
    points: Points = None,
    checkpoint: Checkpoint = None,
    up: Up = None,
    max_bytes: MaxBytes = FOUR_GIB,
    drop_bad: DropBad = False,
    device: Device = "cpu",
    seed: ModelSeed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Write the codes of clouds, and the anomaly score of each if the model decodes: high for unusual clouds."""
    import numpy as np
    import torch

    from pcgen import training
    from pcgen.files import write_whole
    from pcgen.models.abilities import can

    check_out(out, ".npz", overwrite)
    if png is not None:
        check_out(png, ".png", overwrite, "--png")
    opened = training.Run.open(run)
    # A score is a density of the codes, or an error of decoding.
    scored = can(opened.trained(checkpoint, device), "decode")
    if png is not None and not scored:
        raise ValueError(f"--png: needs anomaly scores, which {run} has not, as it does not decode; leave it out")
    clouds = read(opened, source, points, up, max_bytes, drop_bad)
    torch.manual_seed(seed)
    codes = opened.encode(clouds, own=own, checkpoint=checkpoint, device=device)
    arrays = {"codes": codes.numpy(), "names": np.array(clouds.names)}
    if scored:
        scores = opened.anomaly_score(clouds, checkpoint=checkpoint, device=device)
        arrays["score"] = scores.numpy()
    if clouds.labels is not None:
        arrays |= {"labels": clouds.labels.numpy(), "classes": np.array(clouds.classes)}
    write_whole(out, lambda file: np.savez(file, allow_pickle=False, **arrays))
    say(f"{out}: codes {tuple(codes.shape)} of {clouds.source}, with {', '.join(list(arrays)[1:])}")
    if scored:
        _show_scores(clouds, scores)
    if png is not None:
        _draw_highest(clouds, scores, png, overwrite)


def _draw_highest(clouds: "Clouds", scores: "Tensor", png: Path, overwrite: bool) -> None:
    from pcgen.view import picture

    rows = scores.argsort(descending=True)[:_DRAWN]
    captions = [f"{clouds.names[row]} {scores[row]:.4g}" for row in rows.tolist()]
    say(str(picture(clouds.select(rows), png, captions=captions, columns=len(rows), overwrite=overwrite)))


def _show_scores(clouds: "Clouds", scores: "Tensor") -> None:
    """Print the anomaly scores of each class, and the clouds that have the highest."""
    import torch

    members = {"all": torch.ones(len(scores), dtype=torch.bool)}
    if clouds.labels is not None:
        members |= {name: clouds.labels == label for label, name in enumerate(clouds.classes)}
    groups = []
    for name, rows in members.items():
        own = scores[rows]
        if len(own):
            values = (f"{value:.4g}" for value in (own.min(), own.median(), own.max()))
            groups.append((name, str(len(own)), *values))
    numbers = ("clouds", "lowest", "median", "highest")
    show_table(("anomaly scores", *numbers), groups, numbers=numbers)
    order = scores.argsort(descending=True)[:_DRAWN].tolist()
    highest = [(clouds.names[row], f"{scores[row]:.4g}") for row in order]
    show_table(("highest", "score"), highest, numbers=("score",))


def reconstruct(
    run: RunArgument,
    source: Source,
    out: Out,
    png: Annotated[
        Path | None, typer.Option(help=f"Also draw a picture: the first {_DRAWN} clouds above their reconstructions.")
    ] = None,
    points: Points = None,
    checkpoint: Checkpoint = None,
    format: Format = None,
    up: Up = None,
    max_bytes: MaxBytes = FOUR_GIB,
    drop_bad: DropBad = False,
    device: Device = "cpu",
    seed: ModelSeed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Write the reconstructions of clouds by an autoencoder, and print their distances.

    A model of scenes finds objects: their boxes are also written and drawn.
    """
    import torch

    from pcgen import data, training
    from pcgen.data.saving import check_target
    from pcgen.models.abilities import can
    from pcgen.ops import chamfer
    from pcgen.view import picture

    check_target(out, overwrite, make_folder=True, format=format)
    if png is not None:
        check_out(png, ".png", overwrite, "--png")
    opened = training.Run.open(run)
    clouds = read(opened, source, points, up, max_bytes, drop_bad)
    check_target(out, overwrite, format=format, count=len(clouds))
    torch.manual_seed(seed)
    again = opened.reconstruct(clouds, checkpoint=checkpoint, device=device)
    made = data.Clouds.of(again, labels=clouds.labels, classes=clouds.classes, names=clouds.names)
    if can(opened.trained(checkpoint, device), "boxes"):
        made = made.with_boxes(opened.boxes(clouds, checkpoint=checkpoint, device=device))
    data.save(out, made, format=format, overwrite=overwrite)
    error = chamfer(made.at(clouds.origin).points, clouds.points)
    worst = int(error.argmax())
    say(
        f"{out}: {len(made)} clouds of {made.points.shape[1]} points; Chamfer distance {error.mean():.3g} on average, "
        f"at most {error[worst]:.3g} ({clouds.names[worst]})"
    )
    if made.counts is not None:
        right = "" if clouds.counts is None else f", as many as there are in {_share(made.counts, clouds.counts)}"
        say(f"objects: {made.counts.double().mean():.3g} found in a cloud{right}")
    if png is not None:
        first = min(_DRAWN, len(clouds))
        rows, groups = ["clouds", "reconstructed"], [first, first]
        shown = [each.select(range(first)) for each in (clouds, made.at(clouds.origin))]
        captions: list[str] | None = [] if made.boxes is None else None  # with boxes, how many there are
        drawn = picture(shown, png, captions=captions, rows=rows, groups=groups, columns=first, overwrite=overwrite)
        say(str(drawn))


def _share(found: "Tensor", right: "Tensor") -> str:
    return f"{100 * float((found == right).double().mean()):.3g}% of the clouds"


def read(run: "Run", source: str, points: int | None, up: str | None, max_bytes: int, drop_bad: bool) -> "Clouds":
    """The clouds of a source, all of one size, as the run's training read its own; what the reader decided is said.

    So built-in shapes are those of seed 0, and each cloud's position and size are those of all its points, even if
    fewer are used.
    """
    from pcgen.data.gathering import Reading
    from pcgen.data.loading import load_placed

    kept = run.normalization.name if points is not None and run.normalization.each else "none"
    how = Reading(points=points, up=up, normalize=kept, apply=kept == "none", drop_bad=drop_bad, max_bytes=max_bytes)
    clouds, _ = load_placed(source, how)
    say(*clouds.notes)
    return clouds
