"""The rule by which a claim is judged: an interval of an effect over several seeds, against the least that counts."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pcgen.errors import at_least

__all__ = [
    "FAILS",
    "HOLDS",
    "LEAST_SEEDS",
    "LEVEL",
    "UNDECIDED",
    "Comparison",
    "Difference",
    "Found",
    "Quotient",
    "judge",
    "together",
]

HOLDS, FAILS, UNDECIDED = "holds", "does not hold here", "undecided"
LEVEL = 0.95
LEAST_SEEDS = 3
"""With fewer, the spread between seeds is not known."""


@dataclass(frozen=True)
class Comparison(ABC):
    """Two numbers that each seed gives, of which a claim says that one is larger.

    Attributes:
        what: both numbers are, with their unit.
        larger: whose number is larger, as the claim has it.
        smaller: whose is smaller.
        least: the effect that must be exceeded: what is less does not count.
    """

    what: str
    larger: str
    smaller: str
    least: float

    kind: ClassVar[str]
    """What the effect is called."""

    @abstractmethod
    def scaled(self, values: Tensor) -> Tensor:
        """Numbers on the scale where effects are differences and means are taken, (seeds,)."""

    @abstractmethod
    def back(self, value: float) -> float:
        """The way back from that scale, of a mean or of an effect."""


@dataclass(frozen=True)
class Difference(Comparison):
    """The larger number less the smaller."""

    least: float = 0.0
    kind: ClassVar[str] = "difference"

    def scaled(self, values: Tensor) -> Tensor:
        return values

    def back(self, value: float) -> float:
        return value


@dataclass(frozen=True)
class Quotient(Comparison):
    """The larger number by the smaller, both positive; means over seeds are geometric."""

    least: float = 1.0
    kind: ClassVar[str] = "quotient"

    def scaled(self, values: Tensor) -> Tensor:
        if not bool((values > 0).all()):
            raise ValueError(
                f"{self.what}: must be above 0 to be compared by quotients, got {values.min():g}; give more --effort"
            )
        return values.log()

    def back(self, value: float) -> float:
        return math.exp(value)


@dataclass(frozen=True)
class Found:
    """What seeds say of a comparison.

    Attributes:
        comparison: of which.
        larger: mean of the numbers that are to be larger.
        smaller: mean of those that are to be smaller.
        effect: the mean difference, or quotient.
        low, high: its interval, 95%.
        seeds: how many.
        outcome: "holds", "does not hold here" or "undecided".
    """

    comparison: Comparison
    larger: float
    smaller: float
    effect: float
    low: float
    high: float
    seeds: int
    outcome: str

    def __str__(self) -> str:
        said = self.comparison
        return (
            f"{said.what}: {said.larger} {self.larger:.3g}, {said.smaller} {self.smaller:.3g}; {said.kind} "
            f"{self.effect:.3g} ({self.low:.3g} to {self.high:.3g}; to exceed {said.least:g}): {self.outcome}"
        )


def judge(comparison: Comparison, larger: Sequence[float], smaller: Sequence[float]) -> Found:
    """Judge a comparison by the numbers that each seed gave.

    Each seed gives both numbers, so effects are paired: Student's interval of their mean, 95%, on the comparison's
    scale. The comparison holds if the whole interval is above the least effect that counts, and does not if nothing of
    it is; else the seeds leave it undecided. The interval of effects that are all equal has no width.

    Args:
        comparison: what is compared.
        larger: of each seed, the number that is to be larger.
        smaller: of each seed in the same order, the one that is to be smaller.

    Raises:
        ValueError: fewer than three seeds, not as many of both, a number that is not finite, or one of a quotient that
            is not above 0.

    References:
        Student (1908). The Probable Error of a Mean.
    """
    at_least(LEAST_SEEDS, seeds=len(larger))
    if len(smaller) != len(larger):
        raise ValueError(
            f"larger, smaller: must be one number each for every seed, got {len(larger)} and {len(smaller)}"
        )
    both = torch.tensor([list(larger), list(smaller)], dtype=torch.float64)  # (2, seeds)
    if not bool(both.isfinite().all()):
        raise ValueError(f"{comparison.what}: must be finite for every seed, got {both.tolist()}")
    from scipy.stats import t

    scaled = comparison.scaled(both)
    effects = scaled[0] - scaled[1]
    mean = float(effects.mean())
    reach = float(t.ppf((1 + LEVEL) / 2, len(effects) - 1)) * float(effects.std()) / math.sqrt(len(effects))
    low, high = comparison.back(mean - reach), comparison.back(mean + reach)
    outcome = HOLDS if low > comparison.least else FAILS if high <= comparison.least else UNDECIDED
    larger_mean, smaller_mean = (comparison.back(float(mean)) for mean in scaled.mean(1))
    return Found(comparison, larger_mean, smaller_mean, comparison.back(mean), low, high, len(effects), outcome)


def together(outcomes: Sequence[str]) -> str:
    """The outcome of a claim of several comparisons: it holds if all do, and does not if one does not."""
    if FAILS in outcomes:
        return FAILS
    return UNDECIDED if UNDECIDED in outcomes else HOLDS
