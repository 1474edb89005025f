"""Bayes factors: closed forms, the words of Kass and Raftery's table, and the true model picked."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal

from pcgen.models.base import Batch
from pcgen.models.mixtures.ppca import PPCA
from pcgen.models.variational.iwae import IWAE
from pcgen.statistics import bayes_factor


def evidence(x: torch.Tensor) -> tuple[float, float]:
    """Of x ~ N(0, 1), and of x ~ N(m, 1) with m ~ N(0, 1), in closed form: all rows together are Gaussian."""
    rows, ones = len(x), torch.ones(len(x), len(x), dtype=torch.float64)
    whole = MultivariateNormal(torch.zeros(rows, dtype=torch.float64), torch.eye(rows, dtype=torch.float64) + ones)
    return float(Normal(0.0, 1.0).log_prob(x).sum()), float(whole.log_prob(x))


@pytest.mark.parametrize("mean", [0.0, 0.5])
def test_the_factor_is_the_ratio_of_evidence_and_picks_the_true_model(mean: float) -> None:
    x = mean + torch.randn(200, dtype=torch.float64)
    found = bayes_factor(*evidence(x))
    # log B = log(n + 1) / 2 - (sum x)^2 / (2 (n + 1))
    assert found.log == pytest.approx(math.log(201) / 2 - float(x.sum()) ** 2 / (2 * 201))
    assert (found.log > 0) == (mean == 0)
    assert found.probability == pytest.approx(1 / (1 + math.exp(-found.log)))
    assert f"for the {'first' if mean == 0 else 'second'}" in str(found)


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (2.7, "not worth more than a bare mention"),  # to 3, in the table's column of B itself
        (19.0, "positive"),  # to 20
        (140.0, "strong"),  # to 150
        (151.0, "very strong"),
        (1 / 19, "positive"),  # for the other
    ],
)
def test_the_words_are_those_of_the_table(factor: float, words: str) -> None:
    found = bayes_factor(math.log(factor), 0.0)
    assert found.words == words and found.twice_log == pytest.approx(2 * math.log(factor))


def test_held_out_rows_pick_the_number_of_factors_that_the_data_has() -> None:
    loadings = torch.linalg.qr(torch.randn(8, 8)).Q[:, :3] * torch.tensor([2.0, 1.5, 1.0])
    x = torch.randn(600, 3) @ loadings.T + 0.5 * torch.randn(600, 8)
    heights = {}
    for factors in (1, 2, 3, 4, 5):
        model = PPCA((8,), factors=factors)
        model.update(Batch(x[:200], torch.arange(200)))
        heights[factors] = model.log_prob(x[200:])
    assert all(bayes_factor(heights[3], heights[other]).log > 0 for other in heights if other != 3)
    assert bayes_factor(heights[3], heights[2]).words == "very strong"


def test_bounds_stand_for_evidence_the_better_the_more_draws_they_have() -> None:
    model = IWAE((4,), code=2, widths=(), scale=0.5)
    x = torch.randn(300, 2) @ torch.randn(2, 4) + 0.5 * torch.randn(300, 4)
    weight, bias = (part.detach() for part in (model.decoder.linear.weight, model.decoder.linear.bias))
    exact = MultivariateNormal(bias, weight @ weight.T + 0.25 * torch.eye(4)).log_prob(x)
    gaussian = MultivariateNormal(x.mean(0), torch.cov(x.T)).log_prob(x)
    right = bayes_factor(gaussian, exact).log
    with torch.no_grad():
        few, many = (bayes_factor(gaussian, model.log_prob_bound(x, draws=draws)).log for draws in (1, 2000))
    assert right < many < few  # a bound is too low, which speaks for the other model
    assert many - right < 0.2 * (few - right)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (torch.zeros(3), torch.zeros(4), r"first, second: must both be .*, got shapes \(3,\) and \(4,\)"),
        (torch.zeros(3), 0.0, "first, second: must both be"),
        (0.0, math.nan, "second: must be finite"),
    ],
)
def test_bad_arguments_are_named(first: float, second: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bayes_factor(first, second)
