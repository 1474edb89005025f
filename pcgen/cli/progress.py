"""Progress of long computations on the screen."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pcgen.cli.common import say

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

    from pcgen.metrics import Progress

__all__ = ["WORTH_A_WORD", "counting", "duration", "pair_progress"]

WORTH_A_WORD = 5.0  # seconds
_LINE_SECONDS = 60.0  # between lines where there is no terminal
_BAR_WIDTH = 10


@contextmanager
def pair_progress(title: str) -> Iterator[Callable[["Progress"], None]]:
    """A callback for `pcgen.metrics.evaluate`: an estimate, then a bar, or a line a minute without a terminal."""
    bars = _bars("pairs")
    with bars:
        bar = bars.add_task(title, total=None, left="?")
        first, told = True, time.monotonic()

        def show(progress: "Progress") -> None:
            nonlocal first, told
            left = f"about {duration(progress.seconds_left)}"
            if first and progress.seconds_left > WORTH_A_WORD:
                say(f"{title}: {progress.total:,} pairs, {left}")
            elif bars.disable and not first and time.monotonic() - told > _LINE_SECONDS:
                told = time.monotonic()
                say(f"{title}: {progress.title}: {progress.done:,} of {progress.total:,} pairs, {left} left")
            first = False
            words = f"{title}: {progress.title}"
            bars.update(bar, description=words, total=progress.total, completed=progress.done, left=left)

        yield show


@contextmanager
def counting(title: str, what: str) -> Iterator[Callable[[int, int], None]]:
    """A callback for `sample` and its like, (done, of how many): a bar on a terminal, nothing elsewhere."""
    bars, begin = _bars(what), time.monotonic()
    with bars:
        bar = bars.add_task(title, total=None, left="?")

        def show(done: int, total: int) -> None:
            left = duration((time.monotonic() - begin) * (total - done) / done) if done else "?"
            bars.update(bar, completed=done, total=total, left=left)

        yield show


def _bars(what: str) -> "Bars":
    """A line of progress on a terminal, nothing elsewhere: the time left, a bar, counts of `what`, what is being done.

    The description is last and alone gives way where the screen is narrow.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bars
    from rich.table import Column

    return Bars(
        TextColumn("{task.fields[left]} left", table_column=Column(no_wrap=True)),
        BarColumn(_BAR_WIDTH),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TextColumn(f"{what};", table_column=Column(no_wrap=True)),
        TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
        console=Console(stderr=True),
        transient=True,
        expand=True,
        disable=not sys.stderr.isatty(),
    )


def duration(seconds: float) -> str:
    """Seconds in words: "2 min 5 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
