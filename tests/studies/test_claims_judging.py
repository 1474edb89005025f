"""The rule by which claims are judged, on effects that are known."""

import math

import pytest
import torch
from scipy.stats import ttest_rel

from pcgen.studies.claims.judging import FAILS, HOLDS, UNDECIDED, Difference, Quotient, judge, together

MODES = Difference("modes", larger="wgan", smaller="gan")


def test_a_true_difference_holds_and_the_interval_is_that_of_the_paired_test() -> None:
    # Seeds differ by far more than the models do: only paired effects tell them apart.
    smaller = torch.randn(6, dtype=torch.float64) * 100
    larger = smaller + 1 + 0.2 * torch.randn(6, dtype=torch.float64)
    found = judge(MODES, larger.tolist(), smaller.tolist())
    interval = ttest_rel(larger.numpy(), smaller.numpy()).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.effect == pytest.approx(float((larger - smaller).mean())) and found.seeds == 6
    assert found.outcome == HOLDS
    assert judge(MODES, smaller.tolist(), larger.tolist()).outcome == FAILS


def test_without_a_difference_an_interval_excludes_it_in_a_twentieth_of_experiments() -> None:
    outcomes = []
    for _ in range(2000):
        effects = torch.randn(2, 4, dtype=torch.float64).tolist()
        outcomes.append(judge(MODES, *effects).outcome)
    assert outcomes.count(UNDECIDED) / 2000 == pytest.approx(0.95, abs=0.02)
    assert outcomes.count(HOLDS) / 2000 == pytest.approx(0.025, abs=0.012)


def test_an_effect_below_the_least_that_counts_does_not_hold_however_sure_it_is() -> None:
    small = [0.5, 0.52, 0.48, 0.5]
    assert judge(MODES, small, [0.0] * 4).outcome == HOLDS
    enough = Difference("modes", larger="wgan", smaller="gan", least=1.0)
    assert judge(enough, small, [0.0] * 4).outcome == FAILS
    assert judge(enough, [0.2, 1.4, 0.6, 1.9], [0.0] * 4).outcome == UNDECIDED


@pytest.mark.parametrize(("effect", "outcome"), [(2.0, HOLDS), (0.0, FAILS), (-1.0, FAILS)])
def test_effects_that_are_all_equal_decide_and_a_tie_is_no_effect(effect: float, outcome: str) -> None:
    found = judge(MODES, [3 + effect, 5 + effect, 4 + effect], [3.0, 5.0, 4.0])
    assert found.outcome == outcome and found.low == found.high == effect


def test_a_quotient_is_that_of_geometric_means_whatever_the_unit() -> None:
    variance = Quotient("variance", larger="plain", smaller="with a baseline")
    plain, less = [4.0, 40.0, 400.0], [2.0, 10.0, 200.0]
    found = judge(variance, plain, less)
    assert found.effect == pytest.approx((2 * 4 * 2) ** (1 / 3))
    assert (found.larger, found.smaller) == pytest.approx((40, 4000 ** (1 / 3)))
    assert math.sqrt(found.low * found.high) == pytest.approx(found.effect)
    again = judge(variance, [1000 * value for value in plain], [1000 * value for value in less])
    assert (again.low, again.high) == pytest.approx((found.low, found.high))
    assert judge(variance, [3.0, 3.0, 3.0], [3.0, 3.0, 3.0]).outcome == FAILS  # 1 is no effect


def test_a_claim_holds_if_all_of_it_does() -> None:
    assert together([HOLDS, HOLDS]) == HOLDS
    assert together([HOLDS, UNDECIDED]) == UNDECIDED
    assert together([UNDECIDED, FAILS, HOLDS]) == FAILS


def test_it_says_its_numbers() -> None:
    told = str(judge(MODES, [8, 7, 8], [3, 2, 2]))
    assert told.startswith("modes: wgan 7.67, gan 2.33; difference 5.33 (3.9 to 6.77; to exceed 0): holds")


def test_too_few_seeds_and_numbers_that_cannot_be_compared_are_named() -> None:
    with pytest.raises(ValueError, match="seeds: must be at least 3, got 2"):
        judge(MODES, [1.0, 2.0], [0.0, 0.0])
    with pytest.raises(ValueError, match="larger, smaller: must be one number each for every seed, got 3 and 4"):
        judge(MODES, [1.0, 2.0, 3.0], [0.0, 0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match=r"modes: must be finite for every seed, got .*nan"):
        judge(MODES, [1.0, math.nan, 3.0], [0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="variance: must be above 0 to be compared by quotients, got 0"):
        judge(Quotient("variance", larger="a", smaller="b"), [1.0, 2.0, 3.0], [0.0, 1.0, 1.0])
