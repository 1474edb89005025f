"""Progress of long computations on the screen."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pcgen.cli.common import say

if TYPE_CHECKING:
    from pcgen.metrics import Progress

__all__ = ["pair_progress"]

_WORTH_A_WORD = 5.0  # seconds


@contextmanager
def pair_progress(title: str) -> Iterator[Callable[["Progress"], None]]:
    """A callback for `pcgen.metrics.evaluate`: the estimate first, then a bar where there is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bars

    bars = Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("pairs, {task.fields[left]} left"),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bars:
        bar = bars.add_task(title, total=None, left="?")
        first = True

        def show(progress: "Progress") -> None:
            nonlocal first
            if first and progress.seconds_left > _WORTH_A_WORD:
                say(f"{title}: {progress.total:,} pairs, {_left(progress)}")
            first = False
            bars.update(
                bar,
                description=f"{title}: {progress.title}",
                total=progress.total,
                completed=progress.done,
                left=_left(progress),
            )

        yield show


def _left(progress: "Progress") -> str:
    return f"{'at most about' if progress.at_most else 'about'} {_duration(progress.seconds_left)}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
