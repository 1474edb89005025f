"""Permutation tests of two samples: how often does a random relabelling separate the rows as well?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from pcgen.errors import at_least, choose
from pcgen.seeds import stream
from pcgen.statistics._checks import check_finite, check_samples
from pcgen.statistics._distances import row_distances
from pcgen.statistics.kernel_mmd import gaussian_kernel, median_bandwidths

__all__ = ["PermutationTest", "discrepancy", "permutation_test", "two_sample_test"]

_ROUNDING = 1e-12  # relative: a relabelling that gives the same two samples adds numbers in another order


@dataclass(frozen=True)
class PermutationTest:
    """A statistic of two samples, compared with its values under random relabellings.

    Attributes:
        value: of the two samples.
        p_value: share of relabellings, including the given labels, with a value at least as large.
        chance: mean of the value over the random relabellings, an estimate of its mean for equal distributions.
    """

    value: float
    p_value: float
    chance: float


def permutation_test(
    statistic: Callable[[Tensor], Tensor], sizes: tuple[int, int], permutations: int = 999, seed: int = 0
) -> PermutationTest:
    """Compare a statistic of two samples with its values under random relabellings of the pooled rows.

    p = (1 + #{relabellings with a value >= the given one}) / (1 + permutations), which is exact for all sample sizes.

    Args:
        statistic: of labellings (L, S + R) bool, true for the rows of the first sample, -> values (L,). The pooled rows
            are those of the first sample, then those of the second.
        sizes: S and R.
        permutations: number of random relabellings.
        seed: of the relabellings; torch's global generator is not used.

    Raises:
        ValueError: `permutations` is less than 1.

    Phipson, Smyth (2010), Permutation P-values Should Never Be Zero.
    """
    at_least(1, permutations=permutations)
    size, rows = sizes[0], sum(sizes)
    generator = stream(seed, "permutation test")
    orders = torch.stack(
        [torch.arange(rows), *(torch.randperm(rows, generator=generator) for _ in range(permutations))]
    )
    first = torch.zeros(orders.shape, dtype=torch.bool).scatter_(1, orders[:, :size], True)  # (1 + P, S + R)
    values = statistic(first)
    as_large = values >= values[0] - _ROUNDING * values.abs().amax()
    return PermutationTest(float(values[0]), float(as_large.double().mean()), float(values[1:].mean()))


def two_sample_test(
    x: Tensor,
    y: Tensor,
    statistic: Literal["energy", "kernel_mmd"] = "energy",
    *,
    permutations: int = 999,
    bandwidths: Sequence[float] | None = None,
    seed: int = 0,
) -> PermutationTest:
    """Test whether two samples of vectors, such as generated and real codes, come from one distribution.

    The value is `energy_distance(x, y)`, or the unbiased `kernel_mmd(x, y, bandwidths)`.

    Args:
        x: (S, D), S >= 2.
        y: (R, D), R >= 2.
        statistic: "energy" or "kernel_mmd".
        permutations: number of random relabellings of the pooled rows.
        bandwidths: of the kernels, in the unit of the rows; by default the `median_bandwidths` of all rows.
        seed: of the relabellings; torch's global generator is not used.

    Raises:
        ValueError: shapes do not fit, a value is not finite, `permutations` is less than 1, or a bandwidth is not
            positive.

    Székely, Rizzo (2013), Energy statistics: a class of statistics based on distances; Gretton, Borgwardt, Rasch,
    Schölkopf, Smola (2012), A kernel two-sample test.
    """
    choose(statistic, ("energy", "kernel_mmd"), "statistic")
    check_samples(x, y, least=2)
    check_finite(x=x, y=y)
    pooled = torch.cat((x.detach(), y.detach())).double().cpu()
    distances = row_distances(pooled, pooled)  # (S + R, S + R)
    if statistic == "energy":
        value = partial(discrepancy, -distances, unbiased=False)
    else:
        widths = median_bandwidths(pooled) if bandwidths is None else bandwidths
        value = partial(discrepancy, gaussian_kernel(distances, widths), unbiased=True)
    return permutation_test(value, (len(x), len(y)), permutations, seed)


def discrepancy(kernel: Tensor, first: Tensor, unbiased: bool) -> Tensor:
    """mean k(x, x') + mean k(y, y') - 2 mean k(x, y), for each labelling of the rows of a kernel matrix.

    With the kernel -|a - b| and all pairs (biased), this is the energy distance.

    Args:
        kernel: k between all pooled rows, (n, n) float64, symmetric.
        first: (L, n) bool, which rows are x; the same number in each labelling.
        unbiased: whether to omit the pairs of a row with itself.

    Returns:
        (L,) float64.
    """
    if unbiased:
        kernel = kernel.clone().fill_diagonal_(0.0)
    size = int(first[0].sum())
    rest, left_out = len(kernel) - size, int(unbiased)
    in_x, rows = first.double(), kernel.sum(1)
    xx = ((in_x @ kernel) * in_x).sum(1)
    xy = in_x @ rows - xx
    yy = rows.sum() - xx - 2 * xy
    return xx / (size * (size - left_out)) + yy / (rest * (rest - left_out)) - 2 * xy / (size * rest)
