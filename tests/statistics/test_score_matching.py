"""Score matching, noise contrast and pseudo-likelihood, each against maximum likelihood or enumeration."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pcgen.models.energy.rbm import RBM
from pcgen.statistics import (
    denoising_score_matching,
    log_pseudo_likelihood,
    noise_contrastive_loss,
    score_matching,
    sliced_score_matching,
)

MIX = torch.tensor([[1.0, 0.4, 0.0], [0.0, 0.7, 0.2], [0.3, 0.0, 0.5]]).double()


def rows(n: int) -> Tensor:
    """Rows of a skewed law, which no Gaussian is."""
    return torch.distributions.Exponential(1.0).sample((n, 3)).double() @ MIX


def least(loss: Callable[[], Tensor], *parameters: Tensor) -> None:
    """Bring a loss without randomness to its least."""
    optimizer = torch.optim.LBFGS(
        parameters, max_iter=500, tolerance_grad=1e-10, tolerance_change=0.0, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(closure)


def gaussian_score(precision: Tensor, mean: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: -(x - mean) @ (precision + precision.T) / 2


def fitted(loss: Callable[[Callable[[Tensor], Tensor]], Tensor]) -> tuple[Tensor, Tensor]:
    """Covariance and mean of the Gaussian whose score has the least loss."""
    precision, mean = torch.eye(3).double().requires_grad_(), torch.zeros(3).double().requires_grad_()
    least(lambda: loss(gaussian_score(precision, mean)), precision, mean)
    return torch.linalg.inv((precision + precision.T) / 2).detach(), mean.detach()


def test_of_a_gaussian_the_estimate_is_that_of_maximum_likelihood() -> None:
    x = rows(400)
    covariance, mean = fitted(lambda score: score_matching(score, x).mean())
    torch.testing.assert_close(mean, x.mean(0), atol=1e-6, rtol=0)
    torch.testing.assert_close(covariance, torch.cov(x.T, correction=0), atol=1e-5, rtol=0)


def test_by_denoising_it_is_that_of_the_data_with_the_noise() -> None:
    """With as much of each noise as of its opposite, and noise that is orthogonal to the data, exactly."""
    x, sigma = rows(400), 0.7
    signs = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=3))).double()
    pairs, noise = x.repeat_interleave(8, 0), signs.repeat(len(x), 1)
    covariance, mean = fitted(lambda score: denoising_score_matching(score, pairs, noise, sigma).mean())
    torch.testing.assert_close(mean, x.mean(0), atol=1e-6, rtol=0)
    blurred = torch.cov(x.T, correction=0) + sigma**2 * torch.eye(3)
    torch.testing.assert_close(covariance, blurred, atol=1e-5, rtol=0)


def wavy(weight: Tensor) -> Callable[[Tensor], Tensor]:
    """The slope of a logarithm of a density that is not a Gaussian: of log cosh of three sums, and squares."""
    return lambda x: (x @ weight).tanh() @ weight.T - x


def test_the_trace_is_that_of_the_jacobian() -> None:
    x = rows(5)
    score = wavy(MIX)
    found = score_matching(score, x).detach()
    for row, value in zip(x, found, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda at: score(at[None])[0], row)
        assert float(value) == pytest.approx(float(jacobian.trace() + score(row[None]).square().sum() / 2))


def test_random_directions_give_the_same_on_average_and_exactly_over_all_of_them() -> None:
    x, score = rows(50), wavy(MIX)
    signs = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=3))).double()
    every = torch.stack([sliced_score_matching(score, x, probe.expand_as(x)) for probe in signs])
    torch.testing.assert_close(every.mean(0), score_matching(score, x))
    assert every.std(0).max() > 0.01


def test_all_three_are_the_distance_from_the_true_score_but_for_a_constant() -> None:
    """Of two scores, at data with noise: rows at three places make a mixture of Gaussians, whose score is known."""
    centres, sigma, n = torch.tensor([[-1.0], [0.5], [2.0]]).double(), 0.6, 400_000
    x = centres[torch.arange(n) % 3]
    noise, probe = torch.randn_like(x), 2.0 * torch.randint_like(x, 2) - 1
    noisy = x + sigma * noise

    def true(at: Tensor) -> Tensor:
        shares = (-0.5 * ((at - centres.T) / sigma).square()).softmax(1)
        return (shares * (centres.T - at)).sum(1, keepdim=True) / sigma**2

    one, other = (lambda at: -at), (lambda at: (2 * at).tanh() - 0.5 * at)
    gaps = {
        "true": [0.5 * (score(noisy) - true(noisy)).square().sum(1) for score in (one, other)],
        "exact": [score_matching(score, noisy) for score in (one, other)],
        "sliced": [sliced_score_matching(score, noisy, probe) for score in (one, other)],
        "denoising": [denoising_score_matching(score, x, noise, sigma) for score in (one, other)],
    }
    right = float((gaps["true"][0] - gaps["true"][1]).mean())
    assert abs(right) > 0.02
    for first, second in gaps.values():
        difference = (first - second).detach()
        excess = difference - (gaps["true"][0] - gaps["true"][1])
        error = float(excess.std()) / math.sqrt(n)
        assert float(difference.mean()) == pytest.approx(right, abs=5 * error + 1e-12)


def test_each_row_of_a_ladder_has_its_own_noise() -> None:
    x, sigma = rows(4), torch.tensor([[0.1], [0.5], [1.0], [3.0]]).double()
    noise, score = torch.randn_like(x), wavy(MIX)
    found = denoising_score_matching(score, x, noise, sigma)
    for row, value in enumerate(found):
        at = slice(row, row + 1)
        alone = denoising_score_matching(score, x[at], noise[at], float(sigma[row]))
        torch.testing.assert_close(value, alone[0])


def test_bad_scores_are_named() -> None:
    x = rows(4)
    with pytest.raises(ValueError, match=r"score: must be of the shape of x, \(4, 3\), got \(4,\)"):
        score_matching(lambda at: at.sum(1), x)
    with pytest.raises(ValueError, match=r"score: must be differentiable in x, .* do not detach it"):
        sliced_score_matching(lambda at: at.detach(), x, torch.ones_like(x))
    with pytest.raises(ValueError, match="sigma: must be a positive number, got 0"):
        denoising_score_matching(lambda at: at, x, torch.ones_like(x), 0.0)


class Unnormalised:
    """log p(x) = -(x - mean)^2 / (2 variance) - c of numbers: of a Gaussian if c is log Z."""

    def __init__(self) -> None:
        self.parameters = [torch.zeros(()).double().requires_grad_() for _ in range(3)]

    def log_prob(self, x: Tensor) -> Tensor:
        mean, log_variance, constant = self.parameters
        return -0.5 * (x - mean).square() / log_variance.exp() - constant

    def learn(self, x: Tensor, noise: Tensor, law: torch.distributions.Distribution) -> tuple[float, float, float]:
        def loss() -> Tensor:
            return noise_contrastive_loss(*(self.log_prob(each) - law.log_prob(each) for each in (x, noise)))

        least(loss, *self.parameters)
        mean, log_variance, constant = (float(each.detach()) for each in self.parameters)
        return mean, math.exp(log_variance), constant


def test_noise_contrast_finds_the_density_and_its_constant() -> None:
    x = 1 + 0.5 * torch.randn(40_000).double()
    law = torch.distributions.Normal(torch.zeros(()).double(), torch.tensor(1.5).double())
    mean, variance, constant = Unnormalised().learn(x, law.sample((80_000,)), law)
    assert mean == pytest.approx(1, abs=0.02) and variance == pytest.approx(0.25, abs=0.015)
    assert constant == pytest.approx(0.5 * math.log(2 * math.pi * 0.25), abs=0.03)


def test_more_noise_brings_the_estimate_nearer_to_that_of_maximum_likelihood() -> None:
    law = torch.distributions.Normal(torch.zeros(()).double(), torch.tensor(1.5).double())
    away: dict[int, list[float]] = {1: [], 20: []}
    for _ in range(10):
        x = 1 + 0.5 * torch.randn(500).double()
        for share, found in away.items():
            mean, _, _ = Unnormalised().learn(x, law.sample((share * 500,)), law)
            found.append((mean - float(x.mean())) ** 2)
    few, many = (sum(found) for found in away.values())
    assert many < few / 4


def test_rows_of_noise_and_data_must_be_there() -> None:
    with pytest.raises(ValueError, match=r"of_data, of_noise: must be \(S,\) and \(R,\), .* \(3, 1\) and \(2,\)"):
        noise_contrastive_loss(torch.zeros(3, 1), torch.zeros(2))


def all_bits(count: int) -> Tensor:
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=count))).double()


def boltzmann(couplings: Tensor, bias: Tensor) -> Callable[[Tensor], Tensor]:
    upper = couplings.triu(1)
    return lambda x: -(x @ upper * x).sum(1) - x @ bias


def test_the_pseudo_likelihood_of_a_boltzmann_machine_is_that_by_enumeration() -> None:
    x, energy = all_bits(5), boltzmann(torch.randn(5, 5).double(), torch.randn(5).double())
    p = (-energy(x)).softmax(0).view(2, 2, 2, 2, 2)
    expected = sum((p / p.sum(bit, keepdim=True)).log() for bit in range(5))
    torch.testing.assert_close(log_pseudo_likelihood(energy, x), expected.flatten())


def test_the_pseudo_likelihood_is_largest_at_the_law_of_the_data() -> None:
    """Under all states of five bits, each as often as the machine has it, the couplings are found exactly."""
    x, couplings, bias = all_bits(5), torch.randn(5, 5).double().triu(1), torch.randn(5).double()
    p = (-boltzmann(couplings, bias)(x)).softmax(0)
    found, own = torch.zeros(5, 5).double().requires_grad_(), torch.zeros(5).double().requires_grad_()
    least(lambda: -(p * log_pseudo_likelihood(boltzmann(found, own), x)).sum(), found, own)
    torch.testing.assert_close(found.detach().triu(1), couplings, atol=1e-4, rtol=0)
    torch.testing.assert_close(own.detach(), bias, atol=1e-4, rtol=0)


def test_a_restricted_machine_has_the_same_by_its_own_shorter_way() -> None:
    model = RBM((6,), 4).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
        torch.testing.assert_close(
            log_pseudo_likelihood(model.free_energy, all_bits(6)), model.log_pseudo_likelihood(all_bits(6))
        )


def test_what_is_no_bits_or_no_energy_is_named() -> None:
    with pytest.raises(ValueError, match=r"x: must be \(B, D\) of 0 and 1 as floating point, got \(2, 2\)"):
        log_pseudo_likelihood(lambda x: x.sum(1), torch.full((2, 2), 0.5))
    with pytest.raises(ValueError, match=r"energy: must give \(2,\), a number for each row, got \(2, 3\)"):
        log_pseudo_likelihood(lambda x: x, torch.ones(2, 3))
