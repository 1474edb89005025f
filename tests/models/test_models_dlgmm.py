import math
from collections.abc import Callable

import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor, nn
from torch.distributions import Normal

from pcgen.models.base import Batch
from pcgen.models.variational.dlgmm import DLGMM

CONTRACT = {"dlgmm": {"parts": 3, "code": 3, "widths": [16]}}

GRID = torch.linspace(-8, 8, 8001, dtype=torch.float64)
STEP = float(GRID[1] - GRID[0])
SCALE = 0.2


class Fold(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return z.abs()


def exact_log_prob(x: float) -> float:
    """log p(x) of x = |z| + SCALE e with z and e standard normal, by quadrature."""
    joint = Normal(0.0, 1.0).log_prob(GRID) + Normal(GRID.abs(), SCALE).log_prob(GRID.new_tensor(x))
    return float(joint.logsumexp(0)) + math.log(STEP)


def best_gaussian_bound(x: float) -> float:
    """The highest bound on log p(x) that a posterior of one Gaussian has, by quadrature and search."""
    joint = Normal(0.0, 1.0).log_prob(GRID) + Normal(GRID.abs(), SCALE).log_prob(GRID.new_tensor(x))

    def minus_bound(parameters: list[float]) -> float:
        q = Normal(GRID.new_tensor(parameters[0]), GRID.new_tensor(math.exp(parameters[1]))).log_prob(GRID)
        return -float((q.exp() * (joint - q)).sum()) * STEP

    starts = [(x, math.log(SCALE)), (0.0, 0.0)]
    return -min(float(minimize(minus_bound, start, method="Nelder-Mead").fun) for start in starts)


def test_a_posterior_of_two_modes_is_fitted_where_one_gaussian_cannot(measured: Callable[..., None]) -> None:
    """x = |z| + noise: z and -z explain a row alike. The decoder and the prior of z, N(0, 1), are given."""
    torch.manual_seed(0)
    model = DLGMM((1,), parts=2, code=1, widths=(32,), scale=SCALE, concentration=5.0, lr=5e-3)
    model.decoder = Fold()
    with torch.no_grad():
        model.prior.means.zero_()
        model.prior.log_variances.zero_()
    model.prior.requires_grad_(False)
    for _ in range(800):
        model.update(Batch(torch.randn(128, 1).abs() + SCALE * torch.randn(128, 1)))
    x = torch.tensor([[0.6], [0.9], [1.2], [1.5], [1.8]])
    exact = torch.tensor([exact_log_prob(float(each)) for each in x])
    single = torch.tensor([best_gaussian_bound(float(each)) for each in x])
    with torch.no_grad():
        bounds = torch.stack([model.log_prob_bound(x) for _ in range(500)])
        many = model.log_prob_bound(x, draws=5000)
        parts = model.posterior(x, x.new_zeros(5, 0)).parts.mean[:, :, 0]
    measured(
        "bound where the posterior has two modes, nats",
        float(bounds.mean()),
        f"below {float(exact.mean()):.4f}",
    )
    measured("the highest bound of any one Gaussian there, nats", float(single.mean()), "lower")
    error = bounds.std(0) / math.sqrt(500)
    assert (bounds.mean(0) < exact + 5 * error).all()
    assert (bounds.mean(0) > single + 0.2).all()
    assert (parts.amin(1) < -0.4).all() and (parts.amax(1) > 0.4).all()
    torch.testing.assert_close(many, exact, atol=0.1, rtol=0)
    # A code stands for the row: the mean of both modes would not.
    torch.testing.assert_close(model.decode(model.encode(x)), x, atol=0.15, rtol=0)


def test_the_marginal_prior_is_what_is_sampled() -> None:
    model = DLGMM((2,), parts=3, code=1, concentration=0.6)
    z = model.prior.draw(100_000)[:, 0]
    exact = torch.stack([model.prior.log_prob(each.float()[None, None]).exp()[0] for each in GRID[::40]]).detach()
    assert float(exact.sum()) * STEP * 40 == pytest.approx(1, abs=1e-3)
    for cut in (-1.0, 0.0, 1.0):
        below = float(exact[GRID[::40] < cut].sum()) * STEP * 40
        assert float((z < cut).float().mean()) == pytest.approx(below, abs=0.03)


def test_training_starts_with_parts_near_ppca_and_weights_at_their_prior() -> None:
    x = torch.randn(300, 2) @ torch.randn(2, 6) + 0.3 * torch.randn(300, 6)
    model = DLGMM((6,), parts=3, code=2, widths=(8,))
    model.setup(Batch(x))
    posterior = model.posterior(x, x.new_zeros(300, 0))
    assert float(posterior.weights.kl_from_prior().detach().abs().max()) < 1e-4
    rest = x - model.decode(posterior.parts.mean[:, 0])
    assert float(rest.detach().square().mean()) < 0.3 * float(x.var())
    assert not torch.equal(posterior.parts.mean[:, 0], posterior.parts.mean[:, 1])


def test_with_a_prior_of_two_modes_the_bound_is_below_the_exact_value_and_meets_it_with_many_draws(
    measured: Callable[..., None],
) -> None:
    """x = z + noise, where the components of the prior are far apart and of unequal variance."""
    means, variances = torch.tensor([-1.0, 2.0]), torch.tensor([0.3, 1.2])
    model = DLGMM((1,), parts=2, code=1, widths=(32,), scale=SCALE, lr=5e-3)
    with torch.no_grad():
        model.prior.means.copy_(means[:, None])
        model.prior.log_variances.copy_(variances.log()[:, None])
    model.prior.requires_grad_(False)
    model.likelihood.requires_grad_(False)
    model.decoder = nn.Identity()
    for _ in range(500):
        model.update(Batch(model.sample(128)))
    x = torch.tensor([[-2.0], [-1.0], [0.3], [1.0], [2.0], [3.5]])
    prior = torch.stack([Normal(m, v.sqrt()).log_prob(GRID) for m, v in zip(means, variances, strict=True)])
    noise = Normal(GRID, model.likelihood.variances.sqrt().double()).log_prob(x.double())  # (6, grid)
    exact = ((prior.logsumexp(0) - math.log(2) + noise).logsumexp(1) + math.log(STEP)).float()
    with torch.no_grad():
        bounds = torch.stack([model.log_prob_bound(x) for _ in range(500)])
        many = model.log_prob_bound(x, draws=5000)
    measured("bound with a prior of two modes, nats", float(bounds.mean()), f"below {float(exact.mean()):.4f}")
    measured("bound of 5000 draws there, nats", float(many.mean()), float(exact.mean()))
    assert (bounds.mean(0) < exact + 5 * bounds.std(0) / math.sqrt(500)).all()
    assert float((exact - bounds.mean(0)).mean()) == pytest.approx(0.1, abs=0.1)  # and not far below
    torch.testing.assert_close(many, exact, atol=0.1, rtol=0)


@pytest.mark.parametrize(("concentration", "start"), [(1.0, True), (5.0, False)])
def test_weights_start_at_their_prior_where_its_sticks_are_also_kumaraswamys(concentration: float, start: bool) -> None:
    model = DLGMM((6,), parts=3, code=2, widths=(8,), concentration=concentration)
    x = torch.randn(100, 6)
    model.setup(Batch(x))
    divergence = model.posterior(x, x.new_zeros(100, 0)).weights.kl_from_prior().detach()
    assert (float(divergence.max()) < 1e-4) is start
