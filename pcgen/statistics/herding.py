"""Herding: a few rows whose moments are those of many."""

import torch
from torch import Tensor

from pcgen.errors import at_least

__all__ = ["herding"]


def herding(features: Tensor, count: int) -> Tensor:
    """Choose rows, one after the other, whose mean features stay near those of all rows.

        i_t = argmax over i of w_(t-1) . f_i,   w_t = w_(t-1) + m - f_(i_t),   w_0 = m = mean of f

    w stays bounded, so that after T choices the mean of the chosen features differs from m by |w_T - w_0| / T: the
    error falls as 1 / T, where that of T rows at random falls as 1 / sqrt(T). A row may be chosen more than once.

    Args:
        features: f, (S, F), floating point: what is to be matched of each row. The rows themselves match their mean;
            with their squares beside them, variances too.
        count: T, how many to choose.

    Returns:
        The places of the chosen rows in the order of their choice, (T,) int64: the first few do as well as they can.

    Raises:
        ValueError: features that are not (S, F) floating point and finite with a row, or a count below 1.

    References:
        Welling (2009). Herding Dynamical Weights to Learn.
    """
    if features.dim() != 2 or not len(features) or not features.is_floating_point():
        raise ValueError(
            f"features: must be (S, F) floating point with a row or more, got {tuple(features.shape)} {features.dtype}"
        )
    if not bool(features.isfinite().all()):
        raise ValueError("features: must be finite, got NaN or infinity; leave such rows out")
    at_least(1, count=count)
    rows = features.detach().double()
    mean = rows.mean(0)
    weights, chosen = mean.clone(), []
    for _ in range(count):
        best = (rows @ weights).argmax()
        weights += mean - rows[best]
        chosen.append(best)
    return torch.stack(chosen)
