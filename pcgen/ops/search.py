"""The entries of a matrix of exact EMDs that nearest neighbours depend on, found without most of the others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pcgen.ops.bounds import emd_bounds, emd_lower_bound
from pcgen.ops.emd import match

__all__ = ["Search", "Share"]

_PARTNERS = 3  # a cloud's duals are transferred once it has been matched with so many others
_TOGETHER = 16  # pairs that are looked at together, if so many are open: threads and ranks want work
_BATCH = {"cpu": 128, "cuda": 4096}  # pairs that are matched at once: each takes memory for its matching and duals

# Who computes: `compute` takes the places of some of `count` pairs, (n,), and returns float64 tensors (n, *shape), one
# for each of the shapes; a `Share` returns them for all pairs.
Share = Callable[[int, Sequence[tuple[int, ...]], Callable[[Tensor], tuple[Tensor, ...]]], tuple[Tensor, ...]]


def _alone(
    count: int, shapes: Sequence[tuple[int, ...]], compute: Callable[[Tensor], tuple[Tensor, ...]]
) -> tuple[Tensor, ...]:
    return compute(torch.arange(count))


@dataclass
class Search:
    """A matrix D[i, j] = emd(a[i], b[j]) that is being filled in until the least entries are there that are asked for.

    A pair is open while a lower bound of its distance is not above the k-th least distance of its row, or of its
    column, so far. The open pair of least bound of each row and each column is looked at next: first its bound is
    raised, from either cloud's duals; if that leaves it open, it is matched. The duals u of a's points that prove the
    distance to one cloud bound that to another, mean_i u_i + mean_j min_i (|x_i - y_j| - u_i); their mean over several
    partners bounds better than those of the nearest one, since it has less of any partner's own noise in it.

    What is matched follows from the clouds alone, whoever computes. Where `b is a` only i < j is looked at, and a
    cloud's row and column are one.

    Attributes:
        a: (S, N, 3).
        b: (R, N, 3).
        k: how many least entries of each row, and of each column, are asked for.
        columns: whether the columns' are asked for too, rather than the rows' alone.
        below: (S,), where `b is a` and k is 1: whether a cloud's nearest is at most as far as this is all that is to be
            decided; None is to find the nearest.
        bounds: (S, R) float64, lower bounds; infinite for pairs that are not looked at.
        values: (S, R) float64, distances; infinite where they are not computed.
        tried: (2, S, R) bool, whether a bound from the duals of the row's, of the column's cloud is in `bounds`.
        duals: (C, N) float64, sums of each cloud's duals over its partners; C = S + R, or S where `b is a`.
        partners: (C,) float64, how many a cloud has been matched with.
    """

    a: Tensor
    b: Tensor
    k: int
    columns: bool
    below: Tensor | None
    bounds: Tensor
    values: Tensor
    tried: Tensor
    duals: Tensor
    partners: Tensor

    @classmethod
    def begin(
        cls,
        a: Tensor,
        b: Tensor,
        k: int = 1,
        *,
        columns: bool = True,
        below: Tensor | None = None,
        bounds: Tensor | None = None,
    ) -> "Search":
        """A search that has looked at nothing yet; `bounds` (S, R) are those of `emd_bounds` if they are at hand."""
        bounds = emd_bounds(a, b) if bounds is None else bounds
        if b is a:
            bounds = bounds.masked_fill(torch.ones_like(bounds, dtype=torch.bool).tril(), torch.inf)
        clouds = len(a) if b is a else len(a) + len(b)
        return cls(
            a,
            b,
            k,
            columns,
            below,
            bounds,
            torch.full_like(bounds, torch.inf),
            torch.zeros(2, *bounds.shape, dtype=torch.bool, device=bounds.device),
            bounds.new_zeros(clouds, a.shape[1]),
            bounds.new_zeros(clouds),
        )

    def state(self) -> dict[str, Tensor]:
        """What `resume` goes on from."""
        return {name: getattr(self, name) for name in ("bounds", "values", "tried", "duals", "partners")}

    def outcome(self) -> dict[str, Tensor]:
        """What `resume` needs of a search that is over."""
        return {"bounds": self.bounds, "values": self.values}

    def resume(self, state: Mapping[str, Tensor]) -> None:
        """Go on from where another search of the same clouds was."""
        for name, value in state.items():
            setattr(self, name, value)

    def matrix(self) -> Tensor:
        """The distances, (S, R) float64, infinite where they are not needed; where `b is a` symmetric."""
        return self._symmetric().fill_diagonal_(0.0) if self.b is self.a else self.values

    def open(self) -> Tensor:
        """Which pairs may still matter, (S, R) bool; where `b is a`, those with i < j."""
        return self._open(self._reach())

    def advance(self, share: Share = _alone) -> int:
        """Look at one pair of each row and column that has an open one; returns how many pairs were matched."""
        reach = self._reach()
        i, j = self._chosen(reach).nonzero().unbind(1)
        far = torch.maximum(reach[i], reach[self._column(j)])
        raised = torch.zeros_like(i, dtype=torch.bool)
        for side, cloud in ((0, i), (1, self._column(j))):
            new = ~self.tried[side, i, j] & (self.partners[cloud] >= _PARTNERS) & (self.bounds[i, j] <= far)
            if new.any():
                self._transfer(side, i[new], j[new], cloud[new], share)
            raised |= new
        # What has been raised is perhaps not the least bound of its row any more: the next round will see.
        for part in (~raised).nonzero()[:, 0].split(_BATCH[i.device.type]):
            self._match(i[part], j[part], share)
        return int((~raised).sum())

    def _column(self, j: Tensor) -> Tensor:
        """The number of b's cloud among all clouds."""
        return j if self.b is self.a else j + len(self.a)

    def _symmetric(self) -> Tensor:
        return torch.minimum(self.values, self.values.T)

    def _reach(self) -> Tensor:
        """How far away the last cloud that is asked for may be of each cloud, (C,): -inf where all is decided."""
        if self.b is self.a:
            far = self._symmetric().kthvalue(self.k, 1).values
            return far if self.below is None else torch.where(far <= self.below, -torch.inf, self.below)
        rows = self.values.kthvalue(self.k, 1).values
        columns = self.values.kthvalue(self.k, 0).values if self.columns else rows.new_full((len(self.b),), -torch.inf)
        return torch.cat((rows, columns))

    def _open(self, reach: Tensor) -> Tensor:
        far = torch.maximum(reach[: len(self.a), None], reach[-len(self.b) :])
        return (self.bounds <= far) & self.bounds.isfinite() & self.values.isinf()

    def _chosen(self, reach: Tensor) -> Tensor:
        """The pairs of this round, (S, R) bool."""
        is_open = self._open(reach)
        chosen = torch.zeros_like(is_open)
        # A row is asked for its own sake: pairs that are open for their column's alone are chosen there.
        for dim, far in ((1, reach[: len(self.a), None]), (0, reach[-len(self.b) :])):
            asked = torch.where(is_open & (self.bounds <= far), self.bounds, torch.inf)
            least, place = asked.min(dim, keepdim=True)
            chosen.logical_or_(torch.zeros_like(chosen).scatter_(dim, place, least.isfinite()))
        if int(chosen.sum()) < _TOGETHER:
            order = torch.where(is_open, self.bounds, torch.inf).flatten().argsort(stable=True)
            chosen.view(-1)[order[: min(_TOGETHER, int(is_open.sum()))]] = True
        return chosen

    def _transfer(self, side: int, i: Tensor, j: Tensor, cloud: Tensor, share: Share) -> None:
        """Raise bounds of pairs by the duals of their row's cloud (side 0) or of their column's."""

        def bound(own: Tensor) -> tuple[Tensor, ...]:
            x, y = self.a[i[own]], self.b[j[own]]
            mean = self.duals[cloud[own]] / self.partners[cloud[own], None]
            return (emd_lower_bound(*((y, x) if side else (x, y)), mean),)

        (bounds,) = share(len(i), [()], bound)
        self.bounds[i, j] = self.bounds[i, j].maximum(bounds)
        self.tried[side, i, j] = True

    def _match(self, i: Tensor, j: Tensor, share: Share) -> None:
        def solve(own: Tensor) -> tuple[Tensor, ...]:
            found = match(self.a[i[own]], self.b[j[own]])
            return found.cost, found.x_dual, found.y_dual

        points = tuple(self.duals.shape[1:])
        cost, *duals = share(len(i), [(), points, points], solve)
        self.values[i, j] = cost
        for cloud, dual in zip((i, self._column(j)), duals, strict=True):
            self.duals.index_add_(0, cloud, dual)
            self.partners.index_add_(0, cloud, torch.ones_like(cost))
