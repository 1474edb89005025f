"""Herding: the moments of the chosen rows reach those of all at a rate of one over their number."""

import pytest
import torch

from pcgen.statistics import herding


def errors(features: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """|mean of the first T chosen features - mean of all|, for each T."""
    counts = torch.arange(1, len(chosen) + 1)[:, None]
    return (features[chosen].cumsum(0) / counts - features.mean(0)).norm(dim=1)


def slope(values: torch.Tensor) -> float:
    """Of the logarithm of values over that of their place, by least squares from the tenth on."""
    place = torch.arange(1, len(values) + 1).double().log()[9:]
    log = values.log()[9:]
    return float(((place - place.mean()) * (log - log.mean())).sum() / (place - place.mean()).square().sum())


def test_first_moments_match_at_a_rate_of_one_over_the_number_of_rows() -> None:
    x = torch.distributions.Exponential(1.0).sample((2000, 5)).double()
    found = errors(x, herding(x, 500))
    assert slope(found) == pytest.approx(-1, abs=0.15)
    at_random = torch.stack([errors(x, torch.randint(2000, (500,))) for _ in range(50)]).mean(0)
    assert slope(at_random) == pytest.approx(-0.5, abs=0.15)
    assert found[-1] < 0.2 * at_random[-1]
    assert (found * torch.arange(1, 501)).max() < 2 * (x - x.mean(0)).norm(dim=1).max()  # |w_T - w_0| is bounded


def test_with_squares_beside_the_rows_variances_match_too() -> None:
    x = torch.randn(3000, 2).double()
    chosen = x[herding(torch.cat([x, x.square()], dim=1), 200)]
    torch.testing.assert_close(chosen.mean(0), x.mean(0), atol=0.03, rtol=0)
    torch.testing.assert_close(chosen.var(0, correction=0), x.var(0, correction=0), atol=0.05, rtol=0)


def test_the_choice_is_the_rule_written_out() -> None:
    features = torch.tensor([[0.0], [1.0], [4.0]])  # their mean is 5/3
    # w: 5/3 -> picks 4, w = -2/3 -> picks 0, w = 1 -> picks 4, w = -4/3 -> picks 0, w = 1/3 -> picks 4
    assert herding(features, 5).tolist() == [2, 0, 2, 0, 2]


@pytest.mark.parametrize(
    ("features", "count", "message"),
    [
        (torch.zeros(3), 1, r"features: must be \(S, F\) floating point with at least one row, got \(3,\)"),
        (torch.zeros(3, 1).long(), 1, "features: must be .* floating point"),
        (torch.full((3, 1), torch.nan), 1, "features: must be finite"),
        (torch.zeros(3, 1), 0, "count: must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(features: torch.Tensor, count: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        herding(features, count)
