"""`pcgen suite`: an autoencoder, then every model of the suite on its codes, in one leaderboard."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pcgen.cli.common import emd_limit, given, parse_metrics, parse_model_settings, say
from pcgen.cli.options import FOUR_GIB, Device, DropBad, EmdClouds, EmdPoints, MaxBytes, Seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pcgen.studies import leaderboard
    from pcgen.studies.leaderboard import Entry

__all__ = ["suite"]

_SHOWN = 6  # clouds of each model on the contact sheet
_MOST_PROCESSES = 4  # each takes about a gigabyte
_PAIRS = 12  # samples of the best model beside their nearest training clouds


Data = Annotated[str, typer.Option(help="Clouds: SOURCE[:CLASS]; @train is learned, @test is the reference.")]
Out = Annotated[Path, typer.Option(help="The folder of the leaderboard; results that are already in it are kept.")]
CodesOf = Annotated[
    Path | None,
    typer.Option("--codes", help="The run folder of a trained autoencoder; without it one is trained."),
]
Names = Annotated[str | None, typer.Option("--models", help="Models, separated by commas (default: every head).")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="An option of a model, MODEL.name=value; can be given several times.")
]
Effort = Annotated[
    float, typer.Option(help="Multiplies every model's default number of steps; each row of the table records its own.")
]
Seeds = Annotated[int, typer.Option(min=1, help="Number of sample sets of each model; 2 or more give deviations.")]
Count = Annotated[
    int | None,
    typer.Option("--clouds", min=2, help="Samples of each model (default: as many as the reference has)."),
]
Most = Annotated[
    int | None,
    typer.Option("--reference-clouds", min=2, help="At most this many clouds of the reference (default: all)."),
]
Points = Annotated[
    int | None, typer.Option(min=1, help="Points per cloud of an autoencoder that is trained here (default: 2048).")
]
Normalize = Annotated[
    str | None, typer.Option(help="Normalisation for an autoencoder that is trained here (default: none).")
]
Protocols = Annotated[
    str, typer.Option("--protocol", help="exact, latent_3d_points, pointflow, lion, dpm, ...; several with commas.")
]
Metrics = Annotated[str, typer.Option(help="Distances of MMD, COV and 1-NNA: cd, emd, or cd,emd.")]
Processes = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Heads that are trained side by side, with the threads divided among them (default: one for each thread "
        "of the CPU, 4 at most; 1 on other devices).",
    ),
]
UpAxis = Annotated[str | None, typer.Option("--up", help="Up axis of the data: x, y (default), z, -x, -y or -z.")]


def suite(
    context: typer.Context,
    out: Out,
    data: Data,
    codes: CodesOf = None,
    models: Names = None,
    settings: Settings = None,
    effort: Effort = 1.0,
    seeds: Seeds = 1,
    clouds: Count = None,
    reference_clouds: Most = None,
    points: Points = None,
    normalize: Normalize = None,
    protocol: Protocols = "exact",
    metrics: Metrics = "cd,emd",
    emd_clouds: EmdClouds = None,
    emd_points: EmdPoints = None,
    device: Device = "cpu",
    up: UpAxis = None,
    drop_bad: DropBad = False,
    max_bytes: MaxBytes = FOUR_GIB,
    processes: Processes = None,
    seed: Seed = 0,
) -> None:
    """Train an autoencoder and every model on its codes, with results in one table, plot and picture."""
    reading: dict[str, Any] = {"points": points, "normalize": normalize, "up": up, "drop_bad": drop_bad}
    if codes is not None and (asked := given(context, among=(*reading, "max_bytes"))):
        raise ValueError(f"{', '.join(sorted(asked))}: is given by the run of --codes; leave it out")
    from pcgen.cli.progress import pair_progress
    from pcgen.models import MODELS
    from pcgen.studies import leaderboard

    names = _names(models, codes)
    trained = names if codes is not None else ["autoencoder", *names]
    config = parse_model_settings(settings or [], trained, lambda name: (MODELS[name], ["shape"]))
    plan = leaderboard.Settings(
        reference=data,
        models=names,
        config=config,
        effort=effort,
        seeds=seeds,
        clouds=clouds,
        reference_clouds=reference_clouds,
        protocols=list(dict.fromkeys(name.strip() for name in protocol.split(","))),
        distances=parse_metrics(metrics),
        emd_clouds=emd_limit(emd_clouds),
        emd_points=emd_limit(emd_points),
        device=device,
        seed=seed,
        processes=processes or _processes(device, names),
    )
    about = {"autoencoder": str(codes or out / "autoencoder"), **plan.measurement()}
    entries = {entry.name: entry for entry in leaderboard.kept(out, about, names)}
    held: list[str] = []  # models that failed now, and have a row from before
    if codes is None:
        codes = out / "autoencoder"
        _train_autoencoder(data, codes, plan, {**reading, "max_bytes": max_bytes})
    with pair_progress("evaluation") as progress:
        for entry in leaderboard.run(codes, out, plan, say=say, progress=progress, kept=list(entries.values())):
            if entry.failure and entry.name in entries:
                say(f"{entry.name}: its earlier row stays in the table")
                held.append(entry.name)
                continue
            entries[entry.name] = entry
            leaderboard.write(list(entries.values()), out, about)
    _show(list(entries.values()), plan, out, codes)
    _end(list(entries.values()), held, out)


def _names(models: str | None, codes: Path | None) -> list[str]:
    """The models that are named, or all that learn such codes as the autoencoder's are."""
    from pcgen.errors import choose
    from pcgen.studies.heads import heads
    from pcgen.training import Run

    code = getattr(Run.open(codes).model(), "code_shape", ()) if codes is not None else ()
    known = heads("set" if len(code) == 2 else "vector")
    if not models:
        return known
    return list(dict.fromkeys(choose(name.strip(), known, "--models") for name in models.split(",")))


def _processes(device: str, names: "Sequence[str]") -> int:
    """How many heads are trained side by side if no number is given."""
    import torch

    return min(torch.get_num_threads(), _MOST_PROCESSES, len(names)) if device == "cpu" else 1


def _train_autoencoder(data: str, out: Path, plan: "leaderboard.Settings", reading: dict[str, Any]) -> None:
    import torch

    from pcgen import training
    from pcgen.data.training_set import training_set

    points = reading.pop("points") or 2048
    given = {name: value for name, value in reading.items() if value is not None}
    source = training_set(data, points=points, seed=plan.seed, **given)
    say(*source.notes)
    torch.manual_seed(plan.seed)
    job = training.on_clouds("autoencoder", source, points, **plan.config.get("autoencoder", {}))
    options = training.Options(seed=plan.seed).scaled(job.learner.recipe, plan.effort)
    job.fit(out, options, device=plan.device, resume="auto", progress=True)


def _show(entries: "Sequence[Entry]", plan: "leaderboard.Settings", out: Path, codes: Path) -> None:
    """Print the tables, and draw the pictures."""
    import rich.console

    from pcgen.metrics import compare
    from pcgen.studies import leaderboard

    entries = leaderboard.ranked(entries, plan.protocols[0])
    done = [entry for entry in entries if entry.reports]
    for name in plan.protocols if done else []:
        measured = {entry.name: list(entry.reports[name]) for entry in done}
        rich.console.Console().print(compare(measured, sort=leaderboard.ranking(done, name)))
    say(*leaderboard.differences(done))
    if done:
        _draw(entries, plan.protocols[0], out)
        _draw_nearest(done[0], out, codes)


def _end(entries: "Sequence[Entry]", held: list[str], out: Path) -> None:
    """Say where the table is, or exit with 1 if a model has failed."""
    table = out / "leaderboard.md"
    failed = [entry.name for entry in entries if entry.failure]
    if failed:
        say(f"failed: {', '.join(failed)}; the reasons are in {table}")
    if held:
        say(f"failed: {', '.join(held)}; the reasons are above, and their earlier rows are in {table}")
    if failed or held:
        raise typer.Exit(1)
    say(f"{table}: the table")


def _draw(entries: "Sequence[Entry]", protocol: str, out: Path) -> None:
    """The contact sheet, as many clouds of each model and of the reference, and the plane of fidelity and coverage."""
    from pcgen.data import load
    from pcgen.studies.leaderboard import REFERENCE
    from pcgen.view import picture

    sets = {"reference": load(str(out / REFERENCE)).points}
    sets |= {entry.name: load(str(entry.samples)).points for entry in entries if entry.samples is not None}
    columns = min(_SHOWN, *(len(clouds) for clouds in sets.values()))
    shown = [cloud for clouds in sets.values() for cloud in clouds[:columns]]
    sheet = out / "contact_sheet.png"
    say(str(picture(shown, sheet, rows=list(sets), columns=columns, size=220, captions=(), overwrite=True)))
    _draw_plane([entry for entry in entries if entry.reports], protocol, out)


def _draw_plane(done: "Sequence[Entry]", protocol: str, out: Path) -> None:
    """Models in the plane of fidelity and coverage, coloured by family, with the training set for comparison."""
    from pcgen.metrics.sets import TRAINING
    from pcgen.metrics.verdict import DECODED
    from pcgen.models import MODELS
    from pcgen.view import scatter

    first = done[0].reports[protocol][0]
    oracles = [row for row in first.rows if row.name in (TRAINING, DECODED)]
    pairs = {row.name: (row.values.get("mmd_cd"), row.values.get("cov_cd")) for row in oracles}
    pairs |= {entry.name: (entry.mean("mmd_cd", protocol), entry.mean("cov_cd", protocol)) for entry in done}
    marks = {name: (x, 100 * y) for name, (x, y) in pairs.items() if x is not None and y is not None}
    if marks:
        drawn = scatter(
            marks,
            out / "fidelity_coverage.png",
            labels=("MMD-CD (lower is more faithful)", "COV-CD % (higher covers more)"),
            title=f"protocol {first.protocol['name']} {first.protocol['hash']}",
            groups={name: MODELS.family(name) if name in MODELS else "training set" for name in marks},
            overwrite=True,
        )
        say(str(drawn))


def _draw_nearest(best: "Entry", out: Path, codes: Path) -> None:
    """Samples of a model, each beside its nearest training cloud."""
    from pcgen import training
    from pcgen.data import Clouds, load
    from pcgen.studies import leaderboard
    from pcgen.view import nearest_pairs, picture

    train = Clouds.of(leaderboard.training_clouds(training.read_codes(codes)))
    samples = load(str(best.samples)).at(train.origin)
    samples = samples.select(range(min(_PAIRS, len(samples))))
    pairs = nearest_pairs(samples, train)
    drawn = picture(pairs.clouds, out / "nearest.png", captions=pairs.captions, columns=6, size=220, overwrite=True)
    say(f"{drawn}: {best.name}, each sample beside its nearest training cloud; x 1.0 is a copy")
