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
        score: from 1 (all equal) to n (all different).
        scale: the distance at which the similarity of two clouds is 1/e.
        clipped: absolute sum of the negative eigenvalues of K / n, which were set to 0; the sum of all is 1.
    """

    score: float
    scale: float
    clipped: float


def vendi(distances: Tensor, scale: float | None = None) -> Vendi:
    """The exponential of the entropy of the eigenvalues of a set's similarity matrix.

    exp(-sum_i l_i log l_i), where l_i are the eigenvalues of K / n, K = exp(-d / scale), in float64. K need not be
    positive semidefinite, since squared distances and matching distances do not give a kernel in general: negative
    eigenvalues are set to 0, and the others are divided by their sum. Scores of two sets can be compared only at the
    same scale and size n: use the reference's scale for the samples.

    Args:
        distances: symmetric, (n, n), n >= 2; the diagonal is not read.
        scale: in the unit of the distances; by default the median over pairs.

    Raises:
        ValueError: the matrix is not square, symmetric, finite and nonnegative, has a single cloud, or the scale is not
            positive.

    Friedman, Dieng (2023), The Vendi Score: A Diversity Evaluation Metric for Machine Learning.
    """
    n = len(distances)
    distances = check_matrix(distances, "distances", columns=n).cpu().clone().fill_diagonal_(0)
    if n < 2 or not torch.equal(distances, distances.T) or (distances < 0).any():
        raise ValueError("distances: must be symmetric, nonnegative, and between two clouds or more")
    if scale is None:
        pairs = distances[torch.ones_like(distances, dtype=torch.bool).triu(1)].sort().values
        scale = float(pairs[(len(pairs) - 1) // 2] + pairs[len(pairs) // 2]) / 2
    if not scale > 0:
        raise ValueError(f"scale: must be a distance above 0, got {scale}; are half of the clouds equal?")
    values = torch.linalg.eigvalsh(torch.exp(-distances / scale) / n)
    kept = values.clamp_min(0)
    kept = kept / kept.sum()
    entropy = -torch.special.xlogy(kept, kept).sum()
    return Vendi(float(entropy.exp()), scale, float(-values.clamp_max(0).sum()))
