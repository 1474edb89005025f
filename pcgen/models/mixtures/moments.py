"""Mean and covariance of a batch that is divided among ranks."""

import torch
from torch import Tensor

from pcgen.ranks import reduce_sum

__all__ = ["mean_and_covariance"]


def mean_and_covariance(x: Tensor, model: str) -> tuple[Tensor, Tensor]:
    """Mean (D,) and covariance (D, D) of the rows (B, D) of all ranks, each row with weight 1 / S, in float64.

    Args:
        x: the rows of this rank.
        model: its name, for the error.

    Raises:
        FloatingPointError: they are not finite.
    """
    x = x.double()
    count, total = x.new_tensor(float(len(x))), x.sum(0)
    reduce_sum([count, total])
    mean = total / count
    scatter = (x - mean).T @ (x - mean)
    reduce_sum([scatter])
    covariance = scatter / count
    if not bool(torch.isfinite(covariance).all()):
        raise FloatingPointError(
            f"{model}: the covariance of the batch is not finite; its rows have numbers that are too large, or NaN"
        )
    return mean, covariance
