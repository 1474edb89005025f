"""How long a training lasts (epochs, updates or minutes), and how the learning rate moves meanwhile."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch

from pcgen.errors import choose
from pcgen.models.base import Recipe

__all__ = ["SCHEDULES", "Limit", "check_rates", "rate_factor", "set_rates"]

SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda fraction: 1.0,
    "cosine": lambda fraction: 0.5 * (1 + math.cos(math.pi * min(fraction, 1.0))),
    "linear": lambda fraction: 1 - min(fraction, 1.0),
}


@dataclass(frozen=True)
class Limit:
    """The end of a training: a number of updates (`epochs` are turned into them) or of minutes."""

    updates: int | None = None
    minutes: float | None = None

    @staticmethod
    def check(epochs: int | None, steps: int | None, minutes: float | None) -> None:
        """Refuse two limits, and one that is none.

        Raises:
            ValueError: more than one was given, or one is not above zero.
        """
        asked = {"epochs": epochs, "steps": steps, "minutes": minutes}
        given = {name: value for name, value in asked.items() if value is not None}
        if len(given) > 1:
            named = ", ".join(f"{name}={value}" for name, value in given.items())
            raise ValueError(f"epochs, steps, minutes: give one of them (or none: the model's own), got {named}")
        for name, value in given.items():
            if not 0 < value < math.inf:
                raise ValueError(f"{name}: must be above 0, got {value}")

    @classmethod
    def choose(
        cls, recipe: Recipe, per_epoch: int, epochs: int | None, steps: int | None, minutes: float | None
    ) -> "Limit":
        """The one limit that was given; the recipe's updates where none was.

        Raises:
            ValueError: as `check`.
        """
        cls.check(epochs, steps, minutes)
        if minutes is not None:
            return cls(minutes=minutes)
        if epochs is not None:
            return cls(updates=epochs * per_epoch)
        return cls(updates=recipe.steps if steps is None else steps)

    def fraction(self, step: int, seconds: float) -> float:
        """The part of the training that lies behind, 1 or more at its end."""
        if self.minutes is not None:
            return seconds / (60 * self.minutes)
        return step / (self.updates or 1)


def check_rates(schedule: str, warmup: int, clip: float | None) -> None:
    """Refuse what no training can be led by.

    Raises:
        ValueError: an argument is not as `pcgen.training.steps` says.
    """
    choose(schedule, SCHEDULES, "schedule")
    if warmup < 0:
        raise ValueError(f"warmup: must be a number of updates, at least 0, got {warmup}")
    if clip is not None and not 0 < clip < math.inf:
        raise ValueError(f"clip: must be a norm above 0, got {clip}")


def rate_factor(schedule: str, warmup: int, step: int, fraction: float) -> float:
    """What the initial learning rates are multiplied by in the update after `step` others.

    `min(1, (step + 1) / warmup) * curve(fraction)`, where the curve is 1 (constant), `(1 + cos(pi f)) / 2` (cosine) or
    `1 - f` (linear) in the part f of the training that lies behind.
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
