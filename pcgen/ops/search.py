"""The least entries of the rows and columns of a matrix of exact EMDs; lower bounds avoid most of the others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pcgen.ops.bounds import emd_bounds, emd_lower_bound
from pcgen.ops.emd import match

__all__ = ["Search", "Share"]

_PARTNERS = 3  # after so many matchings of a cloud, its duals are used for bounds on other pairs
_TOGETHER = 16  # least number of pairs per round, if so many are open: threads and ranks need work
_BATCH = {"cpu": 128, "cuda": 4096}  # pairs per call of `match`: each needs memory for its matching and duals

# Distributes work: `compute` takes indices (n,) of some of `count` pairs, and returns float64 tensors (n, *shape), one
# for each shape. A `Share` returns these tensors for all pairs.
Share = Callable[[int, Sequence[tuple[int, ...]], Callable[[Tensor], tuple[Tensor, ...]]], tuple[Tensor, ...]]


def _alone(
    count: int, shapes: Sequence[tuple[int, ...]], compute: Callable[[Tensor], tuple[Tensor, ...]]
) -> tuple[Tensor, ...]:
    return compute(torch.arange(count))


@dataclass
class Search:
    """A matrix D[i, j] = emd(a[i], b[j]), computed pair by pair until the least of each row and column are known.

    A pair that cannot be matched, on a GPU, has the distance NaN, which is the largest of all; it does not affect the
    bounds of other pairs.

    A pair is open while the lower bound on its distance is at most the k-th least distance so far of its row, or of its
    column. Each round takes the open pair with the least bound of each row and each column. First its bound is raised,
    from the duals of either cloud; if the pair is still open in the next round, it is matched. The duals u of x's
    points, from a matching of x, bound its distance to any other cloud y: mean_i u_i + mean_j min_i (|x_i - y_j| - u_i)
    (`pcgen.ops.emd_lower_bound`). Their mean over several matchings gives a better bound than those of the nearest
    cloud, since it depends less on the noise of one partner.

    Which pairs are matched depends only on the clouds, not on how the work is distributed. If `b is a`, only pairs with
    i < j are used, and row i and column i belong to the same cloud.

    Attributes:
        a: (S, N, 3).
        b: (R, N, 3).
        k: number of least entries of each row to find.
        columns: the same of each column; 0 for those of the rows alone. If `b is a`, k is of both.
        below: (S,), for `b is a` and k = 1: decide only whether each cloud's nearest distance is at most this value.
            None: find the nearest.
        bounds: (S, R) float64, lower bounds; infinite for pairs that are not used.
        values: (S, R) float64, distances; infinite where they are not computed.
        tried: (2, S, R) bool, whether `bounds` includes the bound from the duals of the row's (0), the column's (1)
            cloud.
        duals: (C, N) float64, sums of each cloud's duals over its partners; C = S + R, or S if `b is a`.
        partners: (C,) float64, number of clouds with which a cloud has been matched.
    """

    a: Tensor
    b: Tensor
    k: int
    columns: int
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
        columns: int = 1,
        below: Tensor | None = None,
        bounds: Tensor | None = None,
    ) -> "Search":
        """A search before its first round; `bounds` (S, R) are those of `emd_bounds`, computed unless given."""
        bounds = emd_bounds(a, b) if bounds is None else bounds
        bounds = bounds.where(bounds.isfinite(), -torch.inf)  # nothing is known of such a pair
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
        """The state that `resume` needs to continue."""
        return {name: getattr(self, name) for name in ("bounds", "values", "tried", "duals", "partners")}

    def outcome(self) -> dict[str, Tensor]:
        """The state that `resume` needs of a finished search."""
        return {"bounds": self.bounds, "values": self.values}

    def resume(self, state: Mapping[str, Tensor]) -> None:
        """Continue from the state of another search of the same clouds."""
        for name, value in state.items():
            setattr(self, name, value)

    def matrix(self) -> Tensor:
        """The distances, (S, R) float64, infinite where they are not computed; symmetric if `b is a`."""
        return self._symmetric().fill_diagonal_(0.0) if self.b is self.a else self.values

    def open(self) -> Tensor:
        """The open pairs, (S, R) bool; if `b is a`, only those with i < j."""
        return self._open(self._reach())

    def advance(self, share: Share = _alone) -> int:
        """One round: raise the bound of, or match, an open pair of each row and column.

        Returns:
            The number of pairs that were matched.
        """
        reach = self._reach()
        i, j = self._chosen(reach).nonzero().unbind(1)
        far = torch.maximum(reach[i], reach[self._column(j)])
        raised = torch.zeros_like(i, dtype=torch.bool)
        for side, cloud in ((0, i), (1, self._column(j))):
            new = ~self.tried[side, i, j] & (self.partners[cloud] >= _PARTNERS) & (self.bounds[i, j] <= far)
            if new.any():
                self._transfer(side, i[new], j[new], cloud[new], share)
            raised |= new
        # A raised bound may no longer be the least of its row; the next round chooses again.
        for part in (~raised).nonzero()[:, 0].split(_BATCH[i.device.type]):
            self._match(i[part], j[part], share)
        return int((~raised).sum())

    def _column(self, j: Tensor) -> Tensor:
        """Index of b's cloud j among all clouds, those of a first."""
        return j if self.b is self.a else j + len(self.a)

    def _symmetric(self) -> Tensor:
        return torch.minimum(self.values, self.values.T)

    def _reach(self) -> Tensor:
        """For each cloud, (C,), the k-th least distance so far, or `below`; -inf if nothing is left to decide."""
        if self.b is self.a:
            far = _kth(self._symmetric(), self.k, 1)
            return far if self.below is None else torch.where(far <= self.below, -torch.inf, self.below)
        rows = _kth(self.values, self.k, 1)
        if not self.columns:
            return torch.cat((rows, rows.new_full((len(self.b),), -torch.inf)))
        columns = _kth(self.values, self.columns, 0)
        return torch.cat((rows, columns))

    def _open(self, reach: Tensor) -> Tensor:
        far = torch.maximum(reach[: len(self.a), None], reach[-len(self.b) :])
        return (self.bounds <= far) & (self.bounds < torch.inf) & self.values.isinf()

    def _chosen(self, reach: Tensor) -> Tensor:
        """The pairs of this round, (S, R) bool."""
        is_open = self._open(reach)
        chosen = torch.zeros_like(is_open)
        # A row chooses only among the pairs that are open because of the row itself; columns likewise.
        for dim, far in ((1, reach[: len(self.a), None]), (0, reach[-len(self.b) :])):
            asked = torch.where(is_open & (self.bounds <= far), self.bounds, torch.inf)
            least, place = asked.min(dim, keepdim=True)
            chosen.logical_or_(torch.zeros_like(chosen).scatter_(dim, place, least < torch.inf))
        if int(chosen.sum()) < _TOGETHER:
            order = torch.where(is_open, self.bounds, torch.inf).flatten().argsort(stable=True)
            chosen.view(-1)[order[: min(_TOGETHER, int(is_open.sum()))]] = True
        return chosen

    def _transfer(self, side: int, i: Tensor, j: Tensor, cloud: Tensor, share: Share) -> None:
        """Raise bounds of pairs by the duals of their row's cloud (side 0) or of their column's cloud (side 1)."""

        def bound(own: Tensor) -> tuple[Tensor, ...]:
            x, y = self.a[i[own]], self.b[j[own]]
            mean = self.duals[cloud[own]] / self.partners[cloud[own], None]
            return (emd_lower_bound(*((y, x) if side else (x, y)), mean),)

        (bounds,) = share(len(i), [()], bound)
        self.bounds[i, j] = self.bounds[i, j].fmax(bounds)  # not NaN, which is that of a cloud that is not finite
        self.tried[side, i, j] = True

    def _match(self, i: Tensor, j: Tensor, share: Share) -> None:
        def solve(own: Tensor) -> tuple[Tensor, ...]:
            found = match(self.a[i[own]], self.b[j[own]])
            return found.cost, found.x_dual, found.y_dual

        points = tuple(self.duals.shape[1:])
        cost, *duals = share(len(i), [(), points, points], solve)
        self.values[i, j] = cost
        is_matched = cost.isfinite()
        for cloud, dual in zip((i, self._column(j)), duals, strict=True):
            self.duals.index_add_(0, cloud, dual.where(is_matched[:, None], 0.0))
            self.partners.index_add_(0, cloud, is_matched.to(cost))


def _kth(values: Tensor, k: int, dim: int) -> Tensor:
    """The k-th least values; infinite where they are NaN, which is larger than the values that are not computed."""
    found = values.kthvalue(k, dim).values
    return found.where(~found.isnan(), torch.inf)
