"""Medoids: members of a set that represent clusters, from distances alone."""

import torch
from torch import Tensor

from pcgen.errors import at_least
from pcgen.metrics._checks import check_matrix

__all__ = ["medoids"]

_ROUNDS = 100


def medoids(distances: Tensor, k: int) -> Tensor:
    """k-medoids: k members with a locally minimal sum of distances from all members to the nearest of them.

    The first medoid is the member with the least sum of distances. Each further one is the member that lowers the sum
    of distances to the nearest medoid most. Then two steps alternate until nothing changes: members are assigned to
    their nearest medoid, and the medoid of each group becomes the member with the least sum of distances to the group.
    Ties go to the lower index, so the result depends only on the distances.

    Args:
        distances: symmetric, (n, n).
        k: 1 to n.

    Returns:
        Indices of the medoids, (k,) int64, ascending.

    Raises:
        ValueError: the matrix is not square or not finite, or k is out of range.

    Kaufman, Rousseeuw (1990), Finding Groups in Data (the initial medoids); Park, Jun (2009), A Simple and Fast
    Algorithm for K-Medoids Clustering (the alternation).
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
        group[chosen] = torch.arange(k)  # if two medoids are equal, each still belongs to its own group
        groups = [(group == each).nonzero().flatten() for each in range(k)]
        better = torch.stack([own[distances[own][:, own].sum(0).argmin()] for own in groups]).sort().values
        if torch.equal(better, chosen):
            break
        chosen = better
    return chosen
