"""How a model trains unless told otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pcgen.data.augmentation import Augmentation

__all__ = ["Recipe"]


@dataclass(frozen=True)
class Recipe:
    """How a model trains unless told otherwise.

    Attributes:
        steps: number of updates.
        batch_size: rows of each; None is the whole set at once.
        average: largest decay of averaged weights, which samples and validation then use (see
            `pcgen.training.averages`); None is not to average.
        schedule: of the learning rates over each phase: "constant", "cosine" or "linear".
        warmup: updates over which the rates rise from 0; at most a twentieth of a training that is given in steps.
        clip: the largest norm of each optimizer group's gradients; None is not to clip.
        augment: what every batch is changed by where the data has fewer than `few` rows; None is nothing.
        few: rows, from which on the data has enough of its own.
        bf16: whether it learns as well where most of its arithmetic is in bfloat16, so that a device which computes in
            it takes that.
        phases: names of trainings that follow one another, with the share of the steps that each takes, above 0 and 1
            in all; a model without phases has one without a name.
    """

    steps: int = 2000
    batch_size: int | None = 64
    average: float | None = None
    schedule: str = "constant"
    warmup: int = 0
    clip: float | None = None
    augment: Augmentation | None = None
    few: int = 1000
    bf16: bool = False
    phases: Mapping[str, float] = field(default_factory=lambda: {"": 1.0})
