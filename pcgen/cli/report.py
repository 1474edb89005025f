"""`pcgen report`: one HTML page of what was trained and generated."""

from pathlib import Path
from typing import Annotated

import typer

from pcgen.cli.common import check_out, given, parse_metrics, say
from pcgen.cli.options import Overwrite, Seed

__all__ = ["report"]

_OF_BOARDS = ("paths", "out", "clouds", "seed", "overwrite")


def report(
    context: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="RUN_OR_BOARD...", help="Run folders of generators, or one folder of pcgen suite."),
    ],
    out: Annotated[Path, typer.Option(help="The .html to write: one file, which opens without a network.")],
    clouds: Annotated[
        int,
        typer.Option(
            min=2,
            help="Number of samples of a run; at most as many clouds of its reference (chosen by --seed) are compared, "
            "and of each set are shown.",
        ),
    ] = 60,
    reference: Annotated[
        str | None,
        typer.Option(
            help="The reference of runs: SOURCE[:CLASS]\\[@SPLIT] (default: @test of their data); it is read as their "
            "training clouds were."
        ),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Where the training clouds of runs are now, if they were moved: SOURCE[:CLASS].")
    ] = None,
    metrics: Annotated[str, typer.Option(help="Distances of runs' MMD, COV and 1-NNA: cd, emd, or cd,emd.")] = "cd,emd",
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Write one page about trained models and their samples: clouds to turn, metrics, curves, options.

    For runs, it samples and measures; for a leaderboard, it shows the existing results.
    """
    check_out(out, ".html", overwrite)
    from pcgen.report import write_page
    from pcgen.report.runs import of_board, of_runs

    boards = [path for path in paths if (path / "leaderboard.json").is_file()]
    if boards and len(paths) > 1:
        raise ValueError(f"{boards[0]}: is a leaderboard; make a page of it alone, or of runs alone")
    if boards:
        if asked := given(context, _OF_BOARDS):
            raise ValueError(f"{', '.join(asked)}: is given by the leaderboard {boards[0]}; leave it out")
        content = of_board(boards[0], clouds, seed)
    else:
        content = of_runs(paths, clouds, reference, parse_metrics(metrics), seed, data)
    written = write_page(content, out, overwrite=overwrite)
    for model in content.models:
        say(f"{model.name}: {model.failure or ' '.join(model.verdict)}")
    say(f"{written}: {written.stat().st_size / 1e6:.1f} MB; open it in a browser")
