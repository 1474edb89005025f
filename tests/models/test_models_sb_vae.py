import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import Beta

from pcgen.models.base import Batch
from pcgen.models.variational.sb_vae import SBVAE

CONTRACT = {"sb_vae": {"truncation": 4, "widths": [16]}}


def exact_log_prob(model: SBVAE, x: Tensor) -> Tensor:
    """log p(x) of a model with two weights, hence one stick: an integral over it by the trapezoidal rule."""
    v = torch.linspace(0, 1, 4001)[1:-1]
    with torch.no_grad():
        decoded = model.decode(torch.stack((v, 1 - v), dim=1))
        nll = torch.stack([model.likelihood.nll(row.expand_as(decoded), decoded) for row in x])
    prior: Tensor = Beta(1.0, model.prior.beta).log_prob(v)
    return (prior - nll).logsumexp(1) - math.log(4000)


@pytest.mark.parametrize("kind", ["kumaraswamy", "gamma"])
def test_the_bound_is_below_the_exact_log_likelihood_and_meets_it_with_many_draws(
    measured: Callable[..., None], kind: str
) -> None:
    torch.manual_seed(0)
    model = SBVAE((3,), truncation=2, concentration=2.0, posterior=kind, widths=(16,), scale=0.3, lr=1e-2)
    v = torch.rand(400, 1)
    x = torch.cat((v, v.square(), (4 * v).sin()), dim=1) + 0.1 * torch.randn(400, 3)
    model.setup(Batch(x))
    for _ in range(300):
        model.update(Batch(x[torch.randint(400, (64,))]))
    exact = exact_log_prob(model, x[:100])
    with torch.no_grad():
        bounds = torch.stack([model.log_prob_bound(x[:100]) for _ in range(200)])
        many = model.log_prob_bound(x[:100], draws=2000)
    measured(f"bound of one draw ({kind}), nats", float(bounds.mean()), f"below {float(exact.mean()):.4f}")
    measured(f"bound of 2000 draws ({kind}), nats", float(many.mean()), float(exact.mean()))
    error = bounds.std(0) / math.sqrt(200)
    assert (bounds.mean(0) < exact + 5 * error).all()
    assert float((exact - bounds.mean(0)).mean()) == pytest.approx(0.1, abs=0.1)  # and not far below
    assert float((many - exact).mean()) == pytest.approx(0, abs=0.02)


def used(clusters: int) -> int:
    """Sticks that tell of the row, of 19: their divergence from the prior is a tenth of a nat at least."""
    torch.manual_seed(0)
    centres = 3 * torch.nn.functional.normalize(torch.randn(clusters, 8), dim=1)
    x = centres[torch.arange(1200) % clusters] + 0.1 * torch.randn(1200, 8)
    model = SBVAE((8,), truncation=20, widths=(64,), scale=0.5, lr=3e-3)
    model.setup(Batch(x))
    for _ in range(300):
        model.update(Batch(x[torch.randint(1200, (64,))]))
    with torch.no_grad():
        posterior = model.posterior(x, x.new_zeros(len(x), 0))
        told = posterior.sticks.kl_from_beta(model.prior.alpha, model.prior.beta).mean(0)
    return int((told > 0.1).sum())


def test_more_sticks_are_used_where_the_data_has_more_clusters(measured: Callable[..., None]) -> None:
    few, many = used(2), used(8)
    measured("sticks used, of 19, for two clusters", few, "1 or 2")
    measured("sticks used for eight", many, "more")
    assert 1 <= few <= 2 and many >= few + 2


def test_codes_are_weights_and_samples_decode_those_of_the_prior() -> None:
    model = SBVAE((3,), truncation=6, widths=(), scale=1e-3)
    weights = model.encode(torch.randn(50, 3))
    assert (weights > 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(50))
    decoded = model.decode(model.prior.draw(50_000))
    torch.testing.assert_close(model.sample(50_000).mean(0), decoded.mean(0), atol=0.03, rtol=0)
    torch.testing.assert_close(model.sample(50_000).std(0), decoded.std(0), atol=0.03, rtol=0)


def test_a_learned_scale_starts_at_that_of_the_residuals() -> None:
    torch.manual_seed(0)
    x = 0.1 * torch.randn(300, 6)
    model = SBVAE((6,), truncation=4, learn_scale=True)
    model.setup(Batch(x))
    assert float(model.likelihood.log_scale.exp()) == pytest.approx(0.1, rel=0.3)
