"""Density ratios from samples, each against the analytic ratio of two Gaussians; f-divergences through them."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from pcgen.statistics import DIVERGENCES, f_divergence
from pcgen.statistics.density_ratios import (
    by_classification,
    by_denoising,
    by_kullback_leibler,
    by_least_squares,
    by_moments,
)

P = MultivariateNormal(torch.tensor([0.5, 0.0]).double(), torch.tensor([[0.6, 0.2], [0.2, 0.5]]).double())
Q = MultivariateNormal(torch.zeros(2).double(), torch.eye(2).double())
LOG_LINEAR = {"classification": by_classification, "moments": by_moments, "denoising": by_denoising}
WAYS = {**LOG_LINEAR, "kullback_leibler": by_kullback_leibler, "least_squares": by_least_squares}


def analytic(rows: Tensor) -> Tensor:
    return P.log_prob(rows) - Q.log_prob(rows)


def samples(rows: int) -> tuple[Tensor, Tensor]:
    return P.sample((rows,)), Q.sample((rows,))


@pytest.mark.parametrize("way", WAYS)
def test_a_ratio_of_gaussians_is_the_analytic_one(way: str) -> None:
    ratio = WAYS[way](*samples(3000))
    at_q = Q.sample((20_000,))
    weights, right = ratio(at_q).exp(), analytic(at_q).exp()
    assert (weights - right).square().mean().sqrt() < (0.1 if way in LOG_LINEAR else 0.25) * right.std()
    if way in LOG_LINEAR:  # whose logarithm is right in the tails too
        new = P.sample((2000,))
        assert (ratio(new) - analytic(new)).square().mean().sqrt() < 0.1 * analytic(new).std()
    # Under q the mean of p / q is 1, and the ratio moves samples of q to the mean of p.
    assert float(weights.mean()) == pytest.approx(1, abs=0.1)
    torch.testing.assert_close((weights @ at_q) / weights.sum(), P.mean, atol=0.06, rtol=0)


@pytest.mark.parametrize("way", WAYS)
def test_a_ratio_does_not_depend_on_the_units_or_the_place_of_rows(way: str) -> None:
    estimate = WAYS[way]
    x, y = samples(300)
    new = P.sample((50,))
    there = estimate(1000 * x + 7, 1000 * y + 7)(1000 * new + 7)
    torch.testing.assert_close(there, estimate(x, y)(new), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("way", WAYS)
def test_of_one_law_the_ratio_is_one(way: str) -> None:
    ratio = WAYS[way](Q.sample((3000,)), Q.sample((3000,)))
    assert (ratio(Q.sample((2000,))).exp() - 1).square().mean().sqrt() < 0.25


def test_by_classification_is_sklearns_logistic_regression_whose_intercept_is_free() -> None:
    from sklearn.linear_model import LogisticRegression

    x, y = P.sample((60,)), Q.sample((90,))
    ratio = by_classification(x, y, ridge=0.3)
    rows = ratio.features(ratio.standard(torch.cat([x, y])))
    labels, weights = [1] * 60 + [0] * 90, [1 / 60] * 60 + [1 / 90] * 90  # both samples count alike
    theirs = LogisticRegression(C=1 / 0.3, tol=1e-12, max_iter=10_000).fit(rows.numpy(), labels, weights)
    torch.testing.assert_close(ratio.weights, torch.from_numpy(theirs.coef_[0]), rtol=0, atol=1e-6)
    assert ratio.offset.item() == pytest.approx(theirs.intercept_[0], abs=1e-6)
    assert abs(ratio.offset.item()) > 0.01


def test_by_kullback_leibler_bears_an_outlier_far_from_all_kernels() -> None:
    x, y = samples(200)
    outlier = x.clone()
    outlier[1] = 60.0  # kernels are around rows 0, 2, 4, ...
    found = by_kullback_leibler(outlier, y)
    assert (found.kernels.centres.abs() < 10).all() and found.weights.isfinite().all()
    assert found(torch.cat([outlier, y])).isfinite().all()
    # The rows without it, whose kernels do not underflow, by the rule as it is written.
    basis = found.kernels
    kernels, mean_y = basis(x), basis(y).mean(0)
    weights = torch.full_like(mean_y, 1 / len(mean_y))
    for _ in range(100):
        shares = weights * kernels / mean_y
        weights = (shares / shares.sum(1, keepdim=True)).mean(0)
    plain = by_kullback_leibler(x, y, bandwidth=basis.bandwidth, steps=100)
    torch.testing.assert_close(plain.weights, weights / mean_y, rtol=1e-9, atol=1e-12)


def test_by_moments_matches_the_moments_themselves() -> None:
    x, y = samples(500)
    weights = by_moments(x, y, ridge=0.0)(y).exp()
    weights = weights / len(y)
    assert float(weights.sum()) == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(weights @ y, x.mean(0), atol=1e-5, rtol=0)
    torch.testing.assert_close((weights[:, None] * y).T @ y, x.T @ x / len(x), atol=1e-5, rtol=0)


def test_kullback_leibler_and_least_squares_each_do_best_by_their_own_divergence() -> None:
    x, y = samples(400)
    ratios = by_kullback_leibler(x, y, steps=3000), by_least_squares(x, y, ridge=1e-9)
    logs = [float(ratio(x).mean() - ratio(y).exp().mean().log()) for ratio in ratios]
    assert logs[0] > logs[1]
    errors = [float(ratio(y).exp().square().mean() / 2 - ratio(x).exp().mean()) for ratio in ratios]
    assert errors[1] < errors[0]


def test_denoisers_of_more_noise_give_the_ratio_of_blurred_densities() -> None:
    x, y = samples(20_000)
    rows = torch.cat([x, y])
    ratio = by_denoising(x, y, noise=1.0, draws=4, ridge=0.0)
    blur = rows.var(0, correction=0).diag()
    p, q = (MultivariateNormal(each.mean, each.covariance_matrix + blur) for each in (P, Q))
    new = P.sample((1000,))
    blurred = p.log_prob(new) - q.log_prob(new)
    error, sharp = ((ratio(new) - each).square().mean().sqrt() for each in (blurred, analytic(new)))
    assert error < 0.1 * blurred.std() and sharp > 2 * error


@pytest.mark.parametrize("name", DIVERGENCES)
def test_an_f_divergence_of_known_densities_is_that_by_integration(name: str) -> None:
    # On a grid, in the plane.
    side = torch.linspace(-6, 6, 601, dtype=torch.float64)
    grid = torch.cartesian_prod(side, side)
    p, q = (each.log_prob(grid).exp() for each in (P, Q))
    r = p / q
    m = (p + q) / 2
    integrand = {
        "kl": p * r.log(),
        "reverse_kl": -q * r.log(),
        "js": p * (p / m).log() + q * (q / m).log(),
        "pearson": q * (r - 1).square(),
        "hellinger": (p.sqrt() - q.sqrt()).square(),
    }[name]
    exact = float(integrand.sum() * (side[1] - side[0]) ** 2)
    parts = torch.stack([f_divergence(analytic, *samples(5000), name) for _ in range(40)])
    error = float(parts.std()) / math.sqrt(len(parts))
    assert abs(float(parts.mean()) - exact) < 4 * error
    assert error < 0.1 * exact


def test_through_an_estimated_ratio_it_is_a_lower_bound_that_comes_close() -> None:
    exact = float(kl_divergence(P, Q))
    ratio = by_classification(*samples(500))
    parts = torch.stack([f_divergence(ratio, *samples(5000)) for _ in range(40)])
    error = float(parts.std()) / math.sqrt(len(parts))
    assert exact - 0.1 < float(parts.mean()) < exact + 3 * error
    worse = torch.stack([f_divergence(lambda rows: ratio(rows) / 2, *samples(5000)) for _ in range(40)])
    assert float(worse.mean()) < float(parts.mean())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: by_classification(x, x[:1]), "x, y: must have at least 2 rows each, got 9 and 1"),
        (lambda x: by_moments(x, x * torch.nan), "y: must be finite, got NaN or infinity in 9 rows of 9"),
        (lambda x: by_denoising(x, x, noise=0.0), "noise: must be a positive number, got 0.0"),
        (lambda x: by_classification(x, x, ridge=-1.0), "ridge: must be 0 or more, got -1.0"),
        (lambda x: by_kullback_leibler(x, x, kernels=0), "kernels: must be at least 1, got 0"),
        (lambda x: by_least_squares(x, x, bandwidth=-1.0), "bandwidth: must be a positive number, got -1.0"),
        (lambda x: f_divergence(analytic, x, x, "kll"), "divergence: must be one of kl, .*; did you mean 'kl'"),
        (lambda x: f_divergence(lambda z: z, x, x), r"log_ratio: must give \(B,\) of rows \(B, D\), gave \(9, 2\)"),
    ],
)
def test_bad_arguments_are_named(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call(Q.sample((9,)))
