"""Nonnegative matrix factorisation: its divergence never rises, its parts are the data's and more local than PCA's."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.optimize import nnls
from sklearn.decomposition import PCA
from torch import Tensor

from pcgen.models.abilities import can
from pcgen.models.base import Batch
from pcgen.models.mixtures.nmf import NMF, beta_divergence

CONTRACT = {"nmf": {"parts": 3}}


def made_of_parts(n: int, parts: int = 4, width: int = 5) -> tuple[Tensor, Tensor]:
    """Rows that are sums of bumps, each in a place of its own, of which about half are absent; and the bumps."""
    bumps = torch.zeros(parts, parts * width)
    for part in range(parts):
        bumps[part, part * width : (part + 1) * width] = 0.2 + torch.rand(width)
    bumps = bumps / bumps.norm(dim=1, keepdim=True)
    amounts = torch.distributions.Exponential(1.0).sample((n, parts)) * (torch.rand(n, parts) < 0.5)
    return amounts @ bumps, bumps


def trained(x: Tensor, updates: int, **arguments: float) -> tuple[NMF, list[float]]:
    model = NMF((x.shape[1],), rows=len(x), **{"parts": 4, **arguments})
    batch = Batch(x, torch.arange(len(x)))
    model.setup(batch)
    history = [model.update(batch)["divergence"].item() for _ in range(updates)]
    return model.eval(), history


def sparseness(rows: Tensor) -> Tensor:
    """Of each row: 0 where all its numbers are equal in size, 1 where one alone is not 0 (Hoyer, 2004)."""
    root = rows.shape[1] ** 0.5
    return (root - rows.abs().sum(1) / rows.norm(dim=1)) / (root - 1)


@pytest.mark.parametrize("beta", [1.0, 1.5, 2.0])
def test_the_divergence_never_rises_and_the_factors_stay_from_0_on(beta: float, measured: Callable[..., None]) -> None:
    x, _ = made_of_parts(200)
    x = x + 0.05 * torch.rand_like(x)
    model, history = trained(x, 150, beta=beta)
    rises = [after - before for before, after in pairwise(history)]
    measured(f"largest rise of the divergence in an update, beta {beta:g}", max(0.0, *rises), 0)
    assert max(rises) < 1e-5 * history[0]
    assert history[-1] < 0.2 * history[0]
    assert model.parts.min() >= 0 and model.activations.min() >= 0
    torch.testing.assert_close(model.parts.sum(1), torch.ones(4))
    again = beta_divergence(x, model.decode(model.activations), beta).mean()
    assert again.item() == pytest.approx(history[-1], rel=1e-4)


@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_parts_are_those_that_the_data_is_made_of_and_more_local_than_pcas(
    beta: float, measured: Callable[..., None]
) -> None:
    x, bumps = made_of_parts(300)
    model, _ = trained(x, 400, beta=beta)
    alike = torch.nn.functional.normalize(model.parts, dim=1) @ torch.nn.functional.normalize(bumps, dim=1).T
    assert alike.max(0).values.min() > 0.98 and len(set(alike.argmax(0).tolist())) == 4
    found = sparseness(model.parts).mean().item()
    principal = sparseness(torch.as_tensor(PCA(4).fit(x.numpy()).components_)).mean().item()
    measured(f"sparseness of the parts, beta {beta:g}", found, f"above PCA's {principal:.2f}")
    assert found > principal + 0.2


def test_the_divergences_are_kullback_and_leiblers_and_half_the_square() -> None:
    x, y = torch.rand(5, 3), torch.rand(5, 3)
    torch.testing.assert_close(beta_divergence(x, y, 2.0), 0.5 * (x - y).square().sum(1))
    poisson = torch.distributions.Poisson
    rows, means = torch.poisson(5 * torch.rand(5, 3)), 5 * torch.rand(5, 3)  # minus a log-likelihood, from its best
    best = torch.xlogy(rows, rows) - rows - torch.lgamma(rows + 1)
    torch.testing.assert_close(beta_divergence(rows, means, 1.0), (best - poisson(means).log_prob(rows)).sum(1))
    near = beta_divergence(x.double(), y.double(), 1.0 + 1e-6)
    torch.testing.assert_close(near, beta_divergence(x.double(), y.double(), 1.0), rtol=1e-4, atol=1e-5)


def test_a_new_row_is_encoded_as_by_nonnegative_least_squares() -> None:
    model = NMF((20,), rows=8, parts=4, beta=2.0)
    assert can(model, "encode") and can(model, "decode") and not can(model, "log_prob")
    model.parts.copy_(torch.rand(4, 20) ** 3)  # which overlap
    new = torch.rand(20, 20)
    codes = model.encode(new, steps=2000)
    right = np.stack([nnls(model.parts.double().numpy().T, row.double().numpy())[0] for row in new])
    torch.testing.assert_close(codes.double(), torch.from_numpy(right), rtol=1e-2, atol=1e-2)


def test_samples_have_the_means_of_the_data_and_lack_what_rows_lack() -> None:
    x, bumps = made_of_parts(400)
    model, _ = trained(x, 400)
    samples = model.sample(20_000)
    assert samples.min() >= 0
    torch.testing.assert_close(samples.mean(0), x.mean(0), rtol=0.1, atol=0.02)
    there = (bumps > 0).float()
    absent = [((rows @ there.T) < 1e-3 * x.mean()).float().mean(0) for rows in (samples, x)]  # each about a half
    torch.testing.assert_close(absent[0], absent[1], rtol=0, atol=0.05)


def test_the_noise_of_samples_is_that_of_the_errors() -> None:
    # Rows of one part with gamma noise about it, its variance in proportion to the mean: beta = 1.
    mean = torch.tensor([1.0, 4.0, 9.0])
    x = torch.distributions.Gamma(mean / 0.3, torch.tensor(1 / 0.3)).sample((4000,))
    model = NMF((3,), rows=4000, parts=1, smoothing=0.0)
    batch = Batch(x, torch.arange(4000))
    model.setup(batch)
    for _ in range(20):
        model.update(batch)
    samples = model.eval().sample(20_000)
    torch.testing.assert_close(samples.mean(0), mean, rtol=0.03, atol=0)
    torch.testing.assert_close(samples.var(0), x.var(0), rtol=0.1, atol=0)


def test_a_part_of_the_rows_leaves_the_activations_of_the_others_in_proportion() -> None:
    x, _ = made_of_parts(100)
    model, _ = trained(x, 5)
    before, parts = model.activations.clone(), model.parts.clone()
    model.update(Batch(x[:40], torch.arange(40)))
    ratio = model.activations[40:] / before[40:].clamp_min(1e-9)
    kept = before[40:] > 1e-3
    assert all(ratio[:, part][kept[:, part]].std() < 1e-4 for part in range(4))
    assert not torch.equal(model.parts, parts)


def test_bad_arguments_and_rows_are_named() -> None:
    with pytest.raises(ValueError, match=r"beta: must be from 1 to 2, .*, got 0.5"):
        NMF((3,), rows=10, beta=0.5)
    with pytest.raises(ValueError, match="rows: must be the 8 rows of the data, got 10"):
        NMF((3,), rows=10).setup(Batch(torch.rand(8, 3), torch.arange(8)))
