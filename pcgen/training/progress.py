"""What a training shows: a bar on a terminal, a line every ten seconds elsewhere."""

import sys
import time
from collections import deque
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from pcgen.training.loop import Step

__all__ = ["Display"]

_REFRESH_SECONDS, _LINE_SECONDS = 0.2, 10.0
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
            self._bar = Progress(
                TextColumn("[bold]{task.description}"),
                BarColumn(),
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
        if self._bar is not None:
            self._bar.update(self._task, completed=min(step.fraction, 1.0), text=self._text(step), refresh=True)
        else:
            percent = f"{100 * min(step.fraction, 1):3.0f}%"
            self._console.print(f"{self._name} {percent} {self._text(step)}", markup=False, highlight=False)
        self._recent.append(step)

    def _text(self, step: Step) -> str:
        parts = [f"step {step.step}", f"epoch {step.epoch}"]
        parts += [f"{name} {value:.4g}" for name, value in step.losses.items()]
        if self._validation is not None:
            parts.append(f"validation {self._validation:.4g}")
        first = self._recent[0]
        # From what this process has seen, since a resumed training may run on another machine.
        seconds, updates, part = step.seconds - first.seconds, step.step - first.step, step.fraction - first.fraction
        if seconds > 0 and part > 0:
            parts.append(f"{updates / seconds:.3g}/s")
            if step.fraction < 1:
                parts.append(f"{_clock(seconds * (1 - step.fraction) / part)} left")
        if step.fraction >= 1:
            parts.append(f"{_clock(step.seconds)} in all")
        return ", ".join(parts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
