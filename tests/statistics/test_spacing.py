"""Maximum spacing: parameters of known families come back, also where their likelihood has no maximum."""

import numpy as np
import pytest
import torch
from scipy import stats

from pcgen.statistics import maximum_spacing

EULER = 0.5772156649


def drawn(law, rows: int) -> torch.Tensor:  # type: ignore[no-untyped-def]
    return torch.from_numpy(law.rvs(rows, random_state=np.random.default_rng(0)))


@pytest.mark.parametrize(
    ("family", "right", "start", "errors"),
    [
        (stats.norm, (3.0, 2.0), (0.0, 5.0), (0.045, 0.032)),  # sigma / sqrt(S), sigma / sqrt(2 S)
        (stats.logistic, (-1.0, 0.5), (0.0, 1.0), (0.02, 0.0095)),  # sqrt(3) s / sqrt(S), s sqrt(9 / (pi^2 + 3) / S)
        (stats.expon, (0.0, 4.0), (-1.0, 3.0), (0.005, 0.09)),  # scale / S, scale / sqrt(S)
    ],
)
def test_families_with_a_likelihood_are_estimated_as_well_as_by_it(  # type: ignore[no-untyped-def]
    family, right: tuple[float, ...], start: tuple[float, ...], errors: tuple[float, ...]
) -> None:
    x = drawn(family(*right), 2000)
    found = maximum_spacing(x, family.cdf, start)
    for estimate, truth, error in zip(found.parameters, right, errors, strict=True):
        assert abs(estimate - truth) < 4 * error
    # The mean log spacing of the true family tends to minus Euler's constant, with variance (pi^2 / 6 - 1) / S.
    assert found.value == pytest.approx(-EULER, abs=4 * (np.pi**2 / 6 - 1) ** 0.5 / 2000**0.5)


def test_a_uniform_law_is_estimated_by_its_best_unbiased_ends() -> None:
    x = drawn(stats.uniform(2, 3), 50)
    low, width = maximum_spacing(x, stats.uniform.cdf, (0.0, 9.0)).parameters
    least, most = float(x.min()), float(x.max())
    gap = (most - least) / 49  # ends stand beyond the extremes by one mean spacing, while likelihood puts them on
    assert low == pytest.approx(least - gap, abs=1e-3) and low + width == pytest.approx(most + gap, abs=1e-3)


def test_a_threshold_is_found_where_the_likelihood_grows_without_bound() -> None:
    right = (0.6, 5.0, 2.0)  # shape below 1: the density is infinite at the threshold
    x = drawn(stats.weibull_min(*right), 1000)
    gaps = (1e-8, 1e-10, 1e-12)  # of a threshold below the least number
    heights = [stats.weibull_min(0.6, float(x.min()) - gap, 2.0).logpdf(x.numpy()).sum() for gap in gaps]
    assert heights[0] + 1 < heights[1] < heights[2] - 1  # 0.4 log(1 / gap), without end
    shape, threshold, scale = maximum_spacing(x, stats.weibull_min.cdf, (1.0, 4.0, 20.0)).parameters
    assert threshold == pytest.approx(5.0, abs=0.005) and threshold < float(x.min())
    assert shape == pytest.approx(0.6, abs=0.06) and scale == pytest.approx(2.0, abs=0.4)


def test_a_mixture_is_estimated_whose_likelihood_grows_as_a_part_shrinks_onto_a_row() -> None:
    generator = np.random.default_rng(1)
    parts = generator.random(1500) < 0.5
    x = torch.from_numpy(np.where(parts, generator.normal(0, 1, 1500), generator.normal(4, 0.5, 1500)))

    def density(mean: float, deviation: float) -> float:
        pair = 0.5 * stats.norm.pdf(x.numpy()) + 0.5 * stats.norm.pdf(x.numpy(), mean, deviation)
        return float(np.log(pair).sum())

    onto = [density(float(x[0]), deviation) for deviation in (1e-30, 1e-60, 1e-120)]
    assert onto[0] < onto[1] < onto[2]  # by log(1 / deviation), without end

    def cdf(rows: np.ndarray, mean: float, log_deviation: float) -> np.ndarray:
        return 0.5 * stats.norm.cdf(rows) + 0.5 * stats.norm.cdf(rows, mean, np.exp(log_deviation))

    mean, log_deviation = maximum_spacing(x, cdf, (2.0, 0.0)).parameters
    assert mean == pytest.approx(4.0, abs=0.08) and np.exp(log_deviation) == pytest.approx(0.5, abs=0.08)


def test_a_family_that_does_not_fit_has_wider_spacings() -> None:
    x = drawn(stats.expon(0, 1), 1000)
    assert maximum_spacing(x, stats.norm.cdf, (1.0, 1.0)).value < -EULER - 0.1


@pytest.mark.parametrize(
    ("x", "start", "message"),
    [
        (torch.zeros(3, 2), (0.0, 1.0), r"x: must be \(S,\) with two numbers or more, got shape \(3, 2\)"),
        (torch.tensor([1.0, 2.0, 1.0]), (0.0, 1.0), "x: must be numbers that are all different, got 1 that equal"),
        (torch.tensor([1.0, torch.inf]), (0.0, 1.0), "x: must be finite"),
        (torch.tensor([1.0, 2.0]), (), "start: must be one number for each parameter"),
        (torch.tensor([100.0, 200.0]), (0.0, 1.0), "start: must give all neighbours in x a spacing above 0"),
    ],
)
def test_bad_arguments_are_named(x: torch.Tensor, start: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        maximum_spacing(x, stats.norm.cdf, start)


def test_a_search_that_does_not_rest_is_told() -> None:
    with pytest.raises(FloatingPointError, match="the search has not converged after 1 starts"):
        maximum_spacing(drawn(stats.norm(3, 2), 50), stats.norm.cdf, (0.0, 5.0), restarts=1)
