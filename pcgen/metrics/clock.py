"""How far an evaluation's matrices are, and how long the rest takes."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pcgen.ranks import share

__all__ = ["Clock", "Kind", "Progress"]

Kind = tuple[str, int, int]  # what is done with a pair, points of its first cloud, points of its second


@dataclass(frozen=True)
class Progress:
    """How far the matrices are, over all ranks.

    Attributes:
        title: what is being computed.
        done: pairs that are computed, or known not to be needed.
        total: all pairs.
        seconds_left: an estimate.
        at_most: `seconds_left` takes pairs as needed of which many will not be.
    """

    title: str
    done: int
    total: int
    seconds_left: float
    at_most: bool = False


class Clock:
    """Counts pairs and estimates the time left: by a guess at first, then by what this rank has computed."""

    def __init__(
        self, work: Mapping[Kind, int], rate: Callable[[Kind], float], progress: Callable[[Progress], None] | None
    ) -> None:
        """Report the estimate.

        Args:
            work: pairs of each kind.
            rate: a guess of the seconds that a pair of a kind takes; asked only if somebody listens.
            progress: who listens.
        """
        self.left = Counter(work)
        self.total, self.progress = self.left.total(), progress
        self.guess = {kind: rate(kind) for kind in work} if progress else {}
        self.seconds: defaultdict[Kind, float] = defaultdict(float)
        self.computed: Counter[Kind] = Counter()
        self._report("estimate")

    def compute(self, kind: Kind, pairs: int, seconds: float) -> None:
        """Learn how long this rank took for pairs of a kind."""
        self.seconds[kind] += seconds
        self.computed[kind] += pairs

    def finish(self, kind: Kind, pairs: int, title: str) -> None:
        """Count pairs of which nothing is left to do."""
        self.left[kind] -= pairs
        self._report(title)

    def _report(self, title: str) -> None:
        if self.progress:
            ranks = share(1).step
            seconds = sum(pairs * self._rate(kind) for kind, pairs in self.left.items()) / ranks
            at_most = any(pairs and kind[0] == "nearest" for kind, pairs in self.left.items())
            self.progress(Progress(title, self.total - self.left.total(), self.total, seconds, at_most))

    def _rate(self, kind: Kind) -> float:
        computed = self.computed[kind]
        return self.seconds[kind] / computed if computed else self.guess[kind]
