"""Intervals: against closed forms, and against how often they hold what another draw would give."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from scipy.stats import beta

from pcgen.metrics import coverage, mmd
from pcgen.metrics.comparison import ALIKE
from pcgen.metrics.intervals import (
    _of_samples,
    coverage_interval,
    jsd_interval,
    mean_interval,
    mmd_interval,
    share_interval,
)
from pcgen.metrics.jsd import jsd_of_counts
from pcgen.metrics.one_nna import one_nna_chance, one_nna_correct


def test_mean_interval_is_that_of_the_normal_limit() -> None:
    values = torch.randn(2000) * 3 + 5
    low, high = mean_interval(values, seed=0)
    reach = 1.96 * float(values.std()) / math.sqrt(2000)
    assert low == pytest.approx(float(values.mean()) - reach, abs=reach / 10)
    assert high == pytest.approx(float(values.mean()) + reach, abs=reach / 10)


def test_groups_are_resampled_by_themselves() -> None:
    # Between two constant groups nothing varies, though the pooled values do.
    low, high = mean_interval(torch.zeros(30), torch.ones(10), seed=0)
    assert low == high == 0.25


def test_groups_are_weighed() -> None:
    zeros, ones = torch.zeros(30), torch.ones(10)
    low, high = mean_interval(zeros, ones, weights=[0.5, 0.5], seed=0)
    assert low == high == 0.5
    low, high = share_interval(zeros.bool(), ones.bool(), weights=[0.5, 0.5], seed=0)
    assert 0.4 < low < 0.5 < high < 0.6


@pytest.mark.parametrize(("n", "k"), [(6, 6), (20, 0), (20, 13), (400, 200)])
def test_share_interval_is_jeffreys(n: int, k: int) -> None:
    low, high = share_interval(torch.arange(n) < k, seed=0)
    want = [float(beta.ppf(q, k + 0.5, n - k + 0.5)) for q in (0.025, 0.975)]
    assert low == pytest.approx(0.0 if k == 0 else want[0], abs=0.03) and low <= k / n
    assert high == pytest.approx(1.0 if k == n else want[1], abs=0.03) and high >= k / n
    assert high - low > 0.05


def test_share_interval_holds_the_share_as_often_as_it_says() -> None:
    draws = torch.rand(400, 2, 20) < torch.tensor([0.9, 0.2])[:, None]
    held = [low <= 0.55 <= high for low, high in (share_interval(*pair, seed=seed) for seed, pair in enumerate(draws))]
    assert sum(held) / len(held) == pytest.approx(0.95, abs=0.03)


@pytest.mark.parametrize(("n", "dim"), [(20, 2), (60, 2), (20, 10)])
def test_the_interval_of_a_1_nna_holds_chance_for_equal_laws(n: int, dim: int) -> None:
    # Clouds that are each other's nearest are right or wrong together: as independent ones they are too sure.
    held = {ALIKE: 0, 1.0: 0}
    for seed in range(300):
        x, y = torch.randn(n, dim).double(), torch.randn(n, dim).double()
        right = one_nna_correct(torch.cdist(x, y), torch.cdist(x, x), torch.cdist(y, y))
        for alike in held:
            low, high = share_interval(*right, alike=alike, seed=seed)
            held[alike] += low <= one_nna_chance(n, n) <= high
    assert held[ALIKE] / 300 == pytest.approx(0.95, abs=0.035)
    assert held[1.0] < held[ALIKE]


def test_intervals_repeat_by_seed_and_leave_the_global_generator_alone() -> None:
    values = torch.rand(50)
    state = torch.get_rng_state()
    assert mean_interval(values, seed=3) == mean_interval(values, seed=3) != mean_interval(values, seed=4)
    assert torch.equal(torch.get_rng_state(), state)


def told_mean(found: Sequence[tuple[float, tuple[float, float]]]) -> tuple[float, float]:
    """How many of the intervals hold the mean of all values, and their mean width beside that of the values' spread."""
    values = torch.tensor([value for value, _ in found], dtype=torch.float64)
    mean, spread = float(values.mean()), 2 * 1.96 * float(values.std())
    assert all(low <= value <= high for value, (low, high) in found)
    held = sum(low <= mean <= high for _, (low, high) in found) / len(found)
    return held, sum(high - low for _, (low, high) in found) / len(found) / spread


@pytest.mark.parametrize(
    ("s", "r", "dim", "scale"),
    [
        (30, 30, 1, 1.0),
        (100, 100, 1, 1.0),
        (20, 400, 1, 1.0),
        (200, 20, 2, 1.0),
        (60, 60, 2, 1.0),
        (60, 60, 2, 0.5),
        (60, 60, 8, 1.0),
        (40, 120, 8, 0.6),
    ],
)
def test_the_interval_of_mmd_is_for_other_samples_and_another_reference(s: int, r: int, dim: int, scale: float) -> None:
    found = []
    for seed in range(300):
        between = torch.cdist(scale * torch.randn(s, dim).double(), torch.randn(r, dim).double())
        found.append((mmd(between), mmd_interval(between, seed=seed)))
    held, width = told_mean(found)
    assert held >= 0.93 and width < 2, (held, width)  # by the reference alone .3 to .9 of them


def test_the_part_of_the_samples_is_the_jackknifes_by_deletion() -> None:
    between = torch.rand(7, 5, dtype=torch.float64)
    without = [mmd(torch.cat((between[:i], between[i + 1 :]))) for i in range(7)]
    two = between.topk(2, 0, largest=False)
    assert _of_samples(two.values, two.indices[0], 7) == pytest.approx(6 * np.var(without))
    assert _of_samples(two.values[:1], two.indices[0], 1) == 0


@pytest.mark.parametrize(
    ("s", "r", "dim", "scale", "widest"),
    [
        (30, 30, 2, 1.0, 1.35),
        (100, 100, 2, 1.0, 1.35),
        (20, 400, 2, 1.0, 2.5),
        (100, 100, 8, 1.0, 1.35),
        (100, 100, 2, 0.5, 1.35),
        (300, 60, 2, 0.7, 1.35),
    ],
)
def test_the_interval_of_coverage_is_that_of_an_occupancy(
    s: int, r: int, dim: int, scale: float, widest: float
) -> None:
    found = []
    for seed in range(300):
        between = torch.cdist(scale * torch.randn(s, dim).double(), torch.randn(r, dim).double())
        found.append((coverage(between), coverage_interval(between, seed=seed)))
    held, width = told_mean(found)
    assert held >= 0.92 and width < widest, (held, width)  # as independent answers they are 1.4 to 5 times as wide


def test_the_interval_of_coverage_has_a_width_if_all_or_none_are_covered() -> None:
    low, high = coverage_interval(torch.rand(400, 6), seed=0)
    assert low < 1 == high
    low, high = coverage_interval(torch.arange(20.0).expand(5, 20), seed=0)  # one place of 20
    assert low < 1 / 20 < high < 0.25


def kinds(count: int, weights: torch.Tensor) -> torch.Tensor:
    """Counts of clouds of 200 points, each of one of the kinds, whose cells have these weights."""
    return torch.distributions.Multinomial(200, weights[torch.randint(len(weights), (count,))]).sample()


def blobs(count: int, shift: float) -> torch.Tensor:
    """Counts in 20 x 20 cells of clouds of 64 points, each at another place and of another size."""
    place = 10 + 3 * torch.randn(count, 1, 2) + torch.tensor([shift, 0.0])
    points = place + 1.5 * (0.4 * torch.randn(count, 1, 1)).exp() * torch.randn(count, 64, 2)
    x, y = points.floor().long().clamp(0, 19).unbind(2)
    return torch.zeros(count, 400).scatter_add_(1, 20 * x + y, torch.ones(count, 64))


@pytest.mark.parametrize("shift", [0.0, 0.5, 3.0, 9.0])
@pytest.mark.parametrize(("s", "r"), [(30, 30), (120, 80)])
def test_the_interval_of_jsd_holds_its_mean_for_equal_and_unequal_laws(s: int, r: int, shift: float) -> None:
    found = []
    for _ in range(200):
        p, q = blobs(s, shift), blobs(r, 0.0)
        found.append((float(jsd_of_counts(p.sum(0), q.sum(0))), jsd_interval(p, q)))
    held, width = told_mean(found)
    assert held >= 0.9 and width < 1.4, (held, width)  # a bootstrap's for equal laws is 1.7 times as wide


@pytest.mark.parametrize("equal", [True, False])
def test_the_interval_of_jsd_of_few_kinds_of_clouds(equal: bool) -> None:
    weights = torch.distributions.Dirichlet(torch.ones(20)).sample((2, 4))
    found = []
    for _ in range(300):
        p, q = kinds(60, weights[0]), kinds(40, weights[0 if equal else 1])
        found.append((float(jsd_of_counts(p.sum(0), q.sum(0))), jsd_interval(p, q)))
    held, width = told_mean(found)
    assert held >= 0.9 and width < 1.4, (held, width)


def test_the_interval_of_jsd_leaves_out_what_only_single_clouds_would_tell() -> None:
    single = torch.tensor([[1.0, 2.0, 0.0]])
    low, high = jsd_interval(single, single)
    assert low == high == 0


@pytest.mark.parametrize(("s", "r"), [(5, 5), (12, 4), (1, 7)])
def test_chance_of_a_1_nna_is_its_mean_for_any_sizes(s: int, r: int) -> None:
    accuracies = []
    for _ in range(3000):
        x, y = torch.randn(s, 3).double(), torch.randn(r, 3).double()
        accuracies.append(
            torch.cat(one_nna_correct(torch.cdist(x, y), torch.cdist(x, x), torch.cdist(y, y))).double().mean()
        )
    assert float(torch.stack(accuracies).mean()) == pytest.approx(one_nna_chance(s, r), abs=0.015)
    assert one_nna_chance(8, 8) == 7 / 15
