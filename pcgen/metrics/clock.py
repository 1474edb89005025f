"""The progress of an evaluation's matrices, and the estimated time left."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pcgen.ranks import share

__all__ = ["Clock", "Kind", "Progress"]

Kind = tuple[str, int, int]  # the computation of a pair, the points of its first cloud, the points of its second

_NEAREST = "nearest"  # the computation of pairs in a search for neighbours
# The share of pairs that a search for neighbours computes, as measured on sets of one class, and the weight of this
# prior in pairs, against the shares of later searches.
_NEEDED = 0.25
_TRUSTED = 1000


@dataclass(frozen=True)
class Progress:
    """The progress of the matrices, over all ranks.

    Attributes:
        title: name of the current computation.
        done: pairs that are computed, or known not to be needed.
        total: all pairs, but those of matrices that were stored before.
        seconds_left: estimated time left, in seconds.
    """

    title: str
    done: int
    total: int
    seconds_left: float


@dataclass
class _Search:
    """The current search: the numbers of its pairs, of pairs left, and of computed pairs, over all ranks."""

    pairs: int
    left: int
    computed: int = 0


class Clock:
    """Counts pairs and estimates the time left, from a given rate at first, then from this rank's measured times."""

    def __init__(
        self, work: Mapping[Kind, int], rate: Callable[[Kind], float], progress: Callable[[Progress], None] | None
    ) -> None:
        """Report the estimate.

        Args:
            work: pairs of each kind.
            rate: initial estimate of the seconds per pair of a kind; it is called only if `progress` is given.
            progress: called with the estimates.
        """
        self.left = Counter(work)
        self.total, self.progress = self.left.total(), progress
        self.guess = {kind: rate(kind) for kind in work} if progress else {}
        self.seconds: defaultdict[Kind, float] = defaultdict(float)
        self.computed: Counter[Kind] = Counter()
        self.search: _Search | None = None
        self.searched, self.needed = _TRUSTED, _NEEDED * _TRUSTED  # pairs, and those of them that were computed
        self._report("estimate")

    def begin_search(self, pairs: int) -> None:
        """Record the start of a search over this number of pairs of the kind "nearest"; it ends when none is left."""
        self.search = _Search(pairs, pairs)

    def compute(self, kind: Kind, pairs: int, seconds: float) -> None:
        """Record the seconds that this rank needed for pairs of a kind."""
        self.seconds[kind] += seconds
        self.computed[kind] += pairs
        if self.search and kind[0] == _NEAREST:
            self.search.computed += pairs * share(1).step

    def finish(self, kind: Kind, pairs: int, title: str) -> None:
        """Count pairs as done."""
        self.left[kind] -= pairs
        if self.search and kind[0] == _NEAREST:
            self.search.left -= pairs
            if self.search.left == 0:
                self.searched += self.search.pairs
                self.needed += self.search.computed
                self.search = None
        self._report(title)

    def _report(self, title: str) -> None:
        if self.progress:
            pairs_to_compute = {kind: self._to_compute(kind) for kind in self.left}
            seconds = sum(pairs * self._rate(kind) for kind, pairs in pairs_to_compute.items()) / share(1).step
            self.progress(Progress(title, self.total - self.left.total(), self.total, seconds))

    def _to_compute(self, kind: Kind) -> float:
        """The expected number of remaining pairs that will be computed, since others turn out not to be needed."""
        left = self.left[kind]
        if kind[0] != _NEAREST:
            return left
        needed = self.needed / self.searched
        if self.search is None:
            return needed * left
        # A search excludes most pairs at its start, so the remaining work is not proportional to the pairs left.
        rest = max(needed * self.search.pairs - self.search.computed, needed * self.search.left)
        return min(rest, self.search.left) + needed * (left - self.search.left)

    def _rate(self, kind: Kind) -> float:
        computed = self.computed[kind]
        return self.seconds[kind] / computed if computed else self.guess[kind]
