"""Confidence intervals of the metrics, for their variation between random samples of clouds."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from pcgen.metrics.jsd import jsd_of_counts
from pcgen.seeds import stream

__all__ = ["LEVEL", "coverage_interval", "jsd_interval", "mean_interval", "mmd_interval", "share_interval"]

LEVEL = 0.95
_RESAMPLES = 1000
_TOGETHER = 64  # clouds that are left out in one step


def mean_interval(*groups: Tensor, weights: Sequence[float] | None = None, seed: int) -> tuple[float, float]:
    """The 95% interval of a weighted mean of the groups' means, by a percentile bootstrap of each group.

    It is for a mean of numbers that clouds have independently of each other.

    Args:
        groups: the numbers of one set of clouds each, (n,).
        weights: of the groups' means, with the sum 1; by default all clouds have the same weight.
        seed: of the resampling; torch's global generator is not used.

    Efron (1979), Bootstrap Methods: Another Look at the Jackknife.
    """
    generator = stream(seed, "mean interval")
    means = torch.zeros(_RESAMPLES, dtype=torch.float64)
    for group, weight in zip(groups, weights or _by_size(groups), strict=True):
        means += weight * _bootstrapped(group, generator)
    return _percentiles(means)


def share_interval(
    *groups: Tensor, weights: Sequence[float] | None = None, alike: float = 1.0, seed: int
) -> tuple[float, float]:
    """The 95% interval of a weighted mean of the groups' shares, for a metric that counts clouds, as 1-NNA does.

    A share k / n is sampled from Beta(k + 1/2, n - k + 1/2), its posterior under Jeffreys' prior. A bootstrap would
    give an interval of width 0 if all clouds are classified alike, although another set of few clouds may well differ.
    The interval always contains the share itself.

    Args:
        groups: the result of each cloud of one set, (n,) bool.
        weights: of the groups' shares, with the sum 1; by default all clouds have the same weight.
        alike: factor of the share's variance for dependent results: n clouds count as n / alike independent ones.
        seed: of the samples; torch's global generator is not used.

    Brown, Cai, DasGupta (2001), Interval Estimation for a Binomial Proportion.
    """
    counts = [(int(group.sum()), len(group), alike) for group in groups]
    return _of_shares(counts, weights or _by_size(groups), seed)


def _of_shares(counts: Sequence[tuple[int, int, float]], weights: Sequence[float], seed: int) -> tuple[float, float]:
    """The interval of a weighted mean of shares k / n, from (k, n, alike) of each."""
    from scipy.special import betaincinv

    generator = stream(seed, "share interval")
    shares, estimate = torch.zeros(_RESAMPLES, dtype=torch.float64), 0.0
    for (k, n, alike), weight in zip(counts, weights, strict=True):
        levels = torch.rand(_RESAMPLES, generator=generator, dtype=torch.float64)
        shares += weight * torch.from_numpy(betaincinv(k / alike + 0.5, (n - k) / alike + 0.5, levels.numpy()))
        estimate += weight * k / n
    low, high = _percentiles(shares)
    return min(low, estimate), max(high, estimate)


def coverage_interval(*between: Tensor, weights: Sequence[float] | None = None, seed: int) -> tuple[float, float]:
    """The 95% interval of a weighted mean of the groups' COV, for other samples and another reference.

    COV counts how many of R places are occupied if S samples go to one each. If R_0 have none and R_1 have one sample,
    R^2 var COV = R_0 (R - R_0) / R - R_1 (R_1 - 1) / S: less than for independent answers, since a sample that occupies
    one place occupies no other. It is at least 1, as these counts are noisy. This holds if each reference cloud has its
    probability of a sample independently of the others. The share is sampled as in `share_interval`, with this
    variance, and the interval is wider by half a cloud at each end, since COV is a multiple of 1 / R.

    Independent answers would be 1.4 to 1.5 times as wide for equal distributions and S = R, 5 times for 20 samples and
    400 reference clouds.

    Args:
        between: distances of one group of samples to one of reference clouds, (S, R).
        weights: of the groups, with the sum 1; by default all reference clouds have the same weight.
        seed: of the samples; torch's global generator is not used.

    Weiss (1958), Limiting Distributions in Some Occupancy Problems, for places of one probability.
    """
    weights = weights or _by_size([each.T for each in between])
    counts = []
    for distances in between:
        samples, places = distances.shape
        times = distances.argmin(1).bincount(minlength=places)
        k, single = int((times > 0).sum()), int((times == 1).sum())
        variance = max(k * (places - k) / places - single * (single - 1) / samples, 1.0)
        share = (k + 0.5) / (places + 1)  # not 0 or 1, for which the variance of independent answers would be 0
        counts.append((k, places, min(variance / (places * share * (1 - share)), 1.0)))
    low, high = _of_shares(counts, weights, seed)
    half = min(weight / places for weight, (_, places, _) in zip(weights, counts, strict=True)) / 2
    return max(low - half, 0.0), min(high + half, 1.0)


def mmd_interval(*between: Tensor, weights: Sequence[float] | None = None, seed: int) -> tuple[float, float]:
    """The 95% interval of a weighted mean of the groups' MMD, for other samples and another reference.

    The part of the reference is that of a mean over it, by the bootstrap of `mean_interval`. The part of the samples is
    normal, with the variance of the jackknife: without sample i, the reference clouds that have it as their nearest
    have their second nearest instead, and MMD is larger by g_i; the variance is (S - 1) / S sum_i (g_i - mean g)^2.

    The jackknife's variance is not too small in expectation, and is too large here, since the g_i contain noise of the
    reference and neighbouring samples replace each other. For Gaussians of 8 dimensions the interval is 1.1 to 1.3
    times as wide as needed, of 1 or 2 up to 1.8 times. It is too narrow if all reference clouds have the same few
    samples as their nearest.

    Args:
        between: distances of one group of samples to one of reference clouds, (S, R), of which those to the two
            nearest samples of each reference cloud are read. A single sample is taken as exact.
        weights: of the groups, with the sum 1; by default all reference clouds have the same weight.
        seed: of the resampling; torch's global generator is not used.

    Efron, Stein (1981), The Jackknife Estimate of Variance.
    """
    generator = stream(seed, "MMD interval")
    means = torch.zeros(_RESAMPLES, dtype=torch.float64)
    for distances, weight in zip(between, weights or _by_size([each.T for each in between]), strict=True):
        two = distances.detach().double().cpu().topk(min(2, len(distances)), 0, largest=False)
        noise = torch.randn(_RESAMPLES, generator=generator, dtype=torch.float64)
        deviation = _of_samples(two.values, two.indices[0], len(distances)) ** 0.5
        means += weight * (_bootstrapped(two.values[0], generator) + deviation * noise)
    low, high = _percentiles(means)
    return max(low, 0.0), high


def _of_samples(two: Tensor, nearest: Tensor, samples: int) -> float:
    """The jackknife's variance of MMD over the samples, from the two least distances (2, R) of each reference cloud."""
    if samples < 2:
        return 0.0
    losses = torch.zeros(samples, dtype=torch.float64).index_add_(0, nearest, two[1] - two[0]) / two.shape[1]
    return (samples - 1) ** 2 / samples * float(losses.var())


def jsd_interval(samples: Tensor, reference: Tensor) -> tuple[float, float]:
    """The 95% interval of the JSD of pooled counts, for other samples and another reference: normal.

    With noise u of the samples' occupancy p and v of the reference's q, JSD changes by a linear term and the quadratic
    one sum_c (q_c u_c - p_c v_c)^2 / (4 ln 2 p_c q_c (p_c + q_c)). For equal distributions there is only the second.
    The jackknife over the clouds of both sets gives the variance of the linear term, and twice that of the quadratic
    one, which is 2 tr(M^2), M the covariance of the vector of its roots; it is subtracted once. The rest is at least
    the quadratic term's variance.

    A bootstrap would give three times the variance for equal distributions: the noise of resampled sets is added to
    that of the sets.

    Args:
        samples: counts of each cloud's points in each cell, (S, cells), all clouds of the same number of points.
        reference: the same, (R, cells). A set of one cloud is taken as exact.
    """
    seen = (samples.sum(0) > 0) | (reference.sum(0) > 0)  # cells that are empty in both sets add nothing
    x, y = (counts[:, seen].double().cpu() for counts in (samples, reference))
    quadratic = _quadratic(x, y)
    variance = max(_by_deletion(x, y.sum(0)) + _by_deletion(y, x.sum(0)) - quadratic, quadratic)
    estimate = float(jsd_of_counts(x.sum(0), y.sum(0)))
    reach = variance**0.5 * float(torch.special.ndtri(torch.tensor((1 + LEVEL) / 2, dtype=torch.float64)))
    return max(estimate - reach, 0.0), min(estimate + reach, 1.0)


def _by_deletion(counts: Tensor, other: Tensor) -> float:
    """The jackknife's variance of the JSD of counts (n, cells) and pooled counts (cells,), over the n clouds."""
    n = len(counts)
    if n < 2:
        return 0.0
    total = counts.sum(0)
    without = torch.cat([jsd_of_counts(total - some, other) for some in counts.split(_TOGETHER)])
    return (n - 1) ** 2 / n * float(without.var())


def _quadratic(x: Tensor, y: Tensor) -> float:
    """The variance of the JSD's quadratic term, from products of the vectors of two different clouds."""
    x, y = x / x.sum(1, keepdim=True), y / y.sum(1, keepdim=True)
    p, q = x.mean(0), y.mean(0)
    both = (p > 0) & (q > 0)  # in other cells one set has no noise, and the term of the other is linear
    p, q = p[both], q[both]
    root = (4 * math.log(2) * p * q * (p + q)).sqrt()
    vectors = torch.cat(((x[:, both] - p) * q / root / len(x), (q - y[:, both]) * p / root / len(y)))
    return 2 * float((vectors @ vectors.T).fill_diagonal_(0.0).square().sum())


def _bootstrapped(values: Tensor, generator: torch.Generator) -> Tensor:
    """Means of bootstrap samples of the values, (resamples,)."""
    values = values.detach().double().cpu()
    return values[torch.randint(len(values), (_RESAMPLES, len(values)), generator=generator)].mean(1)


def _by_size(groups: Sequence[Tensor]) -> list[float]:
    total = sum(map(len, groups))
    return [len(group) / total for group in groups]


def _percentiles(draws: Tensor) -> tuple[float, float]:
    return float(draws.quantile((1 - LEVEL) / 2)), float(draws.quantile((1 + LEVEL) / 2))
