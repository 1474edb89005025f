"""`pcgen train`: any model of the suite, on clouds or on the codes of an autoencoder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pcgen.cli.common import FOUR_GIB, DropBad, MaxBytes, Overwrite, Seed, parse_settings, say

if TYPE_CHECKING:
    from pcgen.models import Learner

__all__ = ["train"]


def train(
    model: Annotated[str, typer.Argument(help="A model; `pcgen models` lists them, `pcgen models NAME` its options.")],
    out: Annotated[Path, typer.Option(help="The run folder to write.")],
    data: Annotated[str | None, typer.Option(help="Clouds to learn from: SOURCE[:CLASS]\\[@SPLIT].")] = None,
    codes: Annotated[
        Path | None, typer.Option(help="Learn codes: the run folder of an autoencoder, whose data is read again.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="An option of the model, name=value; may be given many times.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Train this many times over the data.")] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Train this many updates (default: the model's own).")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Train this long.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Rows per update (default: the model's own).")] = None,
    points: Annotated[
        int | None, typer.Option(min=1, help="Points per cloud (default: 2048); larger clouds are subsampled afresh.")
    ] = None,
    normalize: Annotated[
        str | None,
        typer.Option(help="none (default), unit_sphere, unit_box, bbox or global_std; undone when sampling."),
    ] = None,
    rotate: Annotated[float, typer.Option(min=0, help="Turn clouds about the up axis by up to +- this (degrees).")] = 0,
    jitter: Annotated[float, typer.Option(min=0, help="Add Gaussian noise of this deviation to every point.")] = 0,
    scale: Annotated[float, typer.Option(min=0, help="Scale clouds by 1 +- up to this share.")] = 0,
    schedule: Annotated[str, typer.Option(help="Learning rate: constant, linear or cosine.")] = "constant",
    warmup: Annotated[int, typer.Option(min=0, help="Steps over which the learning rate rises from 0.")] = 0,
    clip: Annotated[float | None, typer.Option(help="Clip the norm of gradients to this.")] = None,
    average: Annotated[
        float | None,
        typer.Option(help="Decay of averaged weights, which samples use; 0: none (default: the model's own)."),
    ] = None,
    bf16: Annotated[bool, typer.Option("--bf16", help="Compute in bfloat16 where it is safe.")] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads (default: torch's choice).")] = None,
    validate_every: Annotated[
        int | None, typer.Option(min=1, help="Steps between validations (default: 20 in all).")
    ] = None,
    save_every: Annotated[
        int | None, typer.Option(min=1, help="Steps between checkpoints (default: 30 seconds).")
    ] = None,
    resume: Annotated[str | None, typer.Option(help="auto: go on from the newest whole checkpoint of --out.")] = None,
    up: Annotated[str | None, typer.Option(help="Up axis of the data: x, y (default), z, -x, -y or -z.")] = None,
    max_bytes: MaxBytes = FOUR_GIB,
    drop_bad: DropBad = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write event files too.")] = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Train a model on clouds (--data), or on the codes of a trained autoencoder (--codes)."""
    if (data is None) == (codes is None):
        raise ValueError("--data, --codes: give one of them: clouds to learn from, or an autoencoder's run folder")
    if codes is not None:
        fixed: dict[str, object] = {"--points": points, "--normalize": normalize, "--up": up, "--drop-bad": drop_bad}
        fixed |= {"--rotate": rotate, "--jitter": jitter, "--scale": scale}
        for option in (option for option, value in fixed.items() if value):
            raise ValueError(f"{option}: is settled by the run that --codes names, whose clouds are read; leave it out")
        if out.resolve() == codes.resolve():
            raise ValueError(f"--out: {out} is the run that --codes reads; choose another name")
    if out.exists() and not overwrite and resume is None:
        raise FileExistsError(f"--out: {out} exists; choose another name, or give --overwrite or --resume auto")
    import torch

    from pcgen import training
    from pcgen.data import Augmentation
    from pcgen.data.training_set import training_set
    from pcgen.models import MODELS, build
    from pcgen.ranks import device as check_device
    from pcgen.training.limits import Limit, check_rates

    # Refused before any data is read.
    Limit.check(epochs, steps, minutes)
    check_rates(schedule, warmup, clip)
    check_device(device)
    torch.manual_seed(seed)
    if threads is not None:
        torch.set_num_threads(threads)
    config = parse_settings(settings or [], MODELS[model], skip=["shape"])
    learner: Learner
    if data is not None:
        points = points or 2048
        learner = build({"name": model, "shape": (points, 3), **config})
        source = training_set(
            data,
            points=points,
            normalize=normalize or "none",
            up=up or "y",
            drop_bad=drop_bad,
            max_bytes=max_bytes,
            seed=seed,
        )
        rows, held_out = source.train, source.held_out
        augment = Augmentation(rotation=rotate, jitter=jitter, scale=scale) if rotate or jitter or scale else None
    else:
        read = training.read_codes(Path(str(codes)), device=device)
        source, rows, held_out, augment = read.source, read.train, read.held_out, None
        learner = training.head_on_codes(read, model, **config)
    weights = sum(p.numel() for p in learner.parameters() if p.requires_grad)
    say(*source.notes)
    say(
        f"{model}: {len(rows)} training {'codes' if codes else 'clouds'} of {source.spec}, {len(held_out)} held out; "
        f"{f'{weights:,} weights; ' if weights else ''}run folder {out}"
    )
    training.fit(
        learner,
        rows,
        labels=source.labels,
        validation=held_out,
        out=out,
        about=source.about,
        batch_size=batch_size,
        epochs=epochs,
        steps=steps,
        minutes=minutes,
        augment=augment,
        schedule=schedule,
        warmup=warmup,
        clip=clip,
        average=average,
        bf16=bf16,
        device=device,
        seed=seed,
        validate_every=validate_every,
        save_every=save_every,
        resume=resume,
        overwrite=overwrite,
        tensorboard=tensorboard,
        progress=True,
    )
