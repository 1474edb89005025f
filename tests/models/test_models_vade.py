from collections.abc import Callable

import pytest
import torch
from clusters import agreement, mean_bound, mixture_log_prob, unlike_clusters
from sklearn.cluster import KMeans
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, kl_divergence

from pcgen.models.base import Batch
from pcgen.models.variational.mixture import Components, LearnedMixture, divergence_of_shares, fitted, found_clusters
from pcgen.models.variational.posterior import DiagonalGaussian
from pcgen.models.variational.vade import VaDE
from pcgen.training import steps

CONTRACT = {"vade": {"clusters": 4, "code": 3, "widths": [16]}}

MIX = torch.tensor([[1.0, 0.2], [0.5, -1.0], [-0.8, 0.4], [0.1, 0.9], [0.6, 0.6]])
WEIGHTS = torch.tensor([0.5, 0.3, 0.2])
MEANS = torch.tensor([[-3.0, 0.0], [2.0, 2.0], [1.0, -3.0]])
VARIANCES = torch.tensor([[0.1, 1.0], [0.5, 0.2], [1.0, 0.3]])


def model_of_three_clusters() -> VaDE:
    """A linear decoder, its clusters, and an encoder that knows nothing of them: the posterior under N(0, 9 I)."""
    model = VaDE((5,), clusters=3, code=2, widths=(), scale=0.4)
    inverse = torch.linalg.inv(MIX.T @ MIX / 0.16 + torch.eye(2) / 9)
    with torch.no_grad():
        model.decoder.linear.weight.copy_(MIX)
        model.decoder.linear.bias.zero_()
        model.encoder.linear.weight.copy_(torch.cat([inverse @ MIX.T / 0.16, torch.zeros(2, 5)]))
        model.encoder.linear.bias.copy_(torch.cat([torch.zeros(2), inverse.diagonal().log()]))
        model.prior.weights.logits.copy_(WEIGHTS.log())
        model.prior.mean.copy_(MEANS)
        model.prior.log_variance.copy_(VARIANCES.log())
    model.phase.fill_(1)
    return model


def test_the_bound_stays_below_the_exact_density_and_meets_it_with_many_draws(measured: Callable[..., None]) -> None:
    model = model_of_three_clusters()
    x = model.sample(300)
    covariances = MIX @ VARIANCES.diag_embed() @ MIX.T + 0.16 * torch.eye(5)
    exact = float(mixture_log_prob(x, WEIGHTS, MEANS @ MIX.T, covariances).mean())
    bounds = [mean_bound(model, x, draws) for draws in (1, 5, 1000)]
    for draws, (bound, _) in zip((1, 5, 1000), bounds, strict=True):
        measured(f"bound of {draws} draws on a known mixture, nats", bound, f"rising to {exact:.4f}")
    assert all(bound < exact + 4 * error for bound, error in bounds)
    assert bounds[0][0] < bounds[1][0] - 0.02 < exact - 0.04
    assert bounds[2][0] == pytest.approx(exact, abs=0.01)


def test_the_loss_is_minus_the_bound() -> None:
    model, x = model_of_three_clusters(), torch.randn(20, 5)
    torch.manual_seed(1)
    loss = sum(model.loss(Batch(x)).values())
    torch.manual_seed(1)
    torch.testing.assert_close(loss, -model.log_prob_bound(x).mean())


def test_the_divergence_is_that_of_code_and_cluster_together() -> None:
    """sum_c s_c KL(q(z) | p(z | c)) + KL(s | pi), against the mean of log q(z) s_c - log p(z, c) over draws of both."""
    prior = model_of_three_clusters().prior
    q, shares = (
        DiagonalGaussian(torch.tensor([[0.4, -1.0]]), torch.tensor([[-1.0, 0.5]])),
        torch.tensor([0.2, 0.1, 0.7]),
    )
    of_codes = (shares * prior.components.divergences(q)).sum()
    closed = float((of_codes + divergence_of_shares(shares.log()[None], WEIGHTS.log())[0]).detach())
    cluster = Categorical(shares).sample((200_000,))
    z = q.repeated(200_000).draw()
    joint = (WEIGHTS.log() + Normal(MEANS, VARIANCES.sqrt()).log_prob(z[:, None]).sum(2))[
        torch.arange(200_000), cluster
    ]
    drawn = (q.repeated(200_000).log_prob(z) + shares.log()[cluster] - joint).detach()
    assert closed == pytest.approx(float(drawn.mean()), abs=4 * float(drawn.std()) / 200_000**0.5)


def test_components_of_each_row_are_those_of_torch() -> None:
    components = Components(torch.randn(4, 3, 2), torch.randn(4, 3, 2))
    q, z = DiagonalGaussian(torch.randn(4, 2), torch.randn(4, 2)), torch.randn(4, 2)
    other = Normal(components.mean, (components.log_variance / 2).exp())
    own = Normal(q.mean[:, None], (q.log_variance / 2).exp()[:, None])
    torch.testing.assert_close(components.divergences(q), kl_divergence(own, other).sum(2))
    torch.testing.assert_close(components.log_prob(z), other.log_prob(z[:, None]).sum(2))


def test_the_prior_is_the_mixture_that_torch_knows() -> None:
    prior, z = model_of_three_clusters().prior, 3 * torch.randn(50, 2)
    other = MixtureSameFamily(Categorical(WEIGHTS), Independent(Normal(MEANS, VARIANCES.sqrt()), 1))
    torch.testing.assert_close(prior.log_prob(z), other.log_prob(z))
    draws = prior.draw(100_000)
    torch.testing.assert_close(draws.mean(0), other.mean, atol=0.04, rtol=0)
    torch.testing.assert_close(draws.var(0), other.variance, atol=0, rtol=0.03)
    assert prior.draw(1000, truncation=0.01).unique(dim=0).std(0).min() > 1  # of the means, which are not truncated


def test_sampled_clusters_are_as_frequent_as_their_weights() -> None:
    model = model_of_three_clusters()
    counts = torch.bincount(model.cluster(model.sample(20_000)), minlength=3) / 20_000
    torch.testing.assert_close(counts, WEIGHTS, atol=0.015, rtol=0)


def test_clustering_begins_with_a_mixture_of_the_moments_of_the_codes() -> None:
    """Each step of EM leaves a mixture that has the mean and the variances of the data; draws of q are wider."""
    model, (x, _) = VaDE((6,), clusters=4, code=2, widths=(16,), scale=0.15), unlike_clusters(400)
    list(steps(model, x, steps=2))  # One step in each phase.
    model.enter("clustering", Batch(x))
    q = model.posterior(x, x.new_zeros(400, 0))
    torch.testing.assert_close(q.log_variance.exp(), 0.01 * q.mean.var(0, correction=0).expand(400, 2))
    weights = model.prior.weights.log().exp()[:, None]
    mean = (weights * model.prior.mean).sum(0)
    variance = (weights * (model.prior.log_variance.exp() + (model.prior.mean - mean).square())).sum(0)
    torch.testing.assert_close(mean, q.mean.mean(0), atol=1e-4, rtol=0)
    torch.testing.assert_close(variance, 1.01 * q.mean.var(0), atol=0, rtol=0.005)


def test_the_clusters_that_it_begins_with_do_not_depend_on_the_unit_of_a_code() -> None:
    """Two clusters, and a dimension that is long and says nothing of them: k-means of the codes would cut it in two."""
    codes = torch.stack([100 * torch.randn(400), 2.0 * (torch.arange(400) % 2) - 1 + 0.3 * torch.randn(400)], dim=1)
    q = DiagonalGaussian(codes, torch.full_like(codes, -20.0))
    weights, components = fitted(q, codes / torch.tensor([1000.0, 1.0]), 2)
    torch.testing.assert_close(components.mean[:, 1].sort().values, torch.tensor([-1.0, 1.0]), atol=0.1, rtol=0)
    torch.testing.assert_close(weights, torch.full((2,), 0.5), atol=0.01, rtol=0)


def test_the_first_phase_is_a_plain_autoencoder() -> None:
    """No noise, and nothing reaches the prior or the posterior's variance."""
    model, x = VaDE((6,), clusters=3, code=2, widths=(16,)), unlike_clusters(64)[0]
    torch.testing.assert_close(model.loss(Batch(x)), model.loss(Batch(x)), rtol=0, atol=0)
    assert set(model.update(Batch(x))) == {"reconstruction"}
    assert all(parameter.grad is None for parameter in model.prior.parameters())
    assert not model.encoder.linear.weight.grad[2:].any() and model.encoder.linear.weight.grad[:2].any()


def test_it_clusters_better_than_k_means_where_clusters_are_unlike(measured: Callable[..., None]) -> None:
    x, labels = unlike_clusters(1200)
    k_means = torch.from_numpy(KMeans(3, n_init=10, random_state=0).fit_predict(x.numpy())).long()
    model = VaDE((6,), clusters=3, code=2, widths=(64, 64), scale=0.1, lr=3e-3)
    list(steps(model, x, steps=1000, batch_size=128))
    wrong = 1 - agreement(k_means, labels)  # It gives rows of the wide cluster to the small ones.
    measured(
        "rows in a wrong cluster, by those of k-means",
        (1 - agreement(model.eval().cluster(x), labels)) / wrong,
        "below 1",
    )
    assert 1 - agreement(model.eval().cluster(x), labels) < 0.5 * wrong < 0.05


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        (torch.eye(3).repeat(4, 1), 3.0),
        (torch.full((12, 3), 1 / 3), 1.0),  # All clusters have merged: the mean share is as even as above.
        (torch.tensor([[1.0, 0.0, 0.0]]).repeat(12, 1), 1.0),
    ],
)
def test_clusters_are_counted_by_what_they_tell_of_a_row(shares: Tensor, expected: float) -> None:
    log_shares = shares.log().clamp_min(-300)  # whose exponential is 0, as of a cluster that is far away
    assert float(found_clusters(log_shares)) == pytest.approx(expected, rel=1e-4)


def test_fewer_rows_than_clusters_are_named() -> None:
    model = VaDE((6,), clusters=5, code=2, widths=())
    with pytest.raises(ValueError, match=r"clusters: must be at most .*, got 5 clusters and 4 rows; set"):
        model.enter("clustering", Batch(torch.randn(4, 6)))
    with pytest.raises(ValueError, match="clusters: must be at least 1, got 0"):
        LearnedMixture(2, 0)
