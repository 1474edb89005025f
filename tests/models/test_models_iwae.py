import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from pcgen.models.base import Batch
from pcgen.models.variational.iwae import IWAE

CONTRACT = {"iwae": {"code": 3, "widths": [16], "draws": 3}}

MIX = torch.tensor([[1.0, 0.2], [0.5, -1.0], [-0.8, 0.4], [0.1, 0.9], [0.6, 0.6]])


def rows(n: int) -> Tensor:
    return torch.randn(n, 2) @ MIX.T + 0.4 * torch.randn(n, 5)


def model_of_the_data(error: float) -> IWAE:
    """The decoder of `rows`, and an encoder whose means are off by `error` in every coordinate."""
    model = IWAE((5,), code=2, widths=(), scale=0.4)
    posterior = torch.linalg.inv(MIX.T @ MIX / 0.16 + torch.eye(2))
    with torch.no_grad():
        model.decoder.linear.weight.copy_(MIX)
        model.decoder.linear.bias.zero_()
        model.encoder.linear.weight.copy_(torch.cat([posterior @ MIX.T / 0.16, torch.zeros(2, 5)]))
        model.encoder.linear.bias[:2] = error
        model.encoder.linear.bias[2:] = posterior.diagonal().log()
    return model


def mean_bound(model: IWAE, x: Tensor, draws: int, times: int = 60) -> tuple[float, float]:
    """The bound over the rows, and its standard error."""
    with torch.no_grad():
        found = torch.stack([model.log_prob_bound(x, draws=draws).mean() for _ in range(times)])
    return float(found.mean()), float(found.std()) / math.sqrt(times)


def test_the_bound_rises_with_the_draws_and_stays_below_the_exact_value(measured: Callable[..., None]) -> None:
    x = rows(300)
    exact = float(MultivariateNormal(torch.zeros(5), MIX @ MIX.T + 0.16 * torch.eye(5)).log_prob(x).mean())
    model = model_of_the_data(error=0.25)
    bounds = [mean_bound(model, x, draws) for draws in (1, 2, 5, 20, 200)]
    for draws, (bound, _) in zip((1, 2, 5, 20, 200), bounds, strict=True):
        measured(f"bound of {draws} draws, nats", bound, f"rising to {exact:.4f}")
    for (low, error), (high, other) in itertools.pairwise(bounds):
        assert low + 4 * error < high - 4 * other
    assert all(bound < exact + 4 * error for bound, error in bounds)
    assert bounds[-1][0] == pytest.approx(exact, abs=0.03)


def test_one_draw_is_the_variational_bound() -> None:
    """E log p(x, z) / q(z | x) is the evidence lower bound, which `draws=1` gives with the exact KL."""
    x, model = rows(300), model_of_the_data(error=0.3)
    with torch.no_grad():
        y = x.new_zeros(len(x), 0)
        drawn = torch.stack([model.log_weights(x, y, 1)[0].mean() for _ in range(100)])
    bound, error = mean_bound(model, x, 1)
    assert float(drawn.mean()) == pytest.approx(bound, abs=4 * (error + float(drawn.std()) / 10))


def test_the_loss_is_minus_the_bound_of_its_draws() -> None:
    x, model = rows(50), model_of_the_data(error=0.3)
    torch.manual_seed(0)
    loss = model.loss(Batch(x))["bound"]
    torch.manual_seed(0)
    torch.testing.assert_close(loss, -model.log_prob_bound(x, draws=model.draws).mean())


def test_training_by_more_draws_gives_a_higher_likelihood_where_the_posterior_is_no_gaussian(
    measured: Callable[..., None],
) -> None:
    """Points on a circle from a code of one number: the posterior has two ends, which one Gaussian cannot cover."""
    torch.manual_seed(0)
    angle = 2 * math.pi * torch.rand(2000)
    x = torch.stack((angle.cos(), angle.sin()), dim=1) + 0.1 * torch.randn(2000, 2)
    found = {}
    for draws in (1, 20):
        torch.manual_seed(1)
        model = IWAE((2,), draws=draws, code=1, widths=(32, 32), scale=0.1, lr=3e-3)
        model.setup(Batch(x))
        for _ in range(1500):
            model.update(Batch(x[torch.randint(2000, (128,))]))
        found[draws] = mean_bound(model, x[:500], 500, 4)[0]
    measured("log-likelihood after training by 20 draws, above that by 1, nats", found[20] - found[1], "above 0")
    assert found[20] > found[1] + 0.02
