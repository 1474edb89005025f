"""How far a training is: its end, its phases, and the learning rates meanwhile."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from pcgen.training.options import SCHEDULES, Options

__all__ = ["Course", "Limit", "rate_factor", "set_rates"]


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
    """The phases of a training one after another, each a share of it."""

    def __init__(self, names: Sequence[str], shares: Sequence[float]) -> None:
        """Phases by name, with shares that are 1 in all.

        Raises:
            ValueError: a share is not above 0, or they are not 1 in all.
        """
        if not names or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
            told = dict(zip(names, shares, strict=True))
            raise ValueError(f"recipe: its phases must have shares above 0 that are 1 in all, got {told}")
        self.names = list(names)
        self._starts = [sum(shares[:place]) for place in range(len(shares))]
        self._shares = list(shares)

    def at(self, fraction: float) -> tuple[int, float]:
        """The place of the phase at that part of the training, and how much of the phase lies behind, in [0, 1)."""
        place = max(place for place, start in enumerate(self._starts) if start <= fraction + 1e-9)
        within = (fraction - self._starts[place]) / self._shares[place]
        return place, min(max(within, 0.0), 1 - 1e-9)


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
        rate = group["lr"]
        initial = group.setdefault("initial_lr", float(rate))
        if isinstance(rate, torch.Tensor):
            rate.fill_(initial * factor)
        else:
            group["lr"] = initial * factor
