"""Probabilistic PCA: its closed form against expectation maximisation, its density against scipy's."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from pcgen.models.abilities import can
from pcgen.models.base import Batch, Facts
from pcgen.models.mixtures.gaussian import Gaussian
from pcgen.models.mixtures.ppca import PPCA

CONTRACT = {"ppca": {"factors": 2}}


def rows(n: int, dim: int = 6, factors: int = 2, noise: float = 0.5) -> Tensor:
    """Rows of a few factors with noise, their mean far from 0."""
    loadings = torch.randn(dim, factors) * torch.linspace(2, 1, factors)
    return torch.randn(n, factors) @ loadings.T + noise * torch.randn(n, dim) + torch.arange(dim)


def fitted(x: Tensor, factors: int) -> PPCA:
    model = PPCA((x.shape[1],), factors=factors)
    model.update(Batch(x, torch.arange(len(x))))
    return model.eval()


def covariance(model: PPCA) -> Tensor:
    loadings, noise = model.loadings.double(), model.noise.double()
    return loadings @ loadings.T + noise * torch.eye(len(loadings), dtype=torch.float64)


def expectation_maximisation(x: Tensor, factors: int, iterations: int) -> tuple[Tensor, list[float]]:
    """The covariance that EM comes to from random loadings (the paper's appendix B), and its log-likelihoods."""
    x = x.double()
    mean, dim = x.mean(0), x.shape[1]
    scatter = torch.cov(x.T, correction=0)
    w, noise = torch.randn(dim, factors, dtype=torch.float64), torch.ones((), dtype=torch.float64)
    identity, heights = torch.eye(factors, dtype=torch.float64), []
    for iteration in range(iterations):
        m_inverse = torch.linalg.inv(w.T @ w + noise * identity)
        sw = scatter @ w
        new = sw @ torch.linalg.inv(noise * identity + m_inverse @ w.T @ sw)
        noise = torch.trace(scatter - sw @ m_inverse @ new.T) / dim
        w = new
        if iteration % 20:
            continue
        here = w @ w.T + noise * torch.eye(dim, dtype=torch.float64)
        heights.append(float(multivariate_normal(mean.numpy(), here.numpy()).logpdf(x.numpy()).mean()))
    return here, heights


def test_the_closed_form_is_the_limit_of_expectation_maximisation(measured: Callable[..., None]) -> None:
    x = rows(300)
    model = fitted(x, factors=2)
    limit, heights = expectation_maximisation(x, 2, iterations=1500)
    assert all(after >= before - 1e-9 for before, after in pairwise(heights)) and heights[-1] > heights[0] + 0.1
    reached = model.log_prob(x).mean().item()
    measured("log-likelihood of the closed form, nats a row", reached, heights[-1])
    assert reached == pytest.approx(heights[-1], abs=1e-4)
    torch.testing.assert_close(covariance(model), limit, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("noise", [1.0, 1e-2])
def test_log_prob_is_scipys_also_where_the_noise_is_small(noise: float) -> None:
    x = rows(200, noise=noise)
    model = fitted(x, factors=3)
    assert can(model, "log_prob") and can(model, "encode") and can(model, "decode")
    right = multivariate_normal(model.mean.double().numpy(), covariance(model).numpy()).logpdf(x.double().numpy())
    torch.testing.assert_close(model.log_prob(x).double(), torch.as_tensor(right), rtol=1e-3, atol=1e-2)


def test_codes_are_the_means_of_the_posterior() -> None:
    # Of the joint Gaussian of z and x: E[z | x] = Cov(z, x) Cov(x)^-1 (x - m), with Cov(z, x) = W^T.
    x = rows(100)
    model = fitted(x, factors=2)
    gain = torch.linalg.solve(covariance(model), model.loadings.double())  # (D, K)
    right = (x.double() - model.mean.double()) @ gain
    torch.testing.assert_close(model.encode(x).double(), right, rtol=1e-3, atol=1e-4)


def test_samples_have_the_covariance_of_the_factors() -> None:
    x = rows(400)
    model = fitted(x, factors=2)
    samples = model.sample(50_000)
    torch.testing.assert_close(samples.mean(0), x.mean(0), rtol=0, atol=0.1)
    torch.testing.assert_close(torch.cov(samples.T), covariance(model).float(), rtol=0.05, atol=0.1)


def test_one_factor_less_than_dimensions_is_the_full_gaussian() -> None:
    x = rows(100, dim=4, factors=3)
    full = Gaussian((4,), covariance="full", ridge=1e-9)
    full.update(Batch(x, torch.arange(len(x))))
    torch.testing.assert_close(fitted(x, factors=3).log_prob(x), full.log_prob(x), rtol=1e-3, atol=1e-3)
    wide = fitted(x, factors=7)  # what is over stays 0 and changes nothing
    assert wide.loadings[:, 3:].eq(0).all()
    torch.testing.assert_close(wide.log_prob(x), full.log_prob(x), rtol=1e-3, atol=1e-3)


def test_on_few_rows_it_is_the_better_density_of_new_ones() -> None:
    x = rows(1030, dim=20, factors=2)
    few, new = x[:30], x[30:]
    full = Gaussian((20,), covariance="full", ridge=1e-6)
    full.update(Batch(few, torch.arange(len(few))))
    assert fitted(few, factors=2).log_prob(new).mean() > full.log_prob(new).mean() + 5


def test_data_gives_no_more_factors_than_a_covariance_has() -> None:
    assert PPCA.arguments(Facts((8,), 100)) == {"shape": (8,), "factors": 7}
    assert PPCA.arguments(Facts((1,), 100))["factors"] == 1


def test_bad_arguments_and_rows_are_named() -> None:
    with pytest.raises(ValueError, match="factors: must be at least 1, got 0"):
        PPCA((4,), factors=0)
    with pytest.raises(FloatingPointError, match="ppca: the covariance of the batch is not finite"):
        fitted(torch.full((5, 3), torch.nan), factors=1)
