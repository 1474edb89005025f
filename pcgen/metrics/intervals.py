"""Bootstrapped intervals of the metrics: how much another draw of clouds would move a number."""

import torch
from torch import Tensor

from pcgen.metrics.jsd import jsd_of_counts

__all__ = ["LEVEL", "jsd_interval", "mean_interval"]

LEVEL = 0.95


def mean_interval(*groups: Tensor, seed: int, resamples: int = 1000) -> tuple[float, float]:
    """The interval of the mean over all groups' values, each group resampled by itself: percentile bootstrap, 95%.

    For a metric that is a mean over clouds: distances to the nearest sample (MMD), covered or not (COV), classified
    rightly or not (1-NNA). Which cloud is whose neighbour is held fixed: a cloud drawn twice would be its own.

    Args:
        groups: the values of one set of clouds each, (n,).
        seed: of the resampling; torch's global generator is not touched.
        resamples: how many means are drawn.

    Efron (1979), Bootstrap Methods: Another Look at the Jackknife.
    """
    generator = torch.Generator().manual_seed(seed)
    sums = torch.zeros(resamples, dtype=torch.float64)
    for group in groups:
        values = group.detach().double().cpu()
        sums += values[torch.randint(len(values), (resamples, len(values)), generator=generator)].sum(1)
    means = sums / sum(map(len, groups))
    return float(means.quantile((1 - LEVEL) / 2)), float(means.quantile((1 + LEVEL) / 2))


def jsd_interval(samples: Tensor, reference: Tensor, seed: int, resamples: int = 200) -> tuple[float, float]:
    """The interval of the JSD of pooled counts, clouds of both sets resampled: normal around the estimate, 95%.

    The JSD of resampled sets lies above that of the sets themselves, so its percentiles would not hold the estimate;
    its standard deviation is that of another draw.

    Args:
        samples: counts of each cloud's points in each cell, (S, cells).
        reference: the same, (R, cells).
        seed: of the resampling; torch's global generator is not touched.
        resamples: how many pairs of sets are drawn.
    """
    generator = torch.Generator().manual_seed(seed)
    seen = (samples.sum(0) + reference.sum(0)) > 0  # cells that are empty in both sets add nothing
    drawn = [_resampled(counts[:, seen].double().cpu(), resamples, generator) for counts in (samples, reference)]
    deviation = float(jsd_of_counts(*drawn).std())
    estimate = float(jsd_of_counts(samples.sum(0), reference.sum(0)))
    reach = deviation * float(torch.special.ndtri(torch.tensor((1 + LEVEL) / 2, dtype=torch.float64)))
    return max(estimate - reach, 0.0), min(estimate + reach, 1.0)


def _resampled(counts: Tensor, resamples: int, generator: torch.Generator) -> Tensor:
    """Pooled counts of `resamples` draws of the clouds with replacement, (resamples, cells)."""
    clouds = len(counts)
    rows = torch.randint(clouds, (resamples, clouds), generator=generator)
    times = torch.zeros(resamples, clouds, dtype=torch.float64).scatter_add_(1, rows, torch.ones_like(rows).double())
    return times @ counts
