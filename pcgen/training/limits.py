"""How far a training is: its end, its phases, and the learning rates meanwhile."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch

from pcgen.training.options import SCHEDULES, Options

__all__ = ["END", "Course", "Limit", "rate_factor", "set_rate", "set_rates"]

END = 1 - 1e-9
"""The progress at the end of a phase: below 1, since nothing is behind the last update."""


@dataclass(frozen=True)
class Limit:
    """The end of a training: a number of updates (`epochs` are turned into them) or of minutes."""

    updates: int | None = None
    minutes: float | None = None

    @classmethod
    def of(cls, options: Options, per_epoch: int) -> "Limit":
        """The limit of settled options, for epochs of so many updates."""
        if options.minutes is not None:
            return cls(minutes=options.minutes)
        return cls(updates=options.steps if options.epochs is None else options.epochs * per_epoch)

    def fraction(self, step: int, seconds: float) -> float:
        """The part of the training that lies behind, 1 or more at its end."""
        if self.minutes is not None:
            return seconds / (60 * self.minutes)
        return step / (self.updates or 1)


class Course:
    """The phases of a training one after another, each a share of it, and at least one update."""

    def __init__(self, phases: Mapping[str, float], updates: int | None) -> None:
        """Phases by name, with shares of a training of so many updates; None is one of some minutes.

        Raises:
            ValueError: a share is not above 0, they are not 1 in all, or there are fewer updates than phases.
        """
        if not phases or min(phases.values()) <= 0 or abs(sum(phases.values()) - 1) > 1e-6:
            raise ValueError(f"recipe: its phases must have shares above 0 that are 1 in all, got {dict(phases)}")
        if updates is not None and updates < len(phases):
            raise ValueError(
                f"steps: must be at least {len(phases)}, one for each of the phases {', '.join(phases)}, got {updates}"
            )
        self.names = list(phases)
        self._marks = [0.0, *accumulate(phases.values())]  # fractions at which phases begin, and the end
        if updates is not None:  # in updates, of which every phase has one
            for place in range(1, len(phases)):
                least, most = self._marks[place - 1] + 1, updates - len(phases) + place
                self._marks[place] = min(max(round(self._marks[place] * updates), least), most)
            self._marks[-1] = updates
        self._counted = updates is not None

    def at(self, step: int, fraction: float, present: int) -> tuple[int, float]:
        """The place of the phase of the next update, and how much of the phase lies behind, in [0, 1).

        Args:
            step: updates that lie behind.
            fraction: part of the training that does.
            present: place of the phase that it is in, -1 before the first; none after it is left out, however late a
                training of some minutes may be.
        """
        behind = step if self._counted else fraction
        place = min(max(bisect_right(self._marks, behind) - 1, present), present + 1, len(self.names) - 1)
        start, end = self._marks[place : place + 2]
        return place, min(max((behind - start) / (end - start), 0.0), END)


def rate_factor(schedule: str, warmup: int, step: int, fraction: float) -> float:
    """What the initial learning rates are multiplied by in the update after `step` others of the phase.

    `min(1, (step + 1) / warmup) * curve(fraction)`, where the curve is 1 (constant), `(1 + cos(pi f)) / 2` (cosine) or
    `1 - f` (linear) in the part f of the phase that lies behind.
    """
    start = min(1.0, (step + 1) / warmup) if warmup else 1.0
    return start * SCHEDULES[schedule](fraction)


def set_rates(optimizers: Iterable[torch.optim.Optimizer], factor: float) -> None:
    """Set every group's learning rate to its initial one (kept in the group as `initial_lr`) times `factor`."""
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        set_rate(group, group.setdefault("initial_lr", float(group["lr"])) * factor)


def set_rate(group: dict[str, Any], rate: float) -> None:
    """Set the learning rate of one group of an optimizer."""
    if isinstance(group["lr"], torch.Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate
