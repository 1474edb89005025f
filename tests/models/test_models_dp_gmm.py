"""Dirichlet process mixture: the number of components, its bound, and the predictive density by Monte Carlo."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_t, wishart
from torch import Tensor

from pcgen.models.abilities import can
from pcgen.models.base import Batch
from pcgen.models.mixtures.dp_gmm import DPGMM

CONTRACT = {"dp_gmm": {"components": 3}}


def clusters(count: int, rows: int = 600, dim: int = 2, apart: float = 6.0) -> Tensor:
    """Gaussians of deviation 1 whose centres stand `apart` from their nearest neighbours, on a grid."""
    side = 1 + int((count - 1) ** 0.5)
    centres = torch.zeros(count, dim)
    places = torch.arange(count)
    centres[:, 0], centres[:, 1] = apart * (places % side), apart * (places // side)
    return centres[torch.randint(count, (rows,))] + torch.randn(rows, dim)


def trained(x: Tensor, updates: int = 150, **arguments: float) -> tuple[DPGMM, list[dict[str, float]]]:
    model = DPGMM((x.shape[1],), **{"components": 20, **arguments})
    batch = Batch(x, torch.arange(len(x)))
    model.setup(Batch(x))
    history = [{key: value.item() for key, value in model.update(batch).items()} for _ in range(updates)]
    return model, history


@pytest.mark.parametrize("count", [2, 3, 6])
def test_it_finds_the_number_of_components(count: int, measured: Callable[..., None]) -> None:
    model, history = trained(clusters(count, rows=400), updates=DPGMM((2,)).recipe.steps)
    measured(f"components found of a mixture of {count}, at most 20", model.occupied(), count)
    assert model.occupied() == count
    assert history[-1]["components"] == count and history[0]["components"] > count
    assert model.weights.sort(descending=True).values[:count].sum() > 0.95


def test_an_update_never_lowers_the_bound(measured: Callable[..., None]) -> None:
    _, history = trained(clusters(4), updates=60)
    rises = [after["bound"] - before["bound"] for before, after in pairwise(history)]
    measured("largest fall of the bound in an update, nats a row", max(0.0, *rises), 0)
    assert max(rises) < 1e-5
    assert history[-1]["bound"] < history[0]["bound"] - 0.01


def test_log_prob_is_the_mixture_with_its_parameters_drawn_from_their_posterior(measured: Callable[..., None]) -> None:
    model, _ = trained(clusters(2, rows=40), components=3, updates=20)
    x = torch.tensor([[0.0, 0.0], [6.0, 0.5], [3.0, 3.0], [-2.0, 1.0]])
    generator, draws = np.random.default_rng(0), 4000
    v = generator.beta(*model.sticks.numpy()[..., None], size=(3, draws))
    weights = v * np.cumprod(np.concatenate([np.ones((1, draws)), 1 - v[:-1]]), axis=0)  # (3, draws)
    found = np.zeros((draws, len(x)))
    for k in range(3):
        factor, degrees = model.precision_factors[k].numpy(), float(model.degrees[k])
        precision = wishart(degrees, factor @ factor.T / degrees).rvs(draws, random_state=generator)
        spread = np.linalg.cholesky(np.linalg.inv(precision * float(model.mean_precision[k])))
        mean = model.means[k].numpy() + np.einsum("nij,nj->ni", spread, generator.standard_normal((draws, 2)))
        away = x.double().numpy() - mean[:, None]  # (draws, 4, 2)
        height = np.sqrt(np.linalg.det(precision)) / (2 * np.pi)
        squared = np.einsum("nbi,nij,nbj->nb", away, precision, away)
        found += (weights[k] * height)[:, None] * np.exp(-squared / 2)
    found /= weights.sum(0).mean()  # what lies beyond the truncation is shared out
    right, error = found.mean(0), found.std(0) / draws**0.5
    density = model.log_prob(x.double()).exp().numpy()
    measured("density between two clusters, by the mean of 4000 posterior draws", density[2], right[2])
    assert (np.abs(density - right) < 4 * error).all()
    assert (error < 0.05 * right).all()


def test_one_component_is_scipys_student() -> None:
    x = torch.randn(50, 3) @ torch.randn(3, 3)
    model, _ = trained(x, components=1, spread=0.7, updates=3)
    mean, centred = x.double().mean(0), x.double() - x.double().mean(0)
    scatter = centred.T @ centred
    prior = 0.7 * (scatter / 50 + 1e-6 * (scatter / 50).diagonal().mean() * torch.eye(3))
    student = multivariate_t(mean.numpy(), ((prior + scatter) * (1 + 1 / 51) / 53).numpy(), df=53)
    right = torch.as_tensor(student.logpdf(x.double().numpy()))
    torch.testing.assert_close(model.log_prob(x.double()), right, rtol=1e-6, atol=1e-6)
    assert can(model, "log_prob")


def test_samples_have_the_density_that_log_prob_states() -> None:
    # The mean of p / r over samples of p, r a density that is nowhere far below p, is the integral of p^2 / r either
    # way: by the samples, and on a grid.
    model, _ = trained(clusters(3, rows=100), components=5, updates=30)
    model.eval()
    samples = model.sample(20_000)
    step = torch.linspace(-20, 26, 300)
    grid = torch.cartesian_prod(step, step)
    cell = float(step[1] - step[0]) ** 2
    density = model.log_prob(grid).double().exp()
    assert float(density.sum() * cell) == pytest.approx(1, abs=0.01)
    found = model.log_prob(samples).double().exp()
    error = float(found.std()) / len(found) ** 0.5
    assert abs(float(found.mean()) - float(density.square().sum() * cell)) < 4 * error
    inside = (samples - torch.tensor([6.0, 0.0])).norm(dim=1) < 2
    share = density[(grid - torch.tensor([6.0, 0.0])).norm(dim=1) < 2].sum() * cell
    assert float(inside.double().mean()) == pytest.approx(float(share), abs=0.02)


def test_a_constant_dimension_is_no_obstacle() -> None:
    x = torch.cat([clusters(2), torch.ones(600, 1)], dim=1)
    model, history = trained(x, updates=30)
    assert all(torch.isfinite(torch.tensor(list(each.values()))).all() for each in history)
    assert (model.eval().sample(100)[:, 2] - 1).abs().max() < 0.1


def test_bad_arguments_and_rows_are_named() -> None:
    with pytest.raises(ValueError, match="concentration: must be a positive number, got 0"):
        DPGMM((2,), concentration=0)
    with pytest.raises(ValueError, match="components: must be at most the number of training rows, 10, got 20"):
        DPGMM((2,)).setup(Batch(torch.randn(10, 2)))
    with pytest.raises(ValueError, match="data: all rows are equal"):
        DPGMM((2,), components=2).setup(Batch(torch.ones(10, 2)))
