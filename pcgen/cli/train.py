"""`pcgen train`: any model of the suite, on clouds or on the codes of an autoencoder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pcgen.cli.common import parse_settings, say
from pcgen.cli.options import (
    FOUR_GIB,
    BatchSize,
    Bf16,
    Device,
    DropBad,
    Epochs,
    Jitter,
    MaxBytes,
    Minutes,
    Mirror,
    Overwrite,
    Rotate,
    Scale,
    Steps,
    Stretch,
    Threads,
)

if TYPE_CHECKING:
    from pcgen.training import Job, Options, Run

__all__ = ["train"]

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
TrainSeed = Annotated[int | None, typer.Option("--seed", help="Seed of everything random (default: 0).")]
Tensorboard = Annotated[bool, typer.Option("--tensorboard", help="Write event files too.")]


def train(
    out: Out,
    model: Model = None,
    data: Data = None,
    codes: CodesOf = None,
    again: Again = None,
    settings: Settings = None,
    domain: Domain = None,
    epochs: Epochs = None,
    steps: Steps = None,
    minutes: Minutes = None,
    batch_size: BatchSize = None,
    points: Points = None,
    normalize: Normalize = None,
    rotate: Rotate | None = None,
    jitter: Jitter | None = None,
    scale: Scale | None = None,
    stretch: Stretch | None = None,
    mirror: Mirror | None = None,
    schedule: Schedule = None,
    warmup: Warmup = None,
    clip: Clip = None,
    average: Averages = None,
    bf16: Bf16 = None,
    device: Device = "cpu",
    threads: Threads = None,
    validate_every: ValidateEvery = None,
    save_every: SaveEvery = None,
    resume: Resume = None,
    up: UpAxis = None,
    max_bytes: MaxBytes = FOUR_GIB,
    drop_bad: DropBad = False,
    tensorboard: Tensorboard = False,
    seed: TrainSeed = None,
    overwrite: Overwrite = False,
) -> None:
    """Train a model on clouds (--data), or on the codes of a trained autoencoder (--codes)."""
    reading: dict[str, Any] = {"points": points, "normalize": normalize, "up": up, "drop_bad": drop_bad}
    changing = {"rotation": rotate, "jitter": jitter, "scale": scale, "stretch": stretch, "mirror": mirror}
    _check(model, out, data, codes, again, {**reading, **changing, "set": settings, "domain": domain})
    if out.exists() and not overwrite and resume is None:
        raise FileExistsError(f"--out: {out} exists; choose another name, or give --overwrite or --resume auto")
    import torch

    from pcgen import training
    from pcgen.data import Augmentation
    from pcgen.ranks import device as check_device

    # Refused before any data is read.
    given: dict[str, Any] = {"epochs": epochs, "steps": steps, "minutes": minutes, "batch_size": batch_size}
    given |= {"schedule": schedule, "warmup": warmup, "clip": clip, "average": average, "bf16": bf16}
    given |= {"validate_every": validate_every, "save_every": save_every, "tensorboard": tensorboard or None}
    changes: dict[str, Any] = {option: amount for option, amount in changing.items() if amount is not None}
    given |= {"augment": Augmentation(**changes) if changes else None}
    given |= {"seed": 0 if seed is None and again is None else seed}
    given = {name: value for name, value in given.items() if value is not None}
    options = training.Options(**given)
    check_device(device)
    torch.manual_seed(options.seed or 0)
    if threads is not None:
        torch.set_num_threads(threads)
    if again is not None:
        job, options = training.again(again, data=data, device=device, **given)
    else:
        reading |= {"max_bytes": max_bytes, "seed": options.seed}
        job = _job(str(model), data, codes, settings or [], domain, reading, device)
    name = _announce(job, options, out)
    job.fit(out, options, device=device, resume=resume, overwrite=overwrite, progress=True)
    _conclude(training.Run.open(out), name)


def _check(
    model: str | None,
    out: Path,
    data: str | None,
    codes: Path | None,
    again: Path | None,
    settled: dict[str, object],
) -> None:
    """Refuse options that contradict each other."""
    if again is not None:
        others: dict[str, object] = {"MODEL": model, "--codes": codes}
        others |= {
            f"--{name.replace('rotation', 'rotate').replace('_', '-')}": value for name, value in settled.items()
        }
        for option in (option for option, value in others.items() if value):
            raise ValueError(f"{option}: is settled by the run that --again names; leave it out")
    elif model is None:
        raise ValueError("MODEL: name a model (`pcgen models` lists them), or a run with --again")
    elif data is None and codes is None:
        raise ValueError("--data, --codes: give one of them: clouds to learn from, or an autoencoder's run folder")
    if codes is not None:
        for name, value in settled.items():
            if value and name not in ("set", "domain"):
                option = f"--{name.replace('rotation', 'rotate').replace('_', '-')}"
                raise ValueError(
                    f"{option}: is settled by the run that --codes names, whose clouds are read; leave it out"
                )
    elif settled["domain"] and again is None:
        raise ValueError("--domain: is for heads on codes; give --codes RUN, or leave it out")
    for option, run in (("--codes", codes), ("--again", again)):
        if run is not None and out.resolve() == run.resolve():
            raise ValueError(f"--out: {out} is the run that {option} reads; choose another name")


def _job(
    model: str,
    data: str | None,
    codes: Path | None,
    settings: list[str],
    domain: str | None,
    reading: dict[str, Any],
    device: str,
) -> "Job":
    """The model, and the clouds or codes that it learns, read."""
    from pcgen import training
    from pcgen.data.training_set import training_set
    from pcgen.models import model_class
    from pcgen.models.shape import accepted

    cls = model_class(model)
    config = parse_settings(settings, cls, skip=["shape"])
    if codes is not None:
        return training.on_codes(model, training.read_codes(codes, data=data, device=device), domain, **config)
    points = reading.pop("points") or 2048
    accepted(cls.accepts, (points, 3), model)
    source = training_set(
        str(data),
        points=points,
        **{name: value for name, value in reading.items() if value is not None},
    )
    return training.on_clouds(model, source, points, **config)


def _announce(job: "Job", options: "Options", out: Path) -> str:
    """Say what is to be trained on what; returns the model's name."""
    from pcgen.training.identity import describe_model

    learner = getattr(job.learner, "head", job.learner)
    name = str(describe_model(learner)["name"])
    moved = {
        id(p): p.numel() for own in job.learner.optimizers().values() for g in own.param_groups for p in g["params"]
    }
    what = "clouds" if learner is job.learner else "codes"
    say(*job.source.notes)
    say(
        f"{name}: {len(job.train)} training {what} of {job.source.spec}, {len(job.held_out)} held out; "
        f"{f'{sum(moved.values()):,} weights; ' if moved else ''}"
        f"{f'{len(learner.classes)} classes; ' if learner.classes else ''}run folder {out}"
    )
    own = job.learner.recipe
    if options.augment is None and own.augment is not None and len(job.train) < own.few:
        changed = f"each batch is changed at random, {own.augment}"
        say(f"fewer than {own.few} {what}: {changed} (to turn this off: --stretch 0)")
    return name


def _conclude(run: "Run", name: str) -> None:
    """Say how good the model became, and what to type next."""
    from pcgen.models import GenerativeModel, model_class
    from pcgen.models.abilities import abilities

    history = run.history
    validated = [row for row in history if "validation" in row]
    if not history:
        return
    last = history[-1]
    words = f"{run.path}: {last['step']} steps in {last['seconds']:.0f} s"
    if validated:
        best = min(validated, key=lambda row: row["validation"])
        words += (
            f"; best validation {best['validation']:.4g} at step {best['step']}, last {validated[-1]['validation']:.4g}"
        )
    say(words)
    cls = model_class(name)
    if issubclass(cls, GenerativeModel):
        say(f"next: pcgen sample {run.path} -n 100 --out samples.npz")
    elif {"encode", "decode"} <= set(abilities(cls)):
        say(f"next: pcgen train diffusion --codes {run.path} --out {run.path.parent / 'diffusion'}")
