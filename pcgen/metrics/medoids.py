"""Medoids: members of a set that represent those near them, from distances alone."""

import torch
from torch import Tensor

from pcgen.errors import at_least
from pcgen.metrics._checks import check_matrix

__all__ = ["medoids"]

_ROUNDS = 100


def medoids(distances: Tensor, k: int) -> Tensor:
    """The k members whose distances to the members nearest to them sum to a local least, (k,) int64, ascending.

    The first is the one of least sum to all; each further one is the member that lowers the sum of distances to the
    nearest medoid most. Then, in turn, members go to their nearest medoid and each group takes its member of least sum,
    until nothing changes. Ties go to the lower index: the outcome follows from the distances alone.

    Args:
        distances: symmetric, (n, n).
        k: 1 to n.

    Raises:
        ValueError: the matrix is not square or not finite, or k does not fit it.

    Kaufman, Rousseeuw (1990), Finding Groups in Data (the first k); Park, Jun (2009), A Simple and Fast Algorithm for
    K-Medoids Clustering (the rounds).
    """
    n = len(distances)
    distances = check_matrix(distances, "distances", columns=n).cpu()
    at_least(1, k=k)
    if k > n:
        raise ValueError(f"k: must be at most the {n} members, got {k}")
    chosen = distances.sum(0).argmin()[None]
    while len(chosen) < k:
        nearest = distances[:, chosen].amin(1)  # (n,)
        sums = torch.minimum(distances, nearest[:, None]).sum(0)  # of each candidate as the next one
        sums[chosen] = torch.inf
        chosen = torch.cat((chosen, sums.argmin()[None]))
    chosen = chosen.sort().values
    for _ in range(_ROUNDS):
        group = distances[:, chosen].argmin(1)  # (n,)
        group[chosen] = torch.arange(k)  # of members that are the same, each medoid stays in its own group
        groups = [(group == each).nonzero().flatten() for each in range(k)]
        better = torch.stack([own[distances[own][:, own].sum(0).argmin()] for own in groups]).sort().values
        if torch.equal(better, chosen):
            break
        chosen = better
    return chosen
