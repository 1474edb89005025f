from collections.abc import Callable

import pytest
import torch
from clusters import agreement, mean_bound, mixture_log_prob
from torch import Tensor, nn
from torch.distributions import Categorical, Normal, kl_divergence

from pcgen.models.base import Batch
from pcgen.models.variational.gm_vae import GMVAE
from pcgen.models.variational.mixture import MovedMixture
from pcgen.training import steps

CONTRACT = {"gm_vae": {"clusters": 4, "code": 3, "noise": 2, "widths": [16], "prior_widths": [8]}}

MIX = torch.tensor([[1.0, 0.2], [0.5, -1.0], [-0.8, 0.4], [0.1, 0.9], [0.6, 0.6]])
WEIGHTS = torch.tensor([0.5, 0.3, 0.2])
MEANS = torch.tensor([[-3.0, 0.0], [2.0, 2.0], [1.0, -3.0]])
SLOPES = torch.tensor([[1.0, 0.3], [0.2, 0.6], [0.8, 0.0]])  # of the means in w, which is one number
VARIANCES = torch.tensor([[0.1, 0.3], [0.4, 0.2], [0.2, 0.3]])


def linear_model() -> GMVAE:
    """Linear networks: x given y is Gaussian. The encoder knows nothing of the clusters, and of w its prior."""
    model = GMVAE((5,), clusters=3, code=2, noise=1, widths=(), prior_widths=(), scale=0.4)
    inverse = torch.linalg.inv(MIX.T @ MIX / 0.16 + torch.eye(2) / 9)
    with torch.no_grad():
        model.decoder.linear.weight.copy_(MIX)
        model.decoder.linear.bias.zero_()
        model.encoder.linear.weight.zero_()
        model.encoder.linear.weight[:2] = inverse @ MIX.T / 0.16
        model.encoder.linear.bias.zero_()
        model.encoder.linear.bias[2:4] = inverse.diagonal().log()
        model.prior.weights.logits.copy_(WEIGHTS.log())
        model.prior.network.linear.weight.copy_(torch.cat([SLOPES, torch.zeros(3, 2)], dim=1).view(12, 1))
        model.prior.network.linear.bias.copy_(torch.cat([MEANS, VARIANCES.log()], dim=1).flatten())
    return model


def test_the_bound_stays_below_the_exact_density_and_meets_it_with_many_draws(measured: Callable[..., None]) -> None:
    model = linear_model()
    x = model.sample(300)
    of_codes = SLOPES[:, :, None] * SLOPES[:, None] + VARIANCES.diag_embed()
    covariances = MIX @ of_codes @ MIX.T + 0.16 * torch.eye(5)
    exact = float(mixture_log_prob(x, WEIGHTS, MEANS @ MIX.T, covariances).mean())
    bounds = [mean_bound(model, x, draws) for draws in (1, 5, 2000)]
    for draws, (bound, _) in zip((1, 5, 2000), bounds, strict=True):
        measured(f"bound of {draws} draws on a known mixture, nats", bound, f"rising to {exact:.4f}")
    assert all(bound < exact + 4 * error for bound, error in bounds)
    assert bounds[0][0] < bounds[1][0] - 0.02 < exact - 0.04
    assert bounds[2][0] == pytest.approx(exact, abs=0.02)


def test_the_loss_is_minus_the_bound() -> None:
    model, x = linear_model(), torch.randn(20, 5)
    torch.manual_seed(1)
    loss = sum(model.loss(Batch(x)).values())
    torch.manual_seed(1)
    torch.testing.assert_close(loss, -model.log_prob_bound(x).mean())


def test_each_term_is_the_expectation_that_it_stands_for() -> None:
    """Against draws of w, of z, of y given both, and of another z, by torch's distributions."""
    model = GMVAE((5,), clusters=3, code=2, noise=2, widths=(8,), prior_widths=(8,), scale=0.6)
    draws = 100_000
    for parameter in model.parameters():
        if parameter.requires_grad:  # What starts at zero does not: w moves the clusters.
            torch.nn.init.normal_(parameter, std=0.4)
    x = torch.randn(1, 5)
    with torch.no_grad():
        terms, _ = model.parts(x.expand(draws, 5))
        mean, log_variance, w_mean, w_log_variance = model.encoder(x)[0].split(2)
        code, noise = Normal(mean, (log_variance / 2).exp()), Normal(w_mean, (w_log_variance / 2).exp())
        weights = model.prior.weights.logits.detach()
        parameters = model.prior.network(noise.sample((draws,))).view(draws, 3, 4)
        clusters = Normal(parameters[..., :2], (parameters[..., 2:] / 2).exp())
        y = Categorical(logits=weights + clusters.log_prob(code.sample((draws,))[:, None]).sum(2))
        z, row = code.sample((draws,)), torch.arange(draws)
        drawn = {
            "kl_z": code.log_prob(z).sum(1) - clusters.log_prob(z[:, None]).sum(2)[row, y.sample()],
            "kl_y": kl_divergence(y, Categorical(logits=weights)),
            "kl_w": kl_divergence(noise, Normal(torch.zeros(2), torch.ones(2))).sum().expand(draws),
            "reconstruction": -Normal(model.decode(z), 0.6).log_prob(x).sum(1),
        }
    assert terms.keys() == drawn.keys()
    for name, other in drawn.items():
        error = float((terms[name].var() + other.var()).sqrt()) / draws**0.5
        assert float(terms[name].mean()) == pytest.approx(float(other.mean()), abs=4 * error + 1e-4), name


def test_draws_of_the_prior_have_the_moments_of_a_linear_one() -> None:
    z = linear_model().prior.draw(100_000)
    of_each = SLOPES[:, :, None] * SLOPES[:, None] + VARIANCES.diag_embed() + MEANS[:, :, None] * MEANS[:, None]
    torch.testing.assert_close(z.mean(0), WEIGHTS @ MEANS, atol=0.04, rtol=0)
    torch.testing.assert_close(z.T @ z / len(z), (WEIGHTS[:, None, None] * of_each).sum(0), atol=0.08, rtol=0)


def known_mixture(n: int) -> tuple[Tensor, Tensor]:
    """Five Gaussians of two dimensions, bent into ten, and labels."""
    labels = torch.arange(n) % 5
    z = 3 * torch.randn(5, 2, generator=torch.Generator().manual_seed(3))[labels] + 0.5 * torch.randn(n, 2)
    return torch.tanh(z @ torch.randn(2, 10) / 2) + 0.05 * torch.randn(n, 10), labels


def test_it_clusters_a_known_mixture(measured: Callable[..., None]) -> None:
    x, labels = known_mixture(1000)
    model = GMVAE((10,), clusters=5, code=2, noise=2, widths=(32,), prior_widths=(16,), scale=0.1, lr=3e-3)
    told = [step.losses for step in steps(model, x, steps=600)][-1]
    measured("share of rows in the right one of five clusters", agreement(model.eval().cluster(x), labels), 1)
    assert agreement(model.eval().cluster(x), labels) > 0.9  # by chance .2
    assert told["clusters"] > 4


def test_the_degenerate_minimum_is_told_by_its_number() -> None:
    """Clusters that have merged: y says nothing of x, kl_y is 0, and one cluster is counted, even as they are."""
    model, x = linear_model(), torch.randn(64, 5)
    with torch.no_grad():
        model.prior.network.linear.weight.zero_()
        model.prior.network.linear.bias.copy_(torch.zeros(12))
    told = model.update(Batch(x))
    assert float(told["kl_y"]) == pytest.approx(0, abs=1e-6)
    assert float(told["clusters"]) == pytest.approx(1, abs=1e-4)
    apart = linear_model().update(Batch(linear_model().sample(3000)))["clusters"]
    torch.testing.assert_close(apart, Categorical(WEIGHTS).entropy().exp(), atol=0.1, rtol=0)


def test_information_below_the_least_costs_nothing() -> None:
    """The term pulls clusters together as long as it is above what is free; it is -log 0.2 = 1.61 at most."""
    x = linear_model().sample(64)
    for minimum, pulled in ((0.0, True), (0.5, True), (2.0, False)):
        model = linear_model()
        model.minimum_information = minimum
        term = model.loss(Batch(x))["kl_y"]
        assert (float(term.detach()) == pytest.approx(2.0)) is not pulled
        (slope,) = torch.autograd.grad(term, model.prior.network.linear.bias)
        assert bool(slope.any()) is pulled


def test_the_constraint_keeps_clusters_that_the_bound_alone_merges(measured: Callable[..., None]) -> None:
    """One Gaussian: clusters are of no use to the bound, and the cheapest is to have them merge."""
    x = torch.randn(1000, 4)
    found = {}
    for minimum in (0.0, 0.6):
        torch.manual_seed(2)
        model = GMVAE(
            (4,), clusters=2, code=2, noise=1, widths=(), prior_widths=(), minimum_information=minimum, lr=1e-2
        )
        found[minimum] = float([step.losses["clusters"] for step in steps(model, x, steps=500)][-1])
    measured("clusters of one Gaussian, of two: the degenerate minimum", found[0.0], 1)
    measured("the same with minimum_information=0.6", found[0.6], "above 1")
    assert found[0.0] < 1.2 < 1.4 < found[0.6]


def ellipsoids(n: int) -> tuple[Tensor, Tensor]:
    """Clouds of long, flat and round ellipsoids, and labels."""
    labels, directions = torch.arange(n) % 3, nn.functional.normalize(torch.randn(n, 32, 3), dim=2)
    axes = torch.tensor([[1.0, 0.2, 0.2], [0.8, 0.8, 0.15], [0.5, 0.5, 0.5]])[labels] * (1 + 0.15 * torch.randn(n, 3))
    return axes[:, None] * directions, labels


def test_clusters_of_clouds_start_apart_and_are_the_kinds_of_shapes(measured: Callable[..., None]) -> None:
    """Codes of an untrained encoder are nearly the same: clusters fitted to those would have merged."""
    x, labels = ellipsoids(300)
    decoder = {"name": "fully_connected", "widths": [64]}
    model = GMVAE((32, 3), clusters=3, code=4, noise=2, decoder=decoder, scale=0.05, lr=3e-3)
    every = (step.losses for step in steps(model, x, steps=200, batch_size=32))
    told = [losses["clusters"] for losses in every if "clusters" in losses]
    found = agreement(model.eval().cluster(x), labels)
    measured("share of clouds in the right one of three clusters", found, 1)
    assert told[0] > 2 and told[-1] > 2
    assert found > 0.9


def test_fewer_rows_than_clusters_are_named() -> None:
    with pytest.raises(ValueError, match=r"clusters: must be at most .*, got 5 clusters and 4 rows; set"):
        GMVAE((6,), clusters=5, code=2, widths=()).setup(Batch(torch.randn(4, 6)))
    with pytest.raises(ValueError, match="clusters: must be at least 1, got 0"):
        MovedMixture(2, 1, 0, ())
