"""The losses of score models, by name, of rows with noise."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from pcgen.statistics import denoising_score_matching, score_matching, sliced_score_matching
from pcgen.statistics.score_matching import Score

__all__ = ["MATCHINGS"]


def _denoising(score: Score, x: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    return denoising_score_matching(score, x, noise, sigma)


def _sliced(score: Score, x: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    return sliced_score_matching(score, x + sigma * noise, 2.0 * torch.randint_like(x, 2) - 1)


def _exact(score: Score, x: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    return score_matching(score, x + sigma * noise)


MATCHINGS: Mapping[str, Callable[[Score, Tensor, Tensor, Tensor], Tensor]] = {
    "denoising": _denoising,
    "sliced": _sliced,
    "exact": _exact,
}
"""f(score, rows, noise, sigma) -> (B,): the loss of a score at rows + sigma noise, sigma (B, 1)."""
