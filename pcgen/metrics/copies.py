"""The search for copies: each cloud's nearest training clouds, found on few points and measured on many."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pcgen.data import Clouds
from pcgen.metrics.blocks import Block
from pcgen.metrics.novelty import Novelty, novelty
from pcgen.metrics.pairs import pair_matrices, shared
from pcgen.metrics.sets import SAMPLES, TRAINING, MeasuredSet, measured_set
from pcgen.metrics.store import TileStore, digests
from pcgen.seeds import stream

__all__ = ["CopySearch", "Near", "find_copies"]

_COARSE = 256  # points for the search for candidates, between all clouds and all training clouds
_CANDIDATES = 8  # candidates per cloud, which are compared on all points
_CANDIDATES_EMD = 4  # candidates per cloud, the nearest under CD, for which the EMD is computed
_SAMPLINGS = 4  # random splits of each training cloud into two samplings
_TOGETHER = 16  # clouds whose matchings are stored as one tile


@dataclass(frozen=True)
class Near:
    """The nearest training clouds of each cloud: their rows, nearest first, and distances, (S, C)."""

    rows: Tensor
    distances: Tensor

    @property
    def row(self) -> Tensor:
        """The nearest training cloud, (S,) int64."""
        return self.rows[:, 0]

    @property
    def distance(self) -> Tensor:
        """The distance to the nearest training cloud, (S,) float64."""
        return self.distances[:, 0]

    def select(self, places: Tensor) -> "Near":
        """The result for some of the clouds."""
        return Near(self.rows[places], self.distances[places])

    def matrix(self, train: int) -> Tensor:
        """Distances to all training clouds, infinite if not computed, (S, T)."""
        whole = torch.full((len(self.rows), train), torch.inf, dtype=torch.float64)
        return whole.scatter_(1, self.rows, self.distances)


@dataclass(frozen=True)
class CopySearch:
    """A search for the nearest training clouds, on a random half of the points of each training cloud.

    The other half is a second sampling of the same shape. Clouds that are compared with the training set have the same
    number of points. So all sets of one search are treated alike, and a copy has the distance of two samplings of one
    shape.

    Attributes:
        whole: the training set.
        train: (T, N/2, 3).
        seed: of all random choices; torch's global generator is not used.
    """

    whole: MeasuredSet
    train: Tensor
    seed: int

    @classmethod
    def of(cls, train: MeasuredSet, points: int, seed: int) -> "CopySearch":
        """Choose half of at most `points` points of each cloud, 2 or more."""
        half = min(points, train.size) // 2
        return cls(train, train.halves(half, stream(seed, "copies train"))[0], seed)

    def sampled(self, clouds: MeasuredSet) -> Tensor:
        """The same number of points of other clouds, (S, N/2, 3)."""
        return clouds.subset(self.train.shape[1], "random", stream(self.seed, f"copies {clouds.role}")).points

    def block(self, title: str, clouds: Tensor, train: Tensor | None = None) -> Block:
        """Distances on few points from clouds (S, N/2, 3) to all training clouds, or to `train`."""
        few = min(_COARSE, self.train.shape[1])
        first = clouds[:, :few].contiguous()
        other = first if train is clouds else (self.train if train is None else train)[:, :few].contiguous()
        return Block(f"{title} x {TRAINING}", "chamfer", first, other)

    def floor(self) -> Tensor:
        """Chamfer distances between two samplings of each training cloud, (T, K)."""
        from pcgen.ops import chamfer

        half, generator = self.train.shape[1], stream(self.seed, "copies floor")
        return torch.stack([chamfer(*self.whole.halves(half, generator)).cpu() for _ in range(_SAMPLINGS)], 1)

    def nearest(self, clouds: Tensor, coarse: Tensor) -> Near:
        """The nearest training clouds under CD, of the candidates from the distances on few points, (S, T).

        A training cloud at an infinite distance is not a candidate; each row must have at least one candidate.
        """
        from pcgen.ops import chamfer

        count = min(_CANDIDATES, int(coarse.isfinite().sum(1).min()))
        rows = coarse.topk(count, largest=False).indices  # (S, C)
        columns = [chamfer(clouds, self.train[column.to(self.train.device)]).double().cpu() for column in rows.T]
        return _in_order(rows, torch.stack(columns, 1))

    def nearest_emd(self, clouds: Tensor, near: Near, store: TileStore | None) -> Near:
        """The nearest training clouds under the exact EMD, of those that are nearest under CD.

        With torch.distributed, the ranks share the matchings; finished ones are saved in `store`.
        """
        from pcgen.ops import emd

        rows = near.rows[:, :_CANDIDATES_EMD]  # (S, C)
        stored_as = f"pairs {Block('', 'exact', clouds, self.train).stored_as}"

        def compute(places: Tensor) -> tuple[Tensor, ...]:
            found = []
            for own in places.split(_TOGETHER):
                a = clouds[own.to(clouds.device)].repeat_interleave(rows.shape[1], 0)
                b = self.train[rows[own].flatten().to(self.train.device)]
                names = (*digests(a), "to", *digests(b)) if store else ()
                kept = store.get(stored_as, names) if store else None
                if kept is None:
                    kept = {"values": emd(a, b).double().cpu()}
                    if store:
                        store.put(stored_as, names, kept)
                found.append(kept["values"].view(len(own), -1))
            return (torch.cat(found) if found else torch.empty(0, rows.shape[1], dtype=torch.float64),)

        return _in_order(rows, shared(len(rows), [(rows.shape[1],)], compute)[0])


def _in_order(rows: Tensor, distances: Tensor) -> Near:
    order = distances.argsort(dim=1, stable=True)
    return Near(rows.gather(1, order), distances.gather(1, order))


def find_copies(samples: Tensor | Clouds, train: Tensor | Clouds, seed: int = 0) -> Novelty:
    """Each sample's nearest training cloud under CD, with the distance relative to that of two samplings of this cloud.

    It is the search of `evaluate`: candidates are found on 256 points, and compared on half of the points of the
    smallest cloud.

    Args:
        samples: (S, N, 3).
        train: (T, M, 3), in the same units.
        seed: of the random choice of points.

    Raises:
        ValueError: a set is not a set of finite clouds, or clouds have fewer than two points.
    """
    known, drawn = measured_set(train, TRAINING), measured_set(samples, SAMPLES)
    drawn, points = drawn.about(known.origin), min(known.size, drawn.size)
    if points < 2:
        raise ValueError(f"samples, train: clouds must have two points or more, got {points}")
    search = CopySearch.of(known, points, seed)
    clouds = search.sampled(drawn)
    near = search.nearest(clouds, pair_matrices({0: search.block(SAMPLES, clouds)})[0])
    return novelty(near.matrix(len(known)), search.floor())
