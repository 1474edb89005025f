"""How far an evaluation's matrices are, and how long the rest takes."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pcgen.ranks import share

__all__ = ["Clock", "Kind", "Progress"]

Kind = tuple[str, int, int]  # what is done with a pair, points of its first cloud, points of its second

_NEAREST = "nearest"  # what is done with pairs that are searched through for neighbours
# Share of the pairs of a search for neighbours that are computed in the end, as measured on sets of one class; and in
# how many pairs that is trusted until a search has shown another.
_NEEDED = 0.25
_TRUSTED = 1000


@dataclass(frozen=True)
class Progress:
    """How far the matrices are, over all ranks.

    Attributes:
        title: what is being computed.
        done: pairs that are computed, or known not to be needed.
        total: all pairs.
        seconds_left: an estimate.
    """

    title: str
    done: int
    total: int
    seconds_left: float


@dataclass
class _Search:
    """A search under way: its pairs, those that are left, and those that were computed, over all ranks."""

    pairs: int
    left: int
    computed: int = 0


class Clock:
    """Counts pairs and estimates the time left: by a guess at first, then by what this rank has computed."""

    def __init__(
        self, work: Mapping[Kind, int], rate: Callable[[Kind], float], progress: Callable[[Progress], None] | None
    ) -> None:
        """Report the estimate.

        Args:
            work: pairs of each kind.
            rate: a guess of the seconds per pair of a kind; it is called only if there is a `progress`.
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
        """Learn that a search through so many pairs of the kind "nearest" begins; it ends when none is left."""
        self.search = _Search(pairs, pairs)

    def compute(self, kind: Kind, pairs: int, seconds: float) -> None:
        """Learn how long this rank took for pairs of a kind."""
        self.seconds[kind] += seconds
        self.computed[kind] += pairs
        if self.search and kind[0] == _NEAREST:
            self.search.computed += pairs * share(1).step

    def finish(self, kind: Kind, pairs: int, title: str) -> None:
        """Count pairs of which nothing is left to do."""
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
        """How many of the pairs that are left will be computed, rather than found not to be needed."""
        left = self.left[kind]
        if kind[0] != _NEAREST:
            return left
        needed = self.needed / self.searched
        if self.search is None:
            return needed * left
        # Most of a search's pairs are ruled out at its beginning: what is left of it is not a share of them.
        rest = max(needed * self.search.pairs - self.search.computed, needed * self.search.left)
        return min(rest, self.search.left) + needed * (left - self.search.left)

    def _rate(self, kind: Kind) -> float:
        computed = self.computed[kind]
        return self.seconds[kind] / computed if computed else self.guess[kind]
