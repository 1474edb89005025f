"""Energy distance of two samples."""

import torch
from torch import Tensor

from pcgen.statistics._checks import check_samples

__all__ = ["energy_distance"]


def energy_distance(x: Tensor, y: Tensor) -> Tensor:
    """Energy distance of two samples, as a V-statistic.

        2 mean |x_i - y_j| - mean |x_i - x_j| - mean |y_i - y_j|

    Euclidean norms, not squared; the means run over all pairs, a row with itself included, so the value is never
    negative, and 0 for equal sets. Two samples of one distribution have (1/S + 1/R) E|x - x'| on average.

    Raises:
        ValueError: x and y are not (S, D) and (R, D) with at least one row each.

    References:
        Székely, Rizzo (2013). Energy Statistics: A Class of Statistics Based on Distances.
    """
    check_samples(x, y, least=1)
    return 2 * torch.cdist(x, y).mean() - torch.cdist(x, x).mean() - torch.cdist(y, y).mean()
