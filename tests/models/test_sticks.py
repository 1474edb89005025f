import math

import pytest
import torch
from scipy.integrate import quad
from scipy.special import betaln
from torch import Tensor
from torch.distributions import Beta, Dirichlet

from pcgen.models.variational.stick_breaking import BrokenSticks, dirichlet, gem, log_weights, sticks_of
from pcgen.models.variational.sticks import STICKS, BetaSticks, KumaraswamySticks

GRID = [(a, b) for a in (0.05, 0.3, 1.0, 5.0, 20.0) for b in (0.05, 0.3, 1.0, 5.0, 100.0, 1e4)]


def log_expm1(t: float) -> float:
    """log(1 - exp(t)) for t < 0."""
    return math.log(-math.expm1(t)) if t > -1 else math.log1p(-math.exp(t))


def integrated(a: float, b: float, alpha: float, beta: float) -> float:
    """KL(Kumaraswamy(a, b) | Beta(alpha, beta)) as an integral over u = 1 / (1 + exp(-x)), v = (1 - u^(1/b))^(1/a)."""

    def integrand(x: float) -> float:
        log_u = -math.log1p(math.exp(-x)) if x > -30 else x
        log_power = log_u / b  # of 1 - v^a
        log_v = log_expm1(log_power) / a
        log_left = log_expm1(log_v) if log_v < 0 else -math.inf
        q = math.log(a) + math.log(b) + (a - 1) * log_v + (b - 1) * log_power
        p = (alpha - 1) * log_v + ((beta - 1) * log_left if beta != 1 else 0.0) - betaln(alpha, beta)
        return float((q - p) * math.exp(log_u) / (1 + math.exp(x)))

    return float(quad(integrand, -34, 34, points=[-20, -5, 0, 5, 20], limit=400)[0])


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 5.0), (0.5, 0.5), (2.0, 3.0)])
def test_the_divergence_from_beta_is_the_integral(alpha: float, beta: float) -> None:
    a, b = torch.tensor(GRID, dtype=torch.float64).unbind(1)
    exact = a.new_tensor([integrated(*each, alpha, beta) for each in GRID])
    for dtype, tolerance in ((torch.float64, 3e-4), (torch.float32, 5e-4)):
        sticks = KumaraswamySticks(a.to(dtype), b.to(dtype))
        found = sticks.kl_from_beta(torch.tensor(alpha, dtype=dtype), torch.tensor(beta, dtype=dtype))
        assert float(((found - exact).abs() / exact.clamp_min(1)).max()) < tolerance


@pytest.mark.parametrize("beta", [0.2, 1.0, 5.0, 50.0])
def test_a_kumaraswamy_stick_with_a_1_is_a_beta_stick(beta: float) -> None:
    """So its divergence is 0, which a series that is cut short misses, and turns negative."""
    one, last = torch.ones(1, dtype=torch.float64), torch.tensor([beta], dtype=torch.float64)
    sticks = KumaraswamySticks(one, last)
    assert float(sticks.kl_from_beta(one, last)) == pytest.approx(0, abs=3e-5)
    v = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)
    torch.testing.assert_close(sticks.log_prob(v), Beta(one, last).log_prob(v))
    torch.testing.assert_close(sticks.mean, 1 / (1 + last), rtol=1e-5, atol=0)


@pytest.mark.parametrize("kind", STICKS)
@pytest.mark.parametrize(("a", "b"), [(0.7, 2.0), (1.0, 5.0), (4.0, 1.5)])
def test_draws_have_their_density_and_a_gradient_to_the_mean(kind: str, a: float, b: float) -> None:
    torch.manual_seed(0)
    shapes = torch.tensor([a, b], dtype=torch.float64, requires_grad=True)
    many = STICKS[kind](*(each.expand(200_000, 1) for each in shapes))
    v = many.draw()
    cuts = torch.linspace(0.1, 0.9, 9, dtype=torch.float64)
    grid = torch.linspace(1e-9, 1 - 1e-9, 200_001, dtype=torch.float64)
    density = STICKS[kind](*shapes.detach()).log_prob(grid).exp()
    exact = torch.stack([torch.trapezoid(density[grid <= cut], grid[grid <= cut]) for cut in cuts])
    assert float(((v < cuts).double().mean(0) - exact).abs().max()) < 5e-3
    mean = STICKS[kind](*shapes).mean
    assert float((v.mean() - mean).detach()) == pytest.approx(0, abs=3e-3)
    (of_draws,) = torch.autograd.grad(v.mean(), shapes)
    (of_mean,) = torch.autograd.grad(mean, shapes)
    torch.testing.assert_close(of_draws, of_mean, atol=2e-3, rtol=0.02)


@pytest.mark.parametrize("kind", STICKS)
def test_an_encoders_zeros_are_the_prior_and_extreme_numbers_stay_finite(kind: str) -> None:
    prior = gem(4, 5.0)
    assert float(
        BrokenSticks(STICKS[kind].near(prior.alpha, prior.beta, torch.zeros(2, 6)), prior).kl_from_prior()[0]
    ) == (pytest.approx(0, abs=1e-5))
    numbers = torch.tensor([[s * 40.0] * 3 + [t * 40.0] * 3 for s in (-1, 1) for t in (-1, 1)], requires_grad=True)
    posterior = BrokenSticks(STICKS[kind].near(prior.alpha, prior.beta, numbers), prior)
    weights = posterior.draw()
    torch.testing.assert_close(weights.sum(1), torch.ones(4))
    for value in (weights.square().sum(), posterior.kl_from_prior().sum(), posterior.mean.square().sum()):
        (gradient,) = torch.autograd.grad(value, numbers, retain_graph=True)
        assert torch.isfinite(value) and torch.isfinite(gradient).all()


def test_weights_are_what_is_broken_off_in_turn() -> None:
    v = torch.tensor([[0.5, 0.5, 0.2], [0.1, 1e-20, 0.999]])
    weights = log_weights(v).exp()
    torch.testing.assert_close(weights, torch.tensor([[0.5, 0.25, 0.05, 0.2], [0.1, 9e-21, 0.8991, 0.0009]]))
    again, left = sticks_of(weights)
    torch.testing.assert_close(again, v)
    torch.testing.assert_close(left, torch.tensor([[1.0, 0.5, 0.25], [1.0, 0.9, 0.9]]))


def test_sticks_of_a_dirichlet_distribution_are_its_density_and_its_moments() -> None:
    prior, exact = dirichlet(4, 0.7), Dirichlet(torch.full((4,), 0.7))
    weights = exact.sample((50,))
    torch.testing.assert_close(prior.log_prob(weights), exact.log_prob(weights), atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(prior.mean, exact.mean)
    torch.testing.assert_close(prior.draw(100_000).mean(0), exact.mean, atol=5e-3, rtol=0)
    with pytest.raises(ValueError, match="truncation: must be None for a prior stickbreaking"):
        prior.draw(3, truncation=1.0)


def test_a_posterior_of_the_priors_own_sticks_has_its_density_and_its_mean() -> None:
    prior = gem(5, 3.0)
    posterior = BrokenSticks(BetaSticks(prior.alpha.expand(20, -1), prior.beta.expand(20, -1)), prior)
    weights: Tensor = prior.draw(20)
    torch.testing.assert_close(posterior.log_prob(weights), prior.log_prob(weights))
    torch.testing.assert_close(posterior.mean[0], prior.mean)


def test_the_density_of_narrow_sticks_keeps_its_last_term_in_float32() -> None:
    torch.manual_seed(0)
    for a, b in ((5.0, 1e6), (7.0, 1e8), (7.0, 1e10), (1.0, 2.0), (0.5, 1.0)):
        sticks = KumaraswamySticks(torch.full((400, 1), a), torch.full((400, 1), b))
        v = sticks.draw()
        wide = v.double()
        right = math.log(a) + math.log(b) + (a - 1) * wide.log() + (b - 1) * torch.log1p(-(wide**a))
        torch.testing.assert_close(sticks.log_prob(v).double(), right, rtol=1e-4, atol=1e-3)
