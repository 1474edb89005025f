from collections.abc import Callable

import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from pcgen.models.abilities import can
from pcgen.models.base import Batch
from pcgen.models.mixtures.gaussian import Gaussian

CONTRACT: dict[str, dict[str, object]] = {"gaussian": {}}


def correlated(n: int) -> Tensor:
    mix = torch.tensor([[2.0, 0.0, 0.0], [1.0, 0.5, 0.0], [-1.0, 0.3, 0.1]])
    return torch.randn(n, 3) @ mix.T + torch.tensor([1.0, -2.0, 30.0])


def fitted(covariance: str, x: Tensor, ridge: float = 1e-6) -> Gaussian:
    model = Gaussian((x.shape[1],), covariance=covariance, ridge=ridge)
    model.update(Batch(x, torch.arange(len(x))))
    return model


def test_the_full_fit_is_the_maximum_of_the_likelihood(measured: Callable[..., None]) -> None:
    x = correlated(500)
    model = fitted("full", x)
    assert can(model, "log_prob")
    expected = multivariate_normal(x.mean(0), torch.cov(x.T, correction=0).numpy()).logpdf(x.numpy())
    found = model.log_prob(x).double()
    measured("mean log-likelihood of 500 rows, nats", float(found.mean()), float(expected.mean()))
    torch.testing.assert_close(found, torch.as_tensor(expected), rtol=1e-3, atol=1e-2)


def test_the_diagonal_fit_is_independent_gaussians() -> None:
    x = correlated(500)
    expected = torch.distributions.Normal(x.mean(0), x.std(0, correction=0)).log_prob(x).sum(1)
    torch.testing.assert_close(fitted("diagonal", x).log_prob(x), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_samples_have_the_fitted_moments(covariance: str) -> None:
    x = correlated(500)
    samples = fitted(covariance, x).sample(40_000)
    expected = torch.cov(x.T, correction=0)
    if covariance == "diagonal":
        expected = expected.diagonal().diag()
    torch.testing.assert_close(samples.mean(0), x.mean(0), rtol=0, atol=0.05)
    torch.testing.assert_close(torch.cov(samples.T), expected, rtol=0.05, atol=0.05)


def test_fewer_rows_than_dimensions_are_fitted_with_the_ridge() -> None:
    x = torch.randn(5, 20)
    assert torch.isfinite(fitted("full", x, ridge=1e-3).log_prob(x)).all()


def test_a_batch_that_is_not_finite_stops_the_training() -> None:
    with pytest.raises(FloatingPointError, match="gaussian"):
        fitted("full", torch.full((4, 2), float("nan")))
