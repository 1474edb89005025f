"""Novelty: are the samples new, or copies of training clouds?"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pcgen.metrics._checks import check_matrix

__all__ = ["Novelty", "novelty"]


@dataclass(frozen=True)
class Novelty:
    """Distances of samples to training clouds, relative to the distance of two samplings of one training cloud.

    Attributes:
        ratio: median over samples of the least ratio between the distance to a training cloud and that cloud's floor;
            about 1 for copies; infinite if the training clouds in question are one point each, which has no second
            sampling.
        threshold: 95% of second samplings of a training cloud have a ratio of at most this value.
        copies: share of samples with a ratio of at most `threshold`.
        rows: the training cloud with each sample's least ratio, (S,) int64.
        ratios: each sample's least ratio, (S,).
    """

    ratio: float
    threshold: float
    copies: float
    rows: Tensor
    ratios: Tensor


def novelty(sample_train: Tensor, floor: Tensor, quantile: float = 0.95) -> Novelty:
    """Compare each sample's distance to the training set with the distance of two samplings of one training cloud.

    ratio(s) = min_t D[s, t] / F[t], where F[t] is the mean over k of floor[t, k]. A sample is a copy if its ratio is at
    most the `quantile` of floor[t, k] / (mean of the other floor[t, .]). The share of copies is near `quantile` for a
    model that repeats its training set, and 0 for a model that generates new shapes.

    Args:
        sample_train: distances D (S, T); rows are samples, columns are training clouds; infinite if a pair is known not
            to have the least ratio.
        floor: K >= 2 distances between two samplings of each training cloud, with the same number of points, (T, K).
        quantile: the share of second samplings that count as copies, in (0, 1].

    Raises:
        ValueError: a matrix holds NaN, the shapes do not fit, K is 1, or `quantile` is not in (0, 1].
    """
    distances = check_matrix(sample_train, "sample_train", sparse=True)
    floor = check_matrix(floor, "floor", rows=distances.shape[1])
    times = floor.shape[1]
    if times < 2:
        raise ValueError("floor: must have two samplings or more of each training cloud, (T, K), got K = 1")
    if not 0 < quantile <= 1:
        raise ValueError(f"quantile: must be in (0, 1], got {quantile}")
    tiny = torch.finfo(floor.dtype).tiny  # the floor of a cloud whose points are all equal is 0
    others = (floor.sum(1, keepdim=True) - floor) / (times - 1)  # (T, K)
    threshold = (floor.clamp_min(tiny) / others.clamp_min(tiny)).flatten().quantile(quantile)
    mean = floor.mean(1)
    # Of such a cloud, a copy is at no distance, and all else is infinitely farther than a second sampling.
    ratios, rows = torch.where((mean == 0) & (distances > 0), torch.inf, distances / mean.clamp_min(tiny)).min(1)
    copies = float((ratios <= threshold).double().mean())
    ratio = ratios.quantile(0.5).nan_to_num(nan=torch.inf, posinf=torch.inf)  # between two infinite ones it is NaN
    return Novelty(float(ratio), float(threshold), copies, rows, ratios)
