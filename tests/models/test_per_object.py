"""Posteriors of rows of their own: the exact ones where they are known, and never worse than the encoder's."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from pcgen.models import make
from pcgen.models.base import Batch, Facts
from pcgen.models.variational.ncrp_vae import NCRPVAE
from pcgen.models.variational.per_object import (
    Posteriors,
    amortisation_gap,
    fit_posteriors,
    inferring,
    monte_carlo_em,
)
from pcgen.models.variational.vae import VAE
from pcgen.training import steps

MODEL = "vae"

MIX = torch.tensor([[1.0, 0.2], [0.5, -1.0], [-0.8, 0.4], [0.1, 0.9], [0.6, 0.6]])
SMALL: dict[str, dict[str, Any]] = {
    "vae": {"code": 3, "widths": [8], "classes": ["a", "b"]},
    "iwae": {"code": 3, "widths": [8]},
    "info_vae": {"code": 3, "widths": [8]},
    "vlae": {"code": 3, "widths": [8], "flow_widths": [8]},
    "vade": {"code": 3, "widths": [8], "clusters": 2},
    "gm_vae": {"code": 3, "noise": 2, "widths": [8], "clusters": 2},
    "ncrp_vae": {"code": 3, "widths": [8], "branching": 2},
    "dlgmm": {"code": 3, "widths": [8], "parts": 2},
    "sb_vae": {"truncation": 4, "widths": [8]},
}


def rows(n: int) -> Tensor:
    return torch.randn(n, 2) @ MIX.T + 0.4 * torch.randn(n, 5)


def model_of_the_data() -> VAE:
    """The decoder of `rows`, and an encoder that says the same of all rows."""
    model = VAE((5,), code=2, widths=(), scale=0.4)
    with torch.no_grad():
        model.decoder.linear.weight.copy_(MIX)
        model.decoder.linear.bias.zero_()
        for parameter in model.encoder.parameters():
            parameter.zero_()
    return model


def mean_bound(model: VAE, x: Tensor, times: int = 400) -> Tensor:
    """Of each row, (B,)."""
    with torch.no_grad():
        return torch.stack([model.log_prob_bound(x) for _ in range(times)]).mean(0)


def test_on_linear_gaussian_data_it_is_the_best_diagonal_gaussian_of_the_exact_posterior(
    measured: Callable[..., None],
) -> None:
    x, model = rows(60), model_of_the_data()
    precision = MIX.T @ MIX / 0.16 + torch.eye(2)  # of the exact posterior, whose mean is `mean`
    mean = x @ MIX / 0.16 @ torch.linalg.inv(precision)
    # The diagonal Gaussian of least KL(q | p) has the exact mean, and the variances that each has given the others.
    best = -precision.diagonal().log()
    least = 0.5 * float(precision.diagonal().log().sum() - torch.logdet(precision))
    exact = MultivariateNormal(torch.zeros(5), MIX @ MIX.T + 0.16 * torch.eye(5)).log_prob(x)
    own = fit_posteriors(model, x, draws=16)
    found, log_variance = own.numbers.detach().chunk(2, dim=1)
    torch.testing.assert_close(found, mean, atol=0.04, rtol=0)
    torch.testing.assert_close(log_variance, best.expand_as(log_variance), atol=0.15, rtol=0)
    with inferring(model, own):
        torch.testing.assert_close(model.encode(x), found)
        bound = mean_bound(model, x)
    measured("bound of posteriors fitted row by row, nats", float(bound.mean()), float(exact.mean()) - least)
    assert float(bound.mean()) == pytest.approx(float(exact.mean()) - least, abs=0.02)


def test_the_gap_is_what_the_encoder_loses_of_the_bound(measured: Callable[..., None]) -> None:
    """Of an encoder that says N(0, I) of every row, in closed form: its KL, less that of the best one."""
    x, model = rows(60), model_of_the_data()
    precision = MIX.T @ MIX / 0.16 + torch.eye(2)
    mean = x @ MIX / 0.16 @ torch.linalg.inv(precision)
    divergence = 0.5 * (precision.trace() - 2 - torch.logdet(precision) + ((mean @ precision) * mean).sum(1))
    least = 0.5 * (precision.diagonal().log().sum() - torch.logdet(precision))
    gap = amortisation_gap(model, fit_posteriors(model, x), x, draws=1000)
    measured(
        "amortisation gap of an encoder that sees nothing, nats", float(gap.mean()), float((divergence - least).mean())
    )
    assert float(gap.mean()) == pytest.approx(float((divergence - least).mean()), rel=0.01)
    assert torch.corrcoef(torch.stack([gap, divergence]))[0, 1] > 0.99


def test_rows_by_themselves_have_a_higher_bound_than_by_the_encoder_and_strange_ones_more_so() -> None:
    """Points about a circle, from a code of two numbers by an encoder of few units."""
    angle = 2 * math.pi * torch.rand(600)
    x = torch.stack((angle.cos(), angle.sin(), (2 * angle).cos(), (3 * angle).sin()), 1) + 0.1 * torch.randn(600, 4)
    model = VAE((4,), code=2, widths=(16,), scale=0.1, lr=3e-3)
    model.setup(Batch(x[:400]))
    for _ in range(600):
        model.update(Batch(x[torch.randint(400, (64,))]))
    held_out, strange = x[400:], 1.5 * x[400:]
    ordinary, far = (amortisation_gap(model, fit_posteriors(model, each), each) for each in (held_out, strange))
    for gap in (ordinary, far):
        assert float(gap.mean()) > 4 * float(gap.std()) / math.sqrt(len(gap))
    assert far.mean() > 2 * ordinary.mean()


@pytest.mark.parametrize("name", SMALL)
def test_posteriors_of_every_family_mend_an_encoder_and_the_model_stays_as_it_was(name: str) -> None:
    x, labels = torch.randn(48, 5), torch.arange(48) % 2
    x = torch.cat([x[:24] + 1, x[24:] - 1])
    model: Any = make(name, Facts((5,), 48), **SMALL[name])
    list(steps(model, x, labels=labels if model.classes else None, steps=20))
    model.zero_grad()
    with torch.no_grad():
        model.encoder.linear.bias.add_(torch.randn(len(model.encoder.linear.bias)) / 2)  # now it errs
    before = {key: value.clone() for key, value in model.state_dict().items()}
    encoder, mode = model.encoder, model.training
    known = labels if model.classes else None
    own = fit_posteriors(model, x, known, steps=100)
    assert (amortisation_gap(model, own, x, known) > 0).float().mean() > 0.9
    assert model.encoder is encoder and model.training == mode
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_monte_carlo_em_reaches_the_likelihood_of_ppca_without_an_encoder() -> None:
    x = rows(200)
    values = torch.linalg.eigvalsh(torch.cov(x.T, correction=0)).flip(0)
    noise = values[2:].mean()
    # Tipping & Bishop (1999): the mean log-likelihood at the maximum.
    exact = -0.5 * float(5 * math.log(2 * math.pi) + values[:2].log().sum() + 3 * noise.log() + 5)
    model = VAE((5,), code=2, widths=(), scale=1.0, learn_scale=True)
    encoder = {key: value.clone() for key, value in model.encoder.state_dict().items()}
    bounds = []
    for own in monte_carlo_em(model, x, rounds=40, steps=25, draws=4, lr=0.05):
        with inferring(model, own):
            bounds.append(float(mean_bound(model, x, 50).mean()))
    assert bounds[0] < exact - 0.3
    assert all(after > before - 0.05 for before, after in pairwise(bounds))
    assert bounds[-1] == pytest.approx(exact, abs=0.05)
    assert all(torch.equal(encoder[key], value) for key, value in model.encoder.state_dict().items())


def test_monte_carlo_em_moves_the_tree_of_clusters_too() -> None:
    """It has no gradient; its sums are those over the posteriors of all rows."""
    x = torch.cat([rows(30) + 3, rows(30) - 3])
    model = NCRPVAE((5,), levels=2, branching=2, code=2, widths=(), scale=0.4)
    model.setup(Batch(x))
    model.enter("first", Batch(x))
    for own in monte_carlo_em(model, x, rounds=2, steps=20):
        with inferring(model, own), torch.no_grad():
            q = model.posterior(x, x.new_zeros(60, 0))
        squares = (q.mean.square() + q.log_variance.exp()).double().sum(0)
        torch.testing.assert_close(model.prior.squares, squares)
        torch.testing.assert_close(model.prior.sums.sum(0), q.mean.double().sum(0))


def test_bad_arguments_are_named() -> None:
    model, x = model_of_the_data(), rows(4)
    clouds = VAE((8, 3), code=2)
    with pytest.raises(ValueError, match=r"model: must be of vectors, got VAE of shape \(8, 3\)"):
        fit_posteriors(clouds, torch.randn(4, 8, 3))
    with pytest.raises(ValueError, match="rows: must be at least 1, got 0"):
        fit_posteriors(model, x[:0])
    with pytest.raises(ValueError, match="draws: must be at least 1, got 0"):
        fit_posteriors(model, x, draws=0)
    with pytest.raises(ValueError, match="steps: must be 0 or more, got -1"):
        fit_posteriors(model, x, steps=-1)
    with pytest.raises(ValueError, match="rounds: must be at least 1, got 0"):
        next(monte_carlo_em(model, x, rounds=0))
    with pytest.raises(ValueError, match="lr: must be a positive number, got 0"):
        next(monte_carlo_em(model, x, lr=0))
    # With three draws, 12 repeated rows could be taken for 3 rows repeated four times.
    with pytest.raises(ValueError, match="x: must be the 3 rows that the posteriors are of, got 4"):
        amortisation_gap(model, Posteriors(torch.zeros(3, 4)), x, draws=3)
