"""Manifold Parzen windows: their density against scipy's, against round windows, and what is drawn."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from torch import Tensor

from pcgen.models.base import Batch, Facts
from pcgen.models.mixtures.parzen import Parzen

CONTRACT = {"parzen": {"neighbours": 3}}


def fitted(x: Tensor, repeats: int = 1, **config: float) -> Parzen:
    model = Parzen((x.shape[1],), rows=len(x), repeats=repeats, **config)  # type: ignore[arg-type]
    model.setup(Batch(x))
    return model.eval()


def spiral(n: int) -> Tensor:
    """The paper's: points along a spiral in the plane, with a little noise."""
    t = 3 + 12 * torch.rand(n)
    return 0.04 * torch.stack([t * t.cos(), t * t.sin()], dim=1) + 0.01 * torch.randn(n, 2)


def covariances(x: np.ndarray, neighbours: int, scale: float, noise: float) -> list[np.ndarray]:
    """C_i of every row, as the docstring has them."""
    found = []
    for row in x:
        nearest = np.argsort(np.linalg.norm(x - row, axis=1))[1 : neighbours + 1]
        away = x[nearest] - row
        found.append(scale**2 * away.T @ away / len(nearest) + noise**2 * np.eye(x.shape[1]))
    return found


def log_density(at: np.ndarray, centres: np.ndarray, windows: list[np.ndarray]) -> np.ndarray:
    logs = [multivariate_normal(c, w).logpdf(at) for c, w in zip(centres, windows, strict=True)]
    found: np.ndarray = logsumexp(np.stack(logs), axis=0) - math.log(len(centres))
    return found


def test_log_prob_is_scipys_of_the_mixture_that_the_docstring_has(measured: Callable[..., None]) -> None:
    x, new = torch.randn(60, 4), torch.randn(20, 4)
    model = fitted(x, neighbours=6, scale=0.7, noise=0.2)
    centres = x.double().numpy()
    windows = covariances(centres, 6, 0.7, 0.2)
    right = log_density(new.double().numpy(), centres, windows)
    error = np.abs(model.log_prob(new).double().numpy() - right).max()
    measured("largest error of log p(x) against scipy's mixture, nats", error, 0)
    assert error < 1e-4


@pytest.mark.parametrize(("rows", "neighbours"), [(60, 6), (5, 8), (2, 1)])
def test_the_logged_density_of_a_row_is_that_of_a_model_without_it(rows: int, neighbours: int) -> None:
    x = torch.randn(rows, 4)
    centres, left_out = x.double().numpy(), []
    for i in range(rows):
        others = np.delete(centres, i, 0)
        known = covariances(others, neighbours, 0.7, 0.2) if rows > 2 else [0.04 * np.eye(4)]
        left_out.append(log_density(centres[i : i + 1], others, known)[()])
    model = fitted(x, neighbours=neighbours, scale=0.7, noise=0.2)
    assert model.update(Batch(x))["nll"].item() == pytest.approx(-np.mean(left_out), abs=1e-3)


def test_on_a_spiral_they_are_a_better_density_than_round_windows(measured: Callable[..., None]) -> None:
    # The paper's first experiment: 300 points, windows of the width that is best for new ones.
    x, new = spiral(300), spiral(500)
    centres, at = x.double().numpy(), new.double().numpy()
    widths = 10 ** np.linspace(-2.5, -0.5, 11)
    round_ones = max(log_density(at, centres, [w**2 * np.eye(2)] * len(x)).mean() for w in widths)
    ours = max(
        fitted(x, neighbours=k, scale=1.0, noise=float(w)).log_prob(new).mean().item() for k in (3, 6) for w in widths
    )
    measured("held-out log-likelihood of a spiral above that of round windows, nats", ours - round_ones, "above 0")
    assert ours > round_ones + 0.1


def test_samples_have_the_mean_and_the_covariance_of_the_density() -> None:
    x = torch.randn(50, 3) @ torch.randn(3, 3) + torch.arange(3)
    model = fitted(x, neighbours=5, scale=0.8, noise=0.3)
    samples = model.sample(50_000)
    windows = np.mean(covariances(x.double().numpy(), 5, 0.8, 0.3), axis=0)
    covariance = torch.cov(x.T.double(), correction=0) + torch.from_numpy(windows)
    torch.testing.assert_close(samples.mean(0), x.mean(0), rtol=0, atol=0.05)
    torch.testing.assert_close(torch.cov(samples.T).double(), covariance, rtol=0.05, atol=0.1)


def test_each_row_is_taken_again_only_after_all_others() -> None:
    x = 100 * torch.eye(10)
    model = fitted(x, scale=1e-3, noise=1e-3)
    for n, most in ((10, 1), (7, 1), (25, 3)):
        counts = torch.cdist(model.sample(n), x).argmin(1).bincount(minlength=10)
        assert counts.sum() == n and counts.max() == most and counts.min() >= n // 10
    one_by_one = torch.cat([model.sample(1) for _ in range(500)])
    assert torch.cdist(one_by_one, x).argmin(1).bincount(minlength=10).min() > 20  # of 50 expected


def test_rows_of_one_thing_are_one_centre() -> None:
    things = torch.randn(6, 4)
    model = fitted(torch.cat([things + 0.1, things - 0.1]), repeats=2)
    torch.testing.assert_close(model.centres, things)
    logged = [each.update(Batch(things))["nll"] for each in (model, fitted(things))]
    torch.testing.assert_close(*logged)  # that of the things, not of their rows
    assert Parzen.arguments(Facts((4,), 12, repeats=2)) == {"shape": (4,), "rows": 12, "repeats": 2}


def test_bad_arguments_and_rows_are_named() -> None:
    with pytest.raises(ValueError, match="neighbours: must be at least 1, got 0"):
        Parzen((4,), rows=10, neighbours=0)
    with pytest.raises(ValueError, match="scale: must be a positive number, got 0"):
        Parzen((4,), rows=10, scale=0)
    with pytest.raises(ValueError, match="repeats: must divide the 10 rows, got 3"):
        Parzen((4,), rows=10, repeats=3)
    with pytest.raises(ValueError, match=r"rows: must be of at least two things, got 8 of one"):
        Parzen((4,), rows=8, repeats=8)
    with pytest.raises(ValueError, match="rows: must be the 5 rows of the data, got 10"):
        Parzen((4,), rows=10).setup(Batch(torch.zeros(5, 4)))
