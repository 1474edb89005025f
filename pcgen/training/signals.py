"""Signals during training: the update under way is finished and saved before they take effect."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["Interrupted", "Watch", "watching"]

_NAMES = ("SIGINT", "SIGTERM", "SIGUSR1")


class Interrupted(SystemExit):
    """A signal stopped the training after it was saved; unless caught, the process exits with 128 + the signal.

    That is 130 for SIGINT (Ctrl-C), 143 for SIGTERM and 138 for SIGUSR1, which schedulers send before they kill.
    """

    def __init__(self, number: int, saved: str) -> None:
        super().__init__(128 + number)
        self.signal = signal.Signals(number)
        self.saved = saved

    def __str__(self) -> str:
        return f"{self.signal.name} stopped the training; {self.saved}"


class Watch:
    """The first signal that has come, as a number; 0 before."""

    def __init__(self) -> None:
        self.number = 0
        self._since = 0.0

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Remember a signal; a later Ctrl-C stops at once."""
        # Launchers such as torchrun pass a Ctrl-C on to processes that had it from the terminal already.
        if self.number and number == signal.SIGINT and time.monotonic() - self._since > 1:
            raise KeyboardInterrupt
        if not self.number:
            self.number, self._since = number, time.monotonic()


@contextmanager
def watching(enabled: bool) -> Iterator[Watch]:
    """Note signals instead of obeying them inside a `with` block; the former handlers are back after it.

    Only the main thread may do this; elsewhere, and where not enabled, signals keep their usual effect.
    """
    watch = Watch()
    former: dict[int, Any] = {}
    try:
        if enabled and threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
                if signal.getsignal(number) is not None:  # None: set outside Python, and could not be put back.
                    former[number] = signal.signal(number, watch.receive)
        yield watch
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
