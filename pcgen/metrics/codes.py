"""Do generated and real codes have one distribution? Energy distance and kernel MMD with a permutation test."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pcgen.errors import choose

__all__ = ["TwoSampleTest", "two_sample_test", "usual_bandwidths"]

_WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # kernel widths in units of the median distance


@dataclass(frozen=True)
class TwoSampleTest:
    """A statistic between two samples of vectors, and how often chance alone makes it as large.

    Attributes:
        statistic: "energy" or "kernel_mmd".
        value: of the two samples.
        p_value: share of relabellings with a value at least as large, the given one among them.
        chance: mean of the value over the relabellings: what equal distributions would score.
    """

    statistic: str
    value: float
    p_value: float
    chance: float


def two_sample_test(
    x: Tensor,
    y: Tensor,
    statistic: Literal["energy", "kernel_mmd"] = "energy",
    *,
    permutations: int = 999,
    bandwidths: Sequence[float] | None = None,
    seed: int = 0,
) -> TwoSampleTest:
    """Test whether two samples of vectors, such as generated and real codes, come from one distribution.

    energy = 2 mean |x - y| - mean |x - x'| - mean |y - y'|, over all pairs (norms not squared; never negative);
    kernel_mmd = mean k(x, x') + mean k(y, y') - 2 mean k(x, y), over pairs of different rows (the unbiased estimate of
    the squared discrepancy), k the sum of Gaussian kernels exp(-|a - b|^2 / 2h^2) of the `bandwidths` h.
    p = (1 + #{relabellings with a value >= the given one}) / (1 + permutations): exact at any sample size.

    Args:
        x: (S, D), S >= 2.
        y: (R, D), R >= 2.
        statistic: "energy" or "kernel_mmd".
        permutations: random relabellings of the pooled rows.
        bandwidths: h, in the unit of the codes; None takes 1/4, 1/2, 1, 2, 4 times the median distance of pooled rows.
        seed: of the relabellings; torch's global generator is not touched.

    Raises:
        ValueError: shapes do not fit, a value is not finite, `permutations` is less than 1, or a bandwidth is not
            positive.

    Székely, Rizzo (2013), Energy statistics: a class of statistics based on distances; Gretton, Borgwardt, Rasch,
    Schölkopf, Smola (2012), A kernel two-sample test.
    """
    choose(statistic, ("energy", "kernel_mmd"), "statistic")
    if permutations < 1:
        raise ValueError(f"permutations: must be at least 1, got {permutations}")
    pooled, size = _pooled(x, y)
    distances = torch.cdist(pooled, pooled, compute_mode="donot_use_mm_for_euclid_dist")  # (S+R, S+R)
    kernel = -distances if statistic == "energy" else _gaussians(distances, bandwidths)
    generator = torch.Generator().manual_seed(seed)
    orders = (torch.randperm(len(pooled), generator=generator) for _ in range(permutations))
    labels = torch.stack([torch.arange(len(pooled)), *orders])
    in_x = torch.zeros(labels.shape, dtype=torch.float64).scatter_(1, labels[:, :size], 1.0)  # (1+P, S+R)
    values = _discrepancies(kernel, in_x, size, with_itself=statistic == "energy")
    # A relabelling that leaves the sets as they are has the given value, but for the order of the sums.
    as_large = values >= values[0] - 1e-12 * values.abs().amax()
    return TwoSampleTest(statistic, float(values[0]), float(as_large.double().mean()), float(values[1:].mean()))


def _discrepancies(kernel: Tensor, in_x: Tensor, size: int, with_itself: bool) -> Tensor:
    """mean k(x, x') + mean k(y, y') - 2 mean k(x, y) for each labelling (L, S+R), (L,)."""
    if not with_itself:
        kernel = kernel.clone().fill_diagonal_(0.0)
    rest = len(kernel) - size
    rows = kernel.sum(1)
    xx = ((in_x @ kernel) * in_x).sum(1)
    xy = in_x @ rows - xx
    yy = rows.sum() - xx - 2 * xy
    self_pairs = 0 if with_itself else 1
    return xx / (size * (size - self_pairs)) + yy / (rest * (rest - self_pairs)) - 2 * xy / (size * rest)


def _gaussians(distances: Tensor, bandwidths: Sequence[float] | None) -> Tensor:
    if bandwidths is None:
        bandwidths = _usual_bandwidths(distances)
    if not bandwidths or not all(width > 0 and math.isfinite(width) for width in bandwidths):
        raise ValueError(f"bandwidths: must be positive, got {list(bandwidths)}; are most rows equal?")
    return torch.stack([torch.exp(-(distances**2) / (2 * width**2)) for width in bandwidths]).sum(0)


def usual_bandwidths(codes: Tensor) -> list[float]:
    """1/4, 1/2, 1, 2 and 4 times the median distance between the codes (S, D): of a reference, one kernel for all."""
    codes = codes.detach().double().cpu()
    return _usual_bandwidths(torch.cdist(codes, codes, compute_mode="donot_use_mm_for_euclid_dist"))


def _usual_bandwidths(distances: Tensor) -> list[float]:
    among = distances[torch.ones_like(distances, dtype=torch.bool).triu(1)]
    return [width * float(among.median()) for width in _WIDTHS]


def _pooled(x: Tensor, y: Tensor) -> tuple[Tensor, int]:
    for name, codes in (("x", x), ("y", y)):
        if codes.ndim != 2 or len(codes) < 2 or codes.shape[1] != x.shape[-1]:
            raise ValueError(
                f"{name}: must be codes (rows, D) with two rows or more and the same D, got {tuple(codes.shape)} "
                f"beside {tuple((y if name == 'x' else x).shape)}"
            )
        if not codes.isfinite().all():
            bad = int((~codes.isfinite()).any(1).sum())
            raise ValueError(f"{name}: must be finite, got NaN or infinity in {bad} rows")
    return torch.cat((x, y)).detach().double().cpu(), len(x)
