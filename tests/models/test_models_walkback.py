import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, Normal

from pcgen.models.base import Batch
from pcgen.models.chains.dae import DAE
from pcgen.models.chains.operators import OperatorChain
from pcgen.models.chains.walkback import Walkback
from pcgen.training import fit

CONTRACT = {"walkback": {"steps": 3, "width": 16, "blocks": 1}}

CENTRES = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
NARROW = 0.03


def clusters(n: int) -> Tensor:
    """Four narrow Gaussians at the corners of a square."""
    return CENTRES[torch.randint(4, (n,))] + NARROW * torch.randn(n, 2)


def astray(model: OperatorChain, steps: int) -> float:
    """Share of samples that are farther from every centre than a row of data ever is: 5 deviations."""
    return float((torch.cdist(model.sample(2000, steps=steps), CENTRES).amin(1) > 5 * NARROW).float().mean())


def test_it_removes_the_modes_beside_the_data_that_a_denoisers_chain_keeps(measured: Callable[..., None]) -> None:
    """A denoiser of noise that is small beside the clusters has not seen what lies between them: the walk has."""
    torch.manual_seed(0)
    x = clusters(20_000)
    denoiser = DAE((2,), noise=0.01, walkback=1, width=64, blocks=2, dropout=0.0, lr=3e-3)
    fit(denoiser, x, seed=0, steps=300, batch_size=128)
    model = Walkback((2,), steps=6, temperature=0.015, smoothing=0.0, width=64, blocks=2, dropout=0.0, lr=3e-3)
    fit(model, x, seed=0, steps=400, batch_size=128)
    kept, left = astray(denoiser, 200), astray(model, 6)
    measured("share of a denoiser's samples far from all data after 200 transitions", kept, "above 0")
    measured("the same of walkback after 6", left, "near 0")
    assert left < 0.06 and kept > 2 * left + 0.02


def test_the_bound_starts_at_the_log_likelihood_of_the_gaussian(measured: Callable[..., None]) -> None:
    """Of each row in every walk, not on average alone: its transitions are then reversible."""
    data = torch.randn(500, 3) @ torch.tensor([[1.0, 0.4, 0.0], [0.0, 0.7, 0.2], [0.0, 0.0, 0.5]]) + 1
    model = Walkback((3,), width=8, blocks=1)
    model.setup(Batch(data))
    exact = MultivariateNormal(data.mean(0), torch.cov(data.T, correction=0)).log_prob(data)
    with torch.no_grad():
        bound = model.log_prob_bound(data)
    measured(
        "largest difference of the first bound from the Gaussian's log-likelihood, nats", (bound - exact).abs().max(), 0
    )
    torch.testing.assert_close(bound, exact, atol=2e-3, rtol=0)


def test_the_bound_is_below_the_chains_own_density_by_integration() -> None:
    """And the mean of its exponential is that density."""
    model = Walkback((1,), steps=3, temperature=0.2, width=8, blocks=1).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    grid = torch.linspace(-12, 12, 2401, dtype=torch.float64)[:, None]
    step = float(grid[1] - grid[0])
    with torch.no_grad():
        density = Normal(0.0, 1.0).log_prob(grid[:, 0]).exp()  # of s_K, where the data's Gaussian is N(0, 1)
        for t in (3, 2, 1):
            law = model.heated(grid, t)
            way = Normal(law.mean, (law.log_variance / 2).exp()).log_prob(grid.T).exp()  # (from, to)
            density = (density[:, None] * way).sum(0) * step
        assert float(density.sum()) * step == pytest.approx(1, abs=1e-4)
        at = torch.tensor([900, 1150, 1200, 1260, 1500])
        drawn = model.log_prob_bound(grid[at].repeat(40_000, 1)).view(-1, 5)
    exact = density[at].log()
    mean = drawn.logsumexp(0) - math.log(len(drawn))
    torch.testing.assert_close(mean, exact, atol=0.1, rtol=0)
    assert (drawn.mean(0) < exact).all()


def test_temperatures_double_on_the_way_and_halve_on_the_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Walkback((1,), steps=4, temperature=0.1, width=8, blocks=1)
    assert model.temperatures == pytest.approx([0.1, 0.2, 0.4, 0.8])
    asked: list[int] = []
    heated = model.heated
    monkeypatch.setattr(model, "heated", lambda y, t, known: asked.append(t) or heated(y, t, known))
    model.chain(torch.zeros(1, 1), 6)
    assert asked == [4, 3, 2, 1, 1, 1]
    asked.clear()
    model.log_prob_bound(torch.zeros(1, 1))
    assert asked == [1, 1, 2, 2, 3, 3, 4, 4]


def test_a_temperature_that_doubles_to_one_is_named() -> None:
    with pytest.raises(ValueError, match=r"temperature: must be below 1 after 3 doublings, got 1.6; give a lower one"):
        Walkback((2,), steps=4, temperature=0.2)


def test_rows_that_it_learns_from_are_smoothed_and_keep_their_variance() -> None:
    model = Walkback((2,), smoothing=0.3, width=8, blocks=1)
    y = torch.randn(50_000, 2) * torch.tensor([3.0, 0.5])
    model.setup(Batch(y))
    at = model.along(y)
    smoothed = model.smoothed(at, 0.3)
    torch.testing.assert_close(smoothed.var(0), at.var(0), rtol=0.03, atol=0)
    left = (smoothed - math.sqrt(0.7) * at).var(0)
    torch.testing.assert_close(left, 0.3 * model.variance, rtol=0.03, atol=0)
    torch.manual_seed(0)
    while_it_trains = model.train().loss(Batch(y))["bound"]
    torch.manual_seed(0)
    held_out = model.eval().loss(Batch(y))["bound"]
    assert not torch.equal(while_it_trains, held_out)
