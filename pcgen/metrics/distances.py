"""The distances of protocols, by name, between all clouds of two sets."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

__all__ = ["PairDistance", "pair_distance"]


@dataclass(frozen=True)
class PairDistance:
    """A distance between the clouds of two sets.

    Attributes:
        label: its name in progress and messages.
        measure: (S, N, 3), (R, N, 3) -> (S, R) float64.
        symmetric: whether d(x, y) = d(y, x), so that half of the matrix of a set with itself is sufficient.
        devices: types of devices that can compute it.
    """

    label: str
    measure: Callable[[Tensor, Tensor], Tensor]
    symmetric: bool = True
    devices: tuple[str, ...] = ("cpu", "cuda")


def pair_distance(name: str) -> PairDistance:
    """The distance of that name: "chamfer", "exact" (EMD), or one of the approximations that papers report as EMD.

    "exact_bound" is a lower bound on "exact", and much faster. The approximations are not symmetric: mass moves from
    one cloud to the other. As in PointFlow, it moves from the column's cloud to the row's: from a reference cloud to a
    sample, or within a set, to the cloud whose nearest neighbour is searched.
    """
    from pcgen import ops

    if name == "chamfer":
        return PairDistance("CD", ops.chamfer_matrix)
    if name == "exact":
        return PairDistance("EMD", ops.emd_matrix)
    if name == "exact_bound":
        return PairDistance("bounds of EMD", ops.emd_bounds)
    from pcgen.ops.approxmatch import approxmatch_matrix

    return PairDistance(
        name, lambda a, b: approxmatch_matrix(b, a, name).T.contiguous(), symmetric=False, devices=("cpu",)
    )
