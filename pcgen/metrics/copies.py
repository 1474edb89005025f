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

_COARSE = 256  # points that candidates are found on: all clouds against all training clouds
_CANDIDATES = 8  # training clouds of each cloud that are measured on all points
_CANDIDATES_EMD = 4  # of them, the nearest under CD, that are matched
_SAMPLINGS = 4  # times that a training cloud is split into two samplings
_TOGETHER = 16  # clouds whose matchings are kept as one tile


@dataclass(frozen=True)
class Near:
    """The training clouds that are near each cloud: their rows, nearest first, and distances, (S, C)."""

    rows: Tensor
    distances: Tensor

    @property
    def row(self) -> Tensor:
        """The nearest training cloud, (S,) int64."""
        return self.rows[:, 0]

    @property
    def distance(self) -> Tensor:
        """The distance to it, (S,) float64."""
        return self.distances[:, 0]

    def select(self, places: Tensor) -> "Near":
        """Of some of the clouds."""
        return Near(self.rows[places], self.distances[places])

    def matrix(self, train: int) -> Tensor:
        """Distances to all training clouds, infinite where not measured, (S, T)."""
        whole = torch.full((len(self.rows), train), torch.inf, dtype=torch.float64)
        return whole.scatter_(1, self.rows, self.distances)


@dataclass(frozen=True)
class CopySearch:
    """The training set as it is searched: half of the points of each cloud, chosen at random.

    The other half make a second sampling of the same shape; what is compared with the set has as many points. So all
    sets that are measured by one search are measured alike, and a copy is as far as two samplings of one shape.

    Attributes:
        whole: the training set.
        train: (T, N/2, 3).
        seed: of all draws, from generators of their own.
    """

    whole: MeasuredSet
    train: Tensor
    seed: int

    @classmethod
    def of(cls, train: MeasuredSet, points: int, seed: int) -> "CopySearch":
        """Draw half of at most `points` points of each cloud; 2 or more."""
        half = min(points, train.size) // 2
        return cls(train, train.halves(half, stream(seed, "copies train"))[0], seed)

    def sampled(self, clouds: MeasuredSet) -> Tensor:
        """As many points of other clouds, (S, N/2, 3)."""
        return clouds.subset(self.train.shape[1], "random", stream(self.seed, f"copies {clouds.role}")).points

    def block(self, title: str, clouds: Tensor, train: Tensor | None = None) -> Block:
        """The distances on few points, of clouds (S, N/2, 3) to all training clouds, or to some of them."""
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
        """The nearest training clouds under CD, of the candidates that the distances on few points, (S, T), show.

        A training cloud at an infinite distance is not a candidate; each row must have one that is.
        """
        from pcgen.ops import chamfer

        count = min(_CANDIDATES, int(coarse.isfinite().sum(1).min()))
        rows = coarse.topk(count, largest=False).indices  # (S, C)
        columns = [chamfer(clouds, self.train[column.to(self.train.device)]).double().cpu() for column in rows.T]
        return _in_order(rows, torch.stack(columns, 1))

    def nearest_emd(self, clouds: Tensor, near: Near, store: TileStore | None) -> Near:
        """The nearest training clouds under the exact EMD, of those that are nearest under CD.

        Under torch.distributed the ranks share the matchings; finished ones are kept in `store`.
        """
        from pcgen.ops import emd

        rows = near.rows[:, :_CANDIDATES_EMD]  # (S, C)

        def compute(places: Tensor) -> tuple[Tensor, ...]:
            found = []
            for own in places.split(_TOGETHER):
                a = clouds[own.to(clouds.device)].repeat_interleave(rows.shape[1], 0)
                b = self.train[rows[own].flatten().to(self.train.device)]
                names = (*digests(a), "to", *digests(b)) if store else ()
                kept = store.get("pairs exact", names) if store else None
                if kept is None:
                    kept = {"values": emd(a, b).double().cpu()}
                    if store:
                        store.put("pairs exact", names, kept)
                found.append(kept["values"].view(len(own), -1))
            return (torch.cat(found) if found else torch.empty(0, rows.shape[1], dtype=torch.float64),)

        return _in_order(rows, shared(len(rows), [(rows.shape[1],)], compute)[0])


def _in_order(rows: Tensor, distances: Tensor) -> Near:
    order = distances.argsort(dim=1, stable=True)
    return Near(rows.gather(1, order), distances.gather(1, order))


def find_copies(samples: Tensor | Clouds, train: Tensor | Clouds, seed: int = 0) -> Novelty:
    """Each sample's nearest training cloud under CD, and how far it is in units of that cloud sampled twice.

    The search of `evaluate`: candidates on 256 points, measured on half of the points of the clouds that have fewest.

    Args:
        samples: (S, N, 3).
        train: (T, M, 3), in the same units.
        seed: of the points that are drawn.

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
