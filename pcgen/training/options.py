"""The options of a training: one value, whose open entries the model's recipe settles."""

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pcgen import ranks
from pcgen.data.augmentation import Augmentation
from pcgen.errors import at_least, choose
from pcgen.models.base import Recipe

__all__ = ["LOG_EVERY", "SCHEDULES", "Options", "batches", "computes_bf16", "options_of"]

LOG_EVERY = 50  # updates between rows of the history, unless told otherwise

SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda fraction: 1.0,
    "cosine": lambda fraction: 0.5 * (1 + math.cos(math.pi * min(fraction, 1.0))),
    "linear": lambda fraction: 1 - min(fraction, 1.0),
}
"""What the optimizers' own rates are multiplied by, in the fraction of the phase that lies behind."""


def computes_bf16(device: torch.device) -> bool:
    """Whether a device multiplies in bfloat16 itself, so that it is faster there than in float32.

    Of a CPU it is asked whether it has the instructions: one without them has to convert, and is slower.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    here = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return device.type == "cpu" and bool(here)


@dataclass(frozen=True)
class Options:
    """The options of a training; those that are None are set by the model's recipe, or as told below.

    Attributes:
        epochs, steps, minutes: the end, one of them: passes over the data, updates, or time.
        batch_size: rows per update over all ranks, at most those of the data.
        schedule: "constant", "cosine" or "linear", from the optimizers' own learning rates to zero at the end of each
            phase.
        warmup: updates in which the rates rise linearly from zero, at the beginning of each phase.
        clip: the largest norm of each optimizer group's gradients; 0 is no clipping.
        average: largest decay of averaged weights (see `Average`); 0 is no averaging.
        augment: applied to each batch of x, (B, *shape) -> (B, *shape); None is the recipe's, for small sets, and
            `Augmentation()` changes nothing.
        bf16: run updates under autocast to bfloat16; None is if the recipe allows it and the device has instructions
            for it (see `computes_bf16`).
        seed: of the training's randomness at a fresh start; None continues with torch's global generator.
        validate_every: steps between validations; None spreads 20 over the training, and leaves some out if they would
            take more than a tenth of its time. The last step always validates.
        save_every: steps between checkpoints; None is every 30 seconds. The end and a signal always save.
        log_every: steps between rows of the history, whose losses are means over the updates since the row before; None
            is 50. The end of a phase always has a row.
        tensorboard: whether to write event files too; None is no.

    Raises:
        ValueError: two ends, or a value out of range.
    """

    epochs: int | None = None
    steps: int | None = None
    minutes: float | None = None
    batch_size: int | None = None
    schedule: str | None = None
    warmup: int | None = None
    clip: float | None = None
    average: float | None = None
    augment: Callable[[Tensor], Tensor] | None = None
    bf16: bool | None = None
    seed: int | None = None
    validate_every: int | None = None
    save_every: int | None = None
    log_every: int | None = None
    tensorboard: bool | None = None

    def __post_init__(self) -> None:
        given = self.limits
        if len(given) > 1:
            named = ", ".join(f"{name}={value}" for name, value in given.items())
            raise ValueError(f"epochs, steps, minutes: give one of them (or none: the model's own), got {named}")
        for name, value in given.items():
            if not 0 < value < math.inf:
                raise ValueError(f"{name}: must be above 0, got {value}")
        for name in ("batch_size", "validate_every", "save_every", "log_every"):
            value = getattr(self, name)
            if value is not None:
                at_least(1, **{name: value})
        if self.schedule is not None:
            choose(self.schedule, SCHEDULES, "schedule")
        if self.warmup is not None:
            at_least(0, warmup=self.warmup)
        if self.clip is not None and not 0 <= self.clip < math.inf:
            raise ValueError(f"clip: must be a norm above 0, or 0 not to clip, got {self.clip}")
        if self.average is not None and not 0 <= self.average < 1:
            raise ValueError(
                f"average: must be a decay between 0 and 1 (0.999, say), or 0 not to average, got {self.average}"
            )

    @property
    def limits(self) -> dict[str, float]:
        """The end that was given, by its name; empty where none was."""
        ends = {"epochs": self.epochs, "steps": self.steps, "minutes": self.minutes}
        return {name: value for name, value in ends.items() if value is not None}

    def settled(self, recipe: Recipe, rows: int, device: torch.device) -> "Options":
        """The same with every open entry as the recipe has it, for data of so many rows and a training there."""
        batch_size = max(1, min(self.batch_size or recipe.batch_size or rows, rows))
        steps = self.steps if self.limits else recipe.steps
        updates = batches(rows, batch_size) * self.epochs if self.epochs is not None else steps
        # Of a recipe's warm-up, no more than a twentieth of a training whose length is known.
        short = recipe.warmup if updates is None else min(recipe.warmup, updates // 20)
        return dataclasses.replace(
            self,
            steps=steps,
            batch_size=batch_size,
            schedule=self.schedule or recipe.schedule,
            warmup=short if self.warmup is None else self.warmup,
            clip=(recipe.clip or 0.0) if self.clip is None else self.clip,
            average=(recipe.average or 0.0) if self.average is None else self.average,
            augment=recipe.augment if self.augment is None and rows < recipe.few else self.augment,
            bf16=(recipe.bf16 and computes_bf16(device)) if self.bf16 is None else self.bf16,
            log_every=self.log_every or LOG_EVERY,
            tensorboard=bool(self.tensorboard),
        )

    def scaled(self, recipe: Recipe, effort: float) -> "Options":
        """The same for `effort` times the recipe's steps, at least one for each of its phases."""
        return dataclasses.replace(self, steps=max(len(recipe.phases), round(effort * recipe.steps)))

    def to_dict(self) -> dict[str, Any]:
        """The options as JSON values; your own augmentation is its name, without the address of the process."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        if isinstance(self.augment, Augmentation):
            values["augment"] = dataclasses.asdict(self.augment)
        elif self.augment is not None:
            name = getattr(self.augment, "__qualname__", None)
            values["augment"] = name or re.sub(r" at 0x[0-9a-fA-F]+", "", repr(self.augment))
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Options":
        """The options that `to_dict` described.

        Raises:
            ValueError: an entry is not known, or the augmentation is a function of the user's own.
        """
        given = {choose(name, _NAMES, "training option"): value for name, value in values.items()}
        augment = given.get("augment")
        if isinstance(augment, Mapping):
            given["augment"] = Augmentation(**augment)
        elif augment is not None:
            raise ValueError(f"augment: {augment!r} is a function of your own, which no file holds; give it again")
        return cls(**given)


_NAMES = tuple(field.name for field in dataclasses.fields(Options))


def options_of(options: Options | None, settings: Mapping[str, Any]) -> Options:
    """The options, with single ones replaced by their names.

    Raises:
        ValueError: a name is none of an option.
    """
    for name in settings:
        choose(name, _NAMES, "training option")
    return dataclasses.replace(options or Options(), **settings)


def batches(rows: int, batch_size: int) -> int:
    """The number of batches in an epoch, without a last one that is too small."""
    whole, rest = divmod(rows, batch_size)
    return whole + (rest >= 2 * ranks.count())
