"""`pcgen runs`: the runs in folders, and how two of them differ."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pcgen.cli.common import say

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
    import rich.console
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("run", "model", "data"):
        table.add_column(heading, overflow="fold")
    for heading in ("trained", "losses", "validation", "size"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in found:
        losses = [f"{name} {value:.4g}" for name, value in list(each.losses.items())[:_LOSSES]]
        done = "" if each.share is None or each.share == 1 else f", {100 * each.share:.0f}%"
        best = "" if each.validation is None else f"{each.validation:.4g}\nstep {each.best:,}"
        table.add_row(
            *map(_text, (str(each.path), each.model, each.data)),
            f"{each.steps:,} steps\n{_time(each.seconds)}{done}",
            "\n".join(losses),
            best,
            f"{each.bytes / 1e6:.1f} MB",
        )
    rich.console.Console().print(table)


def _compare(found: "list[RunSummary]") -> None:
    import rich.console
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from pcgen.training.listing import differences

    if len(found) != 2:
        raise ValueError(f"--compare: needs two runs, got {len(found)}; name two run folders")
    first, second = found
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("option", str(first.path), str(second.path)):
        table.add_column(_text(heading), overflow="fold")
    for name, values in differences(first.path, second.path).items():
        table.add_row(_text(name), *(_text("-" if value is None else str(value)) for value in values))
    rich.console.Console().print(table)


def _text(words: str) -> Any:
    """As it is, brackets and all."""
    from rich.text import Text

    return Text(words)


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
