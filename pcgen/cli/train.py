"""`pcgen train`: any model of the suite, on clouds or on the codes of an autoencoder."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pcgen.cli.common import parse_settings, say
from pcgen.cli.options import (
    BatchSize,
    Bf16,
    Device,
    DropBad,
    Epochs,
    GivenBytes,
    GivenJitter,
    GivenMirror,
    GivenRotate,
    GivenScale,
    GivenStretch,
    Minutes,
    Overwrite,
    RotateShare,
    Steps,
    Threads,
)
from pcgen.cli.train_options import (
    Again,
    Averages,
    Clip,
    CodesOf,
    Data,
    Domain,
    Model,
    Normalize,
    Out,
    Points,
    Resume,
    SaveEvery,
    Schedule,
    Settings,
    Tensorboard,
    TrainSeed,
    UpAxis,
    ValidateEvery,
    Warmup,
)

if TYPE_CHECKING:
    from pcgen.training import Job, Options, Run

__all__ = ["train"]


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
    rotate: GivenRotate = None,
    rotate_share: RotateShare = None,
    jitter: GivenJitter = None,
    scale: GivenScale = None,
    stretch: GivenStretch = None,
    mirror: GivenMirror = None,
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
    max_bytes: GivenBytes = None,
    drop_bad: DropBad = False,
    tensorboard: Tensorboard = False,
    seed: TrainSeed = None,
    overwrite: Overwrite = False,
) -> None:
    """Train a model on clouds (--data), or on the codes of a trained autoencoder (--codes)."""
    reading: dict[str, Any] = {"points": points, "normalize": normalize, "up": up, "max_bytes": max_bytes}
    reading |= {"drop_bad": drop_bad or None}
    changing = {"rotation": rotate, "jitter": jitter, "scale": scale, "stretch": stretch, "mirror": mirror}
    changing["rotated"] = rotate_share
    _check(model, out, data, codes, again, {**reading, **changing, "set": settings or None, "domain": domain})
    import torch

    from pcgen import training
    from pcgen.data import Augmentation
    from pcgen.ranks import device as check_device
    from pcgen.training.fitting import check_asked
    from pcgen.training.resume import left_open

    # Refused before any data is read.
    check_asked(out, resume, overwrite, tensorboard)
    training.Run.check_free(out, overwrite or resume is not None)
    given: dict[str, Any] = {"epochs": epochs, "steps": steps, "minutes": minutes, "batch_size": batch_size}
    given |= {"schedule": schedule, "warmup": warmup, "clip": clip, "average": average, "bf16": bf16}
    given |= {"validate_every": validate_every, "save_every": save_every, "tensorboard": tensorboard or None}
    changes: dict[str, Any] = {option: amount for option, amount in changing.items() if amount is not None}
    given |= {"augment": Augmentation(**changes, centred=True) if changes else None, "seed": seed}
    given = {name: value for name, value in given.items() if value is not None}
    options = training.Options(**given)
    if seed is None and again is None:  # The data is divided by the seed, too.
        former = left_open(options, out).seed if resume is not None else None
        options = dataclasses.replace(options, seed=former or 0)
    check_device(device)
    torch.manual_seed(options.seed or 0)
    if threads is not None:
        torch.set_num_threads(threads)
    if again is not None:
        job, options = training.again(again, data=data, codes=codes, device=device, **given)
    else:
        reading |= {"seed": options.seed}
        job = _job(str(model), data, codes, settings or [], domain, reading, device)
    name = _announce(job, left_open(options, out) if resume is not None else options, out)
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
    """Refuse options that contradict each other; those that were given are not None, but may be 0."""
    if again is not None:
        others: dict[str, object] = {"MODEL": model}
        others |= {_option(name): value for name, value in settled.items()}
        for option in (option for option, value in others.items() if value is not None):
            raise ValueError(f"{option}: is settled by the run that --again names; leave it out")
    elif model is None:
        raise ValueError("MODEL: name a model (`pcgen models` lists them), or a run with --again")
    elif data is None and codes is None:
        raise ValueError("--data, --codes: give one of them: clouds to learn from, or an autoencoder's run folder")
    elif codes is not None:
        for name, value in settled.items():
            if value is not None and name not in ("set", "domain"):
                raise ValueError(
                    f"{_option(name)}: is settled by the run that --codes names, whose clouds are read; leave it out"
                )
    elif settled["domain"] is not None:
        raise ValueError("--domain: is for heads on codes; give --codes RUN, or leave it out")
    if settled["rotated"] is not None and not settled["rotation"]:
        raise ValueError(
            "--rotate-share: is of the clouds that --rotate rotates; give --rotate DEGREES, or leave it out"
        )
    for option, run in (("--codes", codes), ("--again", again)):
        if run is not None and out.resolve() == run.resolve():
            raise ValueError(f"--out: {out} is the run that {option} reads; choose another name")


def _option(name: str) -> str:
    """The option of an argument."""
    return f"--{ {'rotation': 'rotate', 'rotated': 'rotate-share'}.get(name, name).replace('_', '-') }"


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

    learner = job.learner.learner
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
    if own.augment is not None and len(job.train) < own.few and options.augment in (None, own.augment):
        changed = f"each batch is changed at random, {own.augment}"
        say(f"fewer than {own.few} {what}: {changed} (to turn this off: --stretch 0)")
    return name


def _conclude(run: "Run", name: str) -> None:
    """Say how good the model became, and what to type next."""
    from pcgen.models import MODELS, GenerativeModel, model_class
    from pcgen.models.abilities import abilities
    from pcgen.training.history import used_row

    history = run.history
    if not history:
        return
    last = history[-1]
    words = f"{run.path}: {last['step']} steps in {last['seconds']:.0f} s"
    best, latest = (used_row(history, chosen) for chosen in (True, False))
    if latest is not None and not run.checkpoint("best").is_file():
        words += f"; validation {latest['validation']:.4g}"
    elif latest is not None and best is not None:
        words += f"; best validation {best['validation']:.4g} at step {best['step']}, last {latest['validation']:.4g}"
    say(words)
    cls = model_class(name)
    if issubclass(cls, GenerativeModel):
        say(f"next: pcgen sample {run.path} -n 100 --out samples.npz")
    elif {"encode", "decode"} <= set(abilities(cls)):
        say(f"next: pcgen train diffusion --codes {run.path} --out {run.path.parent / 'diffusion'}")
    elif "encode" in abilities(cls) and name in MODELS:
        say(f"next: pcgen classify {run.path} --data LABELLED --out {run.path.parent / 'table'}")
