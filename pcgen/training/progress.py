"""What a training shows: a bar on a terminal, a line every ten seconds elsewhere."""

import sys
import time
from collections import deque
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from pcgen.training.loop import Step

__all__ = ["Display", "clock"]

_REFRESH_SECONDS, _LINE_SECONDS = 0.2, 10.0
_BAR = 10  # the width of a bar that is worth more than the speed
_SPEED_SECONDS = 60.0  # the time that the speed and the time left are seen from


class Display:
    """Shows losses, updates per second and the time left; used in a `with` block."""

    def __init__(self, name: str, file: TextIO | None = None) -> None:
        """Write to `file`; None is the standard error, which leaves the standard output to results."""
        self._name = name
        self._console = Console(file=sys.stderr if file is None else file, soft_wrap=True)
        self._bar = None
        self._task = TaskID(0)
        if self._console.is_terminal:
            # Refreshed by hand: rich's thread would take time from the updates.
            self._column = BarColumn()
            self._bar = Progress(
                TextColumn("[bold]{task.description}"),
                self._column,
                TextColumn("{task.percentage:>3.0f}%"),
                TextColumn("{task.fields[text]}"),
                console=self._console,
                auto_refresh=False,
            )
            self._task = self._bar.add_task(name, total=1.0, text="")
        self._shown = -float("inf")
        self._recent: deque[Step] = deque()
        self._last: Step | None = None
        self._written: Step | None = None
        self._validation: float | None = None

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._last is not None and self._last is not self._written:
            self._write(self._last)
        if self._bar is not None:
            self._bar.stop()

    def note(self, text: str) -> None:
        """Show a line that stays."""
        self._console.print(f"note: {text}", markup=False, highlight=False)

    def show(self, step: Step) -> None:
        """Show a step, unless another has just been shown."""
        if not self._recent:
            self._recent.append(step)
        self._last = step
        self._validation = self._validation if step.validation is None else step.validation
        now = time.monotonic()
        if now - self._shown >= (_LINE_SECONDS if self._bar is None else _REFRESH_SECONDS) or step.fraction >= 1:
            self._shown = now
            self._write(step)

    def _write(self, step: Step) -> None:
        self._written = step
        while len(self._recent) > 1 and step.seconds - self._recent[1].seconds >= _SPEED_SECONDS:
            self._recent.popleft()
        if self._bar is None:
            percent = f"{100 * min(step.fraction, 1):3.0f}%"
            text = ", ".join(text for text, _ in self._parts(step))
            self._console.print(f"{self._name} {percent} {text}", markup=False, highlight=False)
        else:
            name, self._column.bar_width, text = _fitted(self._name, self._parts(step), self._console.width)
            self._bar.update(
                self._task, description=escape(name), completed=min(step.fraction, 1.0), text=text, refresh=True
            )
        self._recent.append(step)

    def _parts(self, step: Step) -> list[tuple[str, int]]:
        """What there is to tell, and when each may be left out: 0 is never, and the highest is first."""
        parts = [(f"step {step.step}", 0), (f"epoch {step.epoch}", 2)]
        parts += [(f"{name} {value:.4g}", int(i > 0)) for i, (name, value) in enumerate(step.losses.items())]
        if self._validation is not None:
            parts.append((f"validation {self._validation:.4g}", 0))
        first = self._recent[0]
        # From what this process has seen, since a resumed training may run on another machine.
        seconds, updates, part = step.seconds - first.seconds, step.step - first.step, step.fraction - first.fraction
        if seconds > 0 and part > 0:
            parts.append((f"{updates / seconds:.3g}/s", 3))
            if step.fraction < 1:
                parts.append((f"{clock(seconds * (1 - step.fraction) / part)} left", 0))
        if step.fraction >= 1:
            parts.append((f"{clock(step.seconds)} in all", 0))
        return parts


def _fitted(name: str, parts: list[tuple[str, int]], width: int) -> tuple[str, int, str]:
    """The name, the width of the bar and the text that one line of a terminal holds.

    Speed and epoch make room for a bar of ten; the bar makes room for the losses; at last the name is shortened,
    and then the text.
    """

    def spare() -> int:
        """What is left for the bar beside the name, four places of a percentage, and the spaces between."""
        return width - len(name) - len(", ".join(text for text, _ in parts)) - 7

    for least, rank in ((_BAR, 3), (_BAR, 2), (1, 1)):
        for i in reversed(range(len(parts))):
            if spare() < least and parts[i][1] == rank:
                parts = parts[:i] + parts[i + 1 :]
    if spare() < 1:
        name = name[: max(len(name) + spare() - 2, 1)] + "…"
    room = width - len(name) - 8
    text = ", ".join(text for text, _ in parts)
    return name, max(1, min(spare(), 40)), text if len(text) <= room else text[: max(room - 1, 0)] + "…"


def clock(seconds: float) -> str:
    """A time in words.

    >>> clock(75), clock(3675)
    ('1:15', '1:01:15')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
