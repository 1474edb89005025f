"""Herding: a few rows with nearly the same moments as all rows."""

import torch
from torch import Tensor

from pcgen.errors import at_least

__all__ = ["herding"]


def herding(features: Tensor, count: int) -> Tensor:
    """Choose rows, one after the other, such that their mean features stay near those of all rows.

        i_t = argmax over i of w_(t-1) . f_i,   w_t = w_(t-1) + m - f_(i_t),   w_0 = m = mean of f

    After T choices, the mean of the chosen features differs from m by |w_T - w_0| / T, and w stays bounded. So the
    error falls as 1 / T, while the error of T random rows falls as 1 / sqrt(T). A row may be chosen more than once.

    Args:
        features: f, (S, F), floating point. With the rows themselves as features, the chosen rows have the same mean;
            with their squares in addition, the same variances too.
        count: T, number of rows to choose.

    Returns:
        Indices of the chosen rows in the order of their choice, (T,) int64; each initial part is a herding too.

    Raises:
        ValueError: features that are not (S, F), floating point and finite, with at least one row; or a count below 1.

    References:
        Welling (2009). Herding Dynamical Weights to Learn.
    """
    if features.dim() != 2 or not len(features) or not features.is_floating_point():
        raise ValueError(
            f"features: must be (S, F) floating point with at least one row, got {tuple(features.shape)} "
            f"{features.dtype}"
        )
    if not bool(features.isfinite().all()):
        raise ValueError("features: must be finite, got NaN or infinity; remove such rows")
    at_least(1, count=count)
    rows = features.detach().double()
    mean = rows.mean(0)
    weights, chosen = mean.clone(), []
    for _ in range(count):
        best = (rows @ weights).argmax()
        weights += mean - rows[best]
        chosen.append(best)
    return torch.stack(chosen)
