"""Progress of long computations on the screen."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pcgen.cli.common import say

if TYPE_CHECKING:
    from pcgen.metrics import Progress

__all__ = ["pair_progress"]

_WORTH_A_WORD = 5.0  # seconds
_LINE_SECONDS = 60.0  # between lines where there is no terminal


@contextmanager
def pair_progress(title: str) -> Iterator[Callable[["Progress"], None]]:
    """A callback for `pcgen.metrics.evaluate`: an estimate, then a bar, or a line a minute without a terminal."""
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
        first, told = True, time.monotonic()

        def show(progress: "Progress") -> None:
            nonlocal first, told
            if first and progress.seconds_left > _WORTH_A_WORD:
                say(f"{title}: {progress.total:,} pairs, {_left(progress)}")
            elif bars.disable and not first and time.monotonic() - told > _LINE_SECONDS:
                told = time.monotonic()
                say(f"{title}: {progress.title}: {progress.done:,} of {progress.total:,} pairs, {_left(progress)} left")
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


@contextmanager
def counting(title: str, what: str) -> Iterator[Callable[[int, int], None]]:
    """A callback for `sample` and its like, (done, of how many): a bar on a terminal, nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    bars = Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{what},"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bars:
        bar = bars.add_task(title, total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)
