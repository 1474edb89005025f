import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from pcgen.models.base import Batch
from pcgen.models.chains.infusion import Infusion
from pcgen.statistics import energy_distance
from pcgen.training import fit

CONTRACT = {"infusion": {"steps": 3, "width": 16, "blocks": 1}}

MIX = torch.tensor([[1.0, 0.4], [0.0, 0.7]])


def clusters(n: int) -> Tensor:
    """Four Gaussians of deviation 0.5 in the plane."""
    centres = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
    return centres[torch.randint(4, (n,))] + 0.5 * torch.randn(n, 2)


def trained(rate: float, growth: float) -> Infusion:
    torch.manual_seed(0)
    model = Infusion((2,), steps=12, rate=rate, growth=growth, width=48, blocks=2, dropout=0.0, lr=5e-3)
    fit(model, clusters(20_000), seed=0, steps=300, batch_size=128)
    return model


def test_its_steps_reach_the_data_and_those_learned_without_hints_do_not(measured: Callable[..., None]) -> None:
    model, without = trained(0.05, 0.07), trained(0.0, 0.0)
    found, plain, floor = (
        sum(float(energy_distance(draw(2000), clusters(2000))) for _ in range(5)) / 5
        for draw in (model.sample, without.sample, clusters)
    )
    measured("energy distance of samples to new data", found, floor)
    measured("the same of a chain trained without infusion", plain, "far above")
    assert found < 5 * floor and plain > 4 * found


def test_before_it_learns_the_mean_of_the_bounds_exponential_is_the_gaussians_density(
    measured: Callable[..., None],
) -> None:
    """Its steps then leave the Gaussian of the data as it is, whatever the hints are."""
    model = Infusion((2,), steps=4, rate=0.1, growth=0.15, width=8, blocks=1)
    data = torch.randn(500, 2) @ MIX.T + 1
    model.setup(Batch(data))
    x = data[:5]
    exact = MultivariateNormal(data.mean(0), torch.cov(data.T, correction=0)).log_prob(x)
    with torch.no_grad():
        drawn = model.log_prob_bound(x.repeat(40_000, 1)).view(-1, 5)
    mean = drawn.logsumexp(0) - math.log(len(drawn))
    measured("log of the mean of exp(bound) less the exact log-likelihood, nats", float((mean - exact).abs().max()), 0)
    torch.testing.assert_close(mean, exact, atol=0.05, rtol=0)
    assert (drawn.mean(0) < exact).all()


def test_a_coordinate_is_infused_as_often_as_the_rate_says() -> None:
    model = Infusion((2,), steps=3, rate=0.1, growth=0.3, width=8, blocks=1)
    y = torch.full((20_000, 2), 7.0)  # where the chain itself does not come
    for t, (_, z) in enumerate(model.infused(y)):
        near = ((z - y).abs() < 0.1).float().mean()
        assert float(near) == pytest.approx(0.1 + 0.3 * t, abs=0.015)


def test_its_steps_know_how_far_an_infused_state_of_gaussian_data_can_be_trusted() -> None:
    """The share that a step keeps, and the variance that it adds, are those of the best linear prediction."""
    model = Infusion((1,), steps=4, rate=0.2, growth=0.1, width=8, blocks=1)
    y = torch.randn(200_000, 1)
    for t, (_, z) in enumerate(model.infused(y)):
        assert float((z * y).mean()) == pytest.approx(float(model.kept[t]), abs=0.01)
        assert float(z.square().mean()) == pytest.approx(1, abs=0.02)


def test_a_rate_that_grows_to_one_is_named() -> None:
    with pytest.raises(ValueError, match=r"growth: must keep rate \+ growth \* \(steps - 1\) below 1, got 1.1"):
        Infusion((2,), steps=11, rate=0.1, growth=0.1)
