"""The history of a training: one line of JSON per row, which survives a crash in the middle of a line."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pcgen.files import write_whole

__all__ = ["EVENTS", "History", "best_row", "event_writer", "read_history", "used_row"]

EVENTS = "events"


def read_history(path: Path) -> list[dict[str, Any]]:
    """The rows of a history file, oldest first; none where there is no file. A torn last line is left out.

    Raises:
        ValueError: another line is not JSON; the text names it.
    """
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number < len(lines):
                raise ValueError(f"{path}: line {number} is not JSON ({error})") from error
    return rows


def best_row(history: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The row with the best finite validation, whose checkpoint is the best one; None if there was no validation.

    Only rows of the last phase count: what is measured in one phase says nothing of the next.
    """
    phase = history[-1].get("phase") if history else None
    known = [row for row in history if row.get("phase") == phase and row.get("validation") is not None]
    finite = [row for row in known if math.isfinite(row["validation"])]
    return min(finite, key=lambda row: float(row["validation"]), default=None)


def used_row(history: Sequence[Mapping[str, Any]], chosen: bool) -> Mapping[str, Any] | None:
    """The row with the validation of the checkpoint that is used: the best, if that is kept (`chosen`), or the last."""
    if chosen:
        return best_row(history)
    return next((row for row in reversed(history) if row.get("validation") is not None), None)


class History:
    """Appends rows to a history file, and to tensorboard's event files if asked."""

    def __init__(self, path: Path, step: int, tensorboard: bool = False) -> None:
        """Open a history whose rows after `step` are forgotten; event files go to `events` beside it."""
        self._path = path
        # Rows that are written again after a crash replace those that tensorboard has seen.
        self._events = event_writer()(path.parent / EVENTS, purge_step=step + 1) if tensorboard else None
        rows = [row for row in read_history(path) if row["step"] <= step]
        self.seconds = float(rows[-1]["seconds"]) if rows else 0.0
        write_whole(path, "".join(map(_line, rows)).encode())

    def add(self, row: dict[str, Any]) -> None:
        """Append one row, {"step", "epoch", "seconds", "losses": {...}, ...}, and put it on the disk.

        Raises:
            OSError: the disk is full, or the folder cannot be written.
        """
        try:
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(_line(row))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OSError(
                f"{self._path}: could not be written ({error.strerror or error}); the last checkpoint is whole; "
                "free some space and resume"
            ) from error
        if self._events is not None:
            for name, value in row["losses"].items():
                self._events.add_scalar(f"losses/{name}", value, row["step"])
            for name in row.keys() - {"step", "losses"}:
                if isinstance(row[name], (int, float)):
                    self._events.add_scalar(name, row[name], row["step"])

    def close(self) -> None:
        """Close the event files."""
        if self._events is not None:
            self._events.close()


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row) + "\n"


def event_writer() -> Any:
    """Tensorboard's writer of event files.

    Raises:
        ValueError: tensorboard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ValueError("tensorboard: is not installed; `pip install tensorboard`, or train without it") from None
    return SummaryWriter
