"""The Vendi score: the effective number of different clouds in a set."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pcgen.metrics._checks import check_matrix

__all__ = ["Vendi", "vendi"]


@dataclass(frozen=True)
class Vendi:
    """The effective number of different clouds of a set.

    Attributes:
        score: from 1, all equal, to n, all different.
        scale: the distance at which two clouds have the similarity 1/e.
        clipped: sum of the eigenvalues of K / n below 0 that were set to 0, without its sign; all sum to 1.
    """

    score: float
    scale: float
    clipped: float


def vendi(distances: Tensor, scale: float | None = None) -> Vendi:
    """The exponential of the entropy of the eigenvalues of a set's similarities.

    exp(-sum_i l_i log l_i), l_i the eigenvalues of K / n, K = exp(-d / scale); in float64. K need not be positive
    semidefinite, as squared distances and matchings give no kernel in general: eigenvalues below 0 are set to 0, and
    the others divided by their sum. Two scores compare sets only at one scale and of one size n: take the reference's
    scale for the samples.

    Args:
        distances: symmetric, (n, n), n >= 2; the diagonal is not read.
        scale: in the units of the distances; None is the median over pairs.

    Raises:
        ValueError: the matrix is not square, symmetric, finite or at least 0, or holds a single cloud, or the scale is
            not above 0.

    Friedman, Dieng (2023), The Vendi Score: A Diversity Evaluation Metric for Machine Learning.
    """
    n = len(distances)
    distances = check_matrix(distances, "distances", columns=n).cpu().clone().fill_diagonal_(0)
    if n < 2 or not torch.equal(distances, distances.T) or (distances < 0).any():
        raise ValueError("distances: must be those between two clouds or more, symmetric and none below 0")
    if scale is None:
        pairs = distances[torch.ones_like(distances, dtype=torch.bool).triu(1)].sort().values
        scale = float(pairs[(len(pairs) - 1) // 2] + pairs[len(pairs) // 2]) / 2
    if not scale > 0:
        raise ValueError(f"scale: must be a distance above 0, got {scale}; are half of the clouds the same?")
    values = torch.linalg.eigvalsh(torch.exp(-distances / scale) / n)
    kept = values.clamp_min(0)
    kept = kept / kept.sum()
    entropy = -torch.special.xlogy(kept, kept).sum()
    return Vendi(float(entropy.exp()), scale, float(-values.clamp_max(0).sum()))
