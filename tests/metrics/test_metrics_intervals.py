"""Bootstrapped intervals: against closed forms, and against how often they hold what another draw would give."""

import math

import pytest
import torch
from scipy.stats import beta

from pcgen.metrics.comparison import _ALIKE
from pcgen.metrics.intervals import jsd_interval, mean_interval, share_interval
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
    held = {_ALIKE: 0, 1.0: 0}
    for seed in range(300):
        x, y = torch.randn(n, dim).double(), torch.randn(n, dim).double()
        right = one_nna_correct(torch.cdist(x, y), torch.cdist(x, x), torch.cdist(y, y))
        for alike in held:
            low, high = share_interval(*right, alike=alike, seed=seed)
            held[alike] += low <= one_nna_chance(n, n) <= high
    assert held[_ALIKE] / 300 == pytest.approx(0.95, abs=0.035)
    assert held[1.0] < held[_ALIKE]


def test_intervals_repeat_by_seed_and_leave_the_global_generator_alone() -> None:
    values = torch.rand(50)
    state = torch.get_rng_state()
    assert mean_interval(values, seed=3) == mean_interval(values, seed=3) != mean_interval(values, seed=4)
    assert torch.equal(torch.get_rng_state(), state)


def test_jsd_interval_holds_the_spread_of_fresh_draws() -> None:
    base = torch.distributions.Dirichlet(torch.ones(20))
    kinds_p, kinds_q = base.sample((4,)), base.sample((4,))

    def draw(kinds: torch.Tensor, clouds: int) -> torch.Tensor:  # clouds of one of four kinds each
        return torch.distributions.Multinomial(200, kinds[torch.randint(4, (clouds,))]).sample()

    values = torch.stack([jsd_of_counts(draw(kinds_p, 60).sum(0), draw(kinds_q, 40).sum(0)) for _ in range(300)])
    widths, held = [], 0
    for seed in range(40):
        p, q = draw(kinds_p, 60), draw(kinds_q, 40)
        low, high = jsd_interval(p, q, seed)
        assert low <= float(jsd_of_counts(p.sum(0), q.sum(0))) <= high
        widths.append(high - low)
        held += low <= float(values.mean()) <= high
    assert sum(widths) / 40 == pytest.approx(2 * 1.96 * float(values.std()), rel=0.2)
    assert held >= 33


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
