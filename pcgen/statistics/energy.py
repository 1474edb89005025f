"""Energy distance of two samples."""

from torch import Tensor

from pcgen.statistics._checks import check_samples
from pcgen.statistics._distances import row_distances

__all__ = ["energy_distance"]


def energy_distance(x: Tensor, y: Tensor) -> Tensor:
    """Energy distance of two samples, as a V-statistic.

        2 mean |x_i - y_j| - mean |x_i - x_j| - mean |y_i - y_j|

    Norms are Euclidean, not squared. The means are over all pairs, also of a row with itself, so the value is never
    negative, and 0 for equal sets. Its mean for two samples of one distribution is (1/S + 1/R) E|x - x'|. It is
    computed in float64, on the device of the samples, and returned in the type of x, a scalar in the unit of x.

    Args:
        x: (S, D), floating point.
        y: (R, D).

    Raises:
        ValueError: x and y are not (S, D) and (R, D) floating point with at least one row each.

    References:
        Székely, Rizzo (2013). Energy Statistics: A Class of Statistics Based on Distances.
    """
    check_samples(x, y, least=1)
    value = 2 * row_distances(x, y).mean() - row_distances(x, x).mean() - row_distances(y, y).mean()
    return value.clamp(min=0).to(x.dtype)  # it can be negative only by rounding
