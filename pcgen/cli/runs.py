"""`pcgen runs`: the runs in folders, and how two of them differ."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pcgen.cli.common import say
from pcgen.cli.tables import show_table

if TYPE_CHECKING:
    from pcgen.training.listing import RunSummary

__all__ = ["runs"]

_LOSSES = 3  # of a run that are shown


def runs(
    folders: Annotated[list[Path], typer.Argument(help="Folders that hold runs, or runs themselves.")],
    compare: Annotated[bool, typer.Option("--compare", help="Show where the options of two runs differ.")] = False,
) -> None:
    """List the runs in folders: model, data, progress, quality, size."""
    from pcgen.training.listing import find_runs, summarise

    found, broken = [], []
    for path in dict.fromkeys(path for folder in folders for path in find_runs(folder)):
        try:
            found.append(summarise(path))
        except (ValueError, OSError) as error:
            broken.append(str(error))
    if not found and not broken:
        raise FileNotFoundError(f"{', '.join(map(str, folders))}: has no runs; `pcgen train --out RUN` makes one")
    _print(found)
    say(*(f"left out: {error}" for error in broken))
    if compare:
        _compare(found)


def _print(found: "list[RunSummary]") -> None:
    from pcgen.training.progress import clock

    rows, numbers = [], ("trained", "losses", "validation")
    for each in found:
        losses = [f"{name} {value:.4g}" for name, value in list(each.losses.items())[:_LOSSES]]
        done = "" if each.share is None or each.share == 1 else f", {100 * each.share:.0f}%"
        best = "" if each.validation is None else f"{each.validation:.4g}\nstep {each.best:,}"
        trained = f"{each.steps:,} steps\n{clock(each.seconds)}{done}\n{each.bytes / 1e6:.1f} MB"
        rows.append((str(each.path), f"{each.model}\n{each.data}", trained, "\n".join(losses), best))
    show_table(("run", "model, data", *numbers), rows, numbers=numbers)


def _compare(found: "list[RunSummary]") -> None:
    from pcgen.training.listing import differences

    if len(found) != 2:
        raise ValueError(f"--compare: needs two runs, got {len(found)}; name two run folders")
    first, second = found
    rows = [
        (name, *("-" if value is None else str(value) for value in values))
        for name, values in differences(first.path, second.path).items()
    ]
    show_table(("option", str(first.path), str(second.path)), rows)
    if not rows:
        say(f"{first.path}, {second.path}: no option differs")
