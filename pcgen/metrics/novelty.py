"""Novelty: are the samples new, or training clouds drawn again?"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pcgen.metrics._checks import check_matrix

__all__ = ["Novelty", "novelty"]


@dataclass(frozen=True)
class Novelty:
    """Distances of samples to their nearest training cloud, beside the distance of one shape sampled twice.

    Attributes:
        nearest: median over samples of the distance to the nearest training cloud.
        floor: median distance between two samplings of one training shape.
        copies: share of samples that are as near to a training cloud as 95% of second samplings are to their first.
        rows: the nearest training cloud of each sample, (S,) int64.
    """

    nearest: float
    floor: float
    copies: float
    rows: Tensor


def novelty(sample_train: Tensor, floor: Tensor, quantile: float = 0.95) -> Novelty:
    """Compare each sample's distance to its nearest training cloud with the distance of one shape sampled twice.

    copies = share of s with min_t D[s, t] <= the `quantile` of `floor`. A model that repeats its training set has
    copies near `quantile`, one that makes new shapes has 0.

    Args:
        sample_train: distances D (S, T); rows are samples, columns are training clouds.
        floor: distances between two samplings, with as many points, of one training shape each, (K,).
        quantile: how much of the floor counts as the same shape, in (0, 1].

    Raises:
        ValueError: D is not a finite matrix, `floor` is empty, or `quantile` is not in (0, 1].
    """
    distances = check_matrix(sample_train, "sample_train")
    floor = check_matrix(floor[None], "floor")[0]
    if not 0 < quantile <= 1:
        raise ValueError(f"quantile: must be in (0, 1], got {quantile}")
    rows = distances.argmin(1)
    nearest = distances.gather(1, rows[:, None])[:, 0]
    same = nearest <= torch.quantile(floor, quantile)
    return Novelty(
        float(torch.quantile(nearest, 0.5)), float(torch.quantile(floor, 0.5)), float(same.double().mean()), rows
    )
