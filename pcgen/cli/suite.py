"""`pcgen suite`: an autoencoder, then every model of the suite on its codes, in one leaderboard."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pcgen.cli.common import (
    FOUR_GIB,
    DropBad,
    EmdClouds,
    EmdPoints,
    MaxBytes,
    Seed,
    emd_limit,
    parse_metrics,
    parse_settings,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pcgen.studies.leaderboard import Entry

__all__ = ["suite"]

_SHOWN = 6  # clouds of each model on the contact sheet


def suite(
    data: Annotated[str, typer.Option(help="Clouds: SOURCE[:CLASS]; @train is learned, @test is the reference.")],
    out: Annotated[Path, typer.Option(help="The folder of the leaderboard; what is in it already is not done again.")],
    codes: Annotated[
        Path | None, typer.Option(help="The run folder of a trained autoencoder; without it one is trained.")
    ] = None,
    models: Annotated[str | None, typer.Option(help="Models with commas between (default: every head).")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="An option of a model, MODEL.name=value; may be given many times.")
    ] = None,
    effort: Annotated[float, typer.Option(help="Multiplies every model's default number of steps.")] = 1.0,
    seeds: Annotated[int, typer.Option(min=1, help="Sets of samples of each model; 2 or more give deviations.")] = 1,
    clouds: Annotated[
        int | None, typer.Option(min=2, help="Samples of each model (default: as many as the reference has).")
    ] = None,
    reference_clouds: Annotated[
        int | None,
        typer.Option(min=2, help="At most this many clouds of the reference (default: all)."),
    ] = None,
    points: Annotated[
        int | None, typer.Option(min=1, help="Points per cloud of an autoencoder that is trained here (default: 2048).")
    ] = None,
    normalize: Annotated[
        str | None, typer.Option(help="Normalisation for an autoencoder that is trained here (default: none).")
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="exact, latent_3d_points, pointflow, lion, dpm, or several with commas between.")
    ] = "exact",
    metrics: Annotated[str, typer.Option(help="Distances of MMD, COV and 1-NNA: cd, emd, or cd,emd.")] = "cd,emd",
    emd_clouds: EmdClouds = None,
    emd_points: EmdPoints = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    up: Annotated[str | None, typer.Option(help="Up axis of the data: x, y (default), z, -x, -y or -z.")] = None,
    drop_bad: DropBad = False,
    max_bytes: MaxBytes = FOUR_GIB,
    seed: Seed = 0,
) -> None:
    """Train an autoencoder and every model on its codes, and put them into one table, plot and picture."""
    import rich.console
    import torch

    from pcgen import training
    from pcgen.cli.progress import pair_progress
    from pcgen.data.training_set import training_set
    from pcgen.errors import choose
    from pcgen.metrics import compare
    from pcgen.models import MODELS, build
    from pcgen.studies import leaderboard

    if codes is not None:
        for option, value in {"--points": points, "--normalize": normalize, "--up": up, "--drop-bad": drop_bad}.items():
            if value:
                raise ValueError(f"{option}: is settled by the run that --codes names; leave it out")
    names = (
        [choose(n.strip(), leaderboard.heads(), "--models") for n in models.split(",")]
        if models
        else leaderboard.heads()
    )
    config: dict[str, dict[str, Any]] = {}
    for setting in settings or []:
        name, dot, rest = setting.partition(".")
        if not dot:
            raise ValueError(f"--set: must be MODEL.name=value, got {setting!r}")
        choose(name, names if codes is not None else ["autoencoder", *names], "--set: model")
        config.setdefault(name, {}).update(parse_settings([rest], MODELS[name], skip=["shape"]))
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
    )
    about = {"autoencoder": str(codes or out / "autoencoder"), **plan.measurement()}
    kept = leaderboard.kept(out, about, names)
    torch.manual_seed(seed)
    if codes is None:
        codes, points = out / "autoencoder", points or 2048
        source = training_set(
            data,
            points=points,
            normalize=normalize or "none",
            up=up or "y",
            drop_bad=drop_bad,
            max_bytes=max_bytes,
            seed=seed,
        )
        say(*source.notes)
        model = build({"name": "autoencoder", "shape": (points, 3), **config.get("autoencoder", {})})
        training.fit(
            model,
            source.train,
            labels=source.labels,
            validation=source.held_out,
            out=codes,
            about=source.about,
            steps=max(1, round(effort * model.recipe.steps)),
            device=device,
            seed=seed,
            resume="auto",
            progress=True,
        )
    entries = list(kept)
    with pair_progress("evaluation") as progress:
        for entry in leaderboard.run(codes, out, plan, say=say, progress=progress):
            entries.append(entry)
            leaderboard.write(entries, out, about)
    done = [entry for entry in entries if entry.reports]
    for name in plan.protocols if done else []:
        measured = {entry.name: list(entry.reports[name]) for entry in done}
        rich.console.Console().print(compare(measured, sort="one_nna_cd" if "cd" in plan.distances else None))
    if done:
        _draw(entries, plan.protocols[0], out)
    failed = [entry.name for entry in entries if entry.failure]
    if failed:
        say(f"failed: {', '.join(failed)}; the reasons are in {out / 'leaderboard.md'}")
        raise typer.Exit(1)


def _draw(entries: "Sequence[Entry]", protocol: str, out: Path) -> None:
    """The contact sheet, as many clouds of each model and of the reference, and the plot of fidelity and coverage."""
    from pcgen.data import load
    from pcgen.studies.leaderboard import REFERENCE
    from pcgen.view import picture, scatter

    sets = {"reference": load(str(out / REFERENCE)).points}
    sets |= {entry.name: load(str(entry.samples)).points for entry in entries if entry.samples is not None}
    columns = min(_SHOWN, *(len(clouds) for clouds in sets.values()))
    shown = [cloud for clouds in sets.values() for cloud in clouds[:columns]]
    sheet = out / "contact_sheet.png"
    say(str(picture(shown, sheet, rows=list(sets), columns=columns, size=220, captions=(), overwrite=True)))
    marks = {}
    for entry in entries:
        fidelity, covered = entry.mean("mmd_cd", protocol), entry.mean("cov_cd", protocol)
        if fidelity is not None and covered is not None:
            marks[entry.name] = (fidelity, 100 * covered)
    if marks:
        labels = ("MMD-CD (lower is more faithful)", "COV-CD % (higher covers more)")
        stamp = next(entry.reports[protocol][0].protocol for entry in entries if entry.reports)
        title = f"protocol {stamp['name']} {stamp['hash']}"
        say(str(scatter(marks, out / "fidelity_coverage.png", labels=labels, title=title, overwrite=True)))
