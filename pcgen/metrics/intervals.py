"""Confidence intervals of the metrics, for their variation between random samples of clouds."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pcgen.metrics.jsd import jsd_of_counts
from pcgen.seeds import stream

__all__ = ["LEVEL", "jsd_interval", "mean_interval", "share_interval"]

LEVEL = 0.95
_RESAMPLES = 1000
_RESAMPLES_OF_COUNTS = 200


def mean_interval(*groups: Tensor, weights: Sequence[float] | None = None, seed: int) -> tuple[float, float]:
    """The 95% interval of a weighted mean of the groups' means, by a percentile bootstrap of each group.

    It is for a metric that is a mean over clouds, as MMD is the mean distance to the nearest sample. The neighbours are
    not searched again in resampled sets, in which a repeated cloud would be its own neighbour.

    Args:
        groups: the numbers of one set of clouds each, (n,).
        weights: of the groups' means, with the sum 1; by default all clouds have the same weight.
        seed: of the resampling; torch's global generator is not used.

    Efron (1979), Bootstrap Methods: Another Look at the Jackknife.
    """
    generator = stream(seed, "mean interval")
    means = torch.zeros(_RESAMPLES, dtype=torch.float64)
    for group, weight in zip(groups, weights or _by_size(groups), strict=True):
        values = group.detach().double().cpu()
        means += weight * values[torch.randint(len(values), (_RESAMPLES, len(values)), generator=generator)].mean(1)
    return _percentiles(means)


def share_interval(
    *groups: Tensor, weights: Sequence[float] | None = None, alike: float = 1.0, seed: int
) -> tuple[float, float]:
    """The 95% interval of a weighted mean of the groups' shares, for a metric that counts clouds, as COV and 1-NNA do.

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
    from scipy.special import betaincinv

    generator = stream(seed, "share interval")
    shares, estimate = torch.zeros(_RESAMPLES, dtype=torch.float64), 0.0
    for group, weight in zip(groups, weights or _by_size(groups), strict=True):
        n, k = len(group), int(group.sum())
        levels = torch.rand(_RESAMPLES, generator=generator, dtype=torch.float64)
        shares += weight * torch.from_numpy(betaincinv(k / alike + 0.5, (n - k) / alike + 0.5, levels.numpy()))
        estimate += weight * k / n
    low, high = _percentiles(shares)
    return min(low, estimate), max(high, estimate)


def jsd_interval(samples: Tensor, reference: Tensor, seed: int) -> tuple[float, float]:
    """The 95% interval of the JSD of pooled counts: normal, with the standard deviation of resampled sets of clouds.

    The JSD of resampled sets is larger than that of the sets themselves, so an interval of its percentiles would not
    contain the estimate. Its standard deviation is still right.

    Args:
        samples: counts of each cloud's points in each cell, (S, cells).
        reference: the same, (R, cells).
        seed: of the resampling; torch's global generator is not used.
    """
    generator = stream(seed, "JSD interval")
    seen = (samples.sum(0) + reference.sum(0)) > 0  # cells that are empty in both sets add nothing
    drawn = [
        _resampled(counts[:, seen].double().cpu(), _RESAMPLES_OF_COUNTS, generator) for counts in (samples, reference)
    ]
    deviation = float(jsd_of_counts(*drawn).std())
    estimate = float(jsd_of_counts(samples.sum(0), reference.sum(0)))
    reach = deviation * float(torch.special.ndtri(torch.tensor((1 + LEVEL) / 2, dtype=torch.float64)))
    return max(estimate - reach, 0.0), min(estimate + reach, 1.0)


def _resampled(counts: Tensor, resamples: int, generator: torch.Generator) -> Tensor:
    """Pooled counts of `resamples` bootstrap samples of the clouds, (resamples, cells)."""
    clouds = len(counts)
    rows = torch.randint(clouds, (resamples, clouds), generator=generator)
    times = torch.zeros(resamples, clouds, dtype=torch.float64).scatter_add_(1, rows, torch.ones_like(rows).double())
    return times @ counts


def _by_size(groups: Sequence[Tensor]) -> list[float]:
    total = sum(map(len, groups))
    return [len(group) / total for group in groups]


def _percentiles(draws: Tensor) -> tuple[float, float]:
    return float(draws.quantile((1 - LEVEL) / 2)), float(draws.quantile((1 + LEVEL) / 2))
