"""What a claim is: a sentence from a paper, an experiment of one seed, and what must be larger than what."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pcgen.errors import at_least, positive
from pcgen.seeds import isolated
from pcgen.studies.claims.judging import LEAST_SEEDS, Comparison, Found, judge, together

__all__ = ["Claim", "Numbers", "Verdict", "scaled"]

Numbers = Mapping[str, Mapping[str, float]]
"""What one seed gives: for each comparison, by what is compared, the numbers by whose they are."""


@dataclass(frozen=True)
class Verdict:
    """What came of a claim.

    Attributes:
        claim: which.
        found: its comparisons, judged.
        effort: that it was tested with; 1 is the claim's own.
        seconds: that it took.
    """

    claim: "Claim"
    found: tuple[Found, ...]
    effort: float
    seconds: float

    @property
    def outcome(self) -> str:
        """Of all comparisons together: "holds", "does not hold here" or "undecided"."""
        return together([each.outcome for each in self.found])

    def __str__(self) -> str:
        lines = [f"  {each}" for each in self.found]
        head = f"{self.claim.name}: {self.outcome}. {self.claim.says} ({self.found[0].seeds} seeds)"
        return "\n".join([head, *lines])

    def rows(self) -> list[dict[str, object]]:
        """A row of plain values for each comparison."""
        return [
            {
                "claim": self.claim.name,
                "verdict": self.outcome,
                "what": each.comparison.what,
                "larger": each.comparison.larger,
                "larger_mean": _short(each.larger),
                "smaller": each.comparison.smaller,
                "smaller_mean": _short(each.smaller),
                "kind": each.comparison.kind,
                "effect": _short(each.effect),
                "low": _short(each.low),
                "high": _short(each.high),
                "least": each.comparison.least,
                "outcome": each.outcome,
                "seeds": each.seeds,
                "effort": self.effort,
                "seconds": round(self.seconds, 1),
            }
            for each in self.found
        ]


@dataclass(frozen=True)
class Claim:
    """A claim of a paper, and how it is tested here.

    Attributes:
        name: of the claim.
        says: the claim in a sentence, of which the comparisons are the numbers.
        source: author, year, title.
        test: how it is tested, in a sentence or two.
        comparisons: what must be larger than what; fixed before any number is seen.
        trial: the experiment, of a seed and an effort; its randomness is torch's global generator, and what has seeds
            of its own is given this one.
        seeds: default number of seeds.
    """

    name: str
    says: str
    source: str
    test: str
    comparisons: tuple[Comparison, ...]
    trial: Callable[[int, float], Numbers]
    seeds: int = 5

    def examine(
        self, *, seeds: int | None = None, effort: float = 1.0, progress: Callable[[int, int], None] | None = None
    ) -> Verdict:
        """Run the experiment with seeds 0, 1, ... and judge what it gives.

        Args:
            seeds: how many, at least three; None is the claim's own number.
            effort: multiplies its updates and sizes; at less than 1 models are not trained to the end, and the verdict
                is about such models.
            progress: called after each seed with how many are done, and of how many.

        Raises:
            ValueError: fewer than three seeds, an effort that is not above 0, or numbers that cannot be compared.
            NotFinite: a model diverged.
        """
        count = self.seeds if seeds is None else seeds
        at_least(LEAST_SEEDS, seeds=count)
        positive(effort=effort)
        began = time.perf_counter()
        numbers: list[Numbers] = []
        for seed in range(count):
            with isolated(seed):
                numbers.append(self.trial(seed, effort))
            if progress is not None:
                progress(seed + 1, count)
        found = [
            judge(each, *([one[each.what][name] for one in numbers] for name in (each.larger, each.smaller)))
            for each in self.comparisons
        ]
        return Verdict(self, tuple(found), effort, time.perf_counter() - began)


def scaled(count: int, effort: float, least: int = 1) -> int:
    """`count` updates, rows or draws of effort 1, at another effort: at least `least`."""
    return max(least, round(count * effort))


def _short(value: float) -> float:
    return float(f"{value:.5g}")
