import math
from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from pcgen.models.base import Batch
from pcgen.models.energy.langevin import langevin
from pcgen.models.energy.matchings import MATCHINGS
from pcgen.models.energy.score_model import ScoreModel
from pcgen.statistics import energy_distance
from pcgen.training import fit

CONTRACT = {"score_model": {"levels": 4, "steps": 2, "width": 16, "blocks": 1}}

WEIGHTS = torch.tensor([0.3, 0.2, 0.5])
CENTRES = torch.tensor([[-1.5, 0.0], [1.0, 1.5], [1.0, -1.0]])
COVARIANCES = torch.stack(
    [torch.tensor(each) for each in ([[0.1, 0.05], [0.05, 0.3]], [[0.3, 0.0], [0.0, 0.1]], [[0.2, -0.1], [-0.1, 0.2]])]
)


def mixture(sigma: float = 0.0) -> MixtureSameFamily:
    """Three Gaussians in the plane, with noise."""
    blurred = COVARIANCES + sigma**2 * torch.eye(2)
    return MixtureSameFamily(Categorical(WEIGHTS), MultivariateNormal(CENTRES, blurred))


def score_of(law: torch.distributions.Distribution, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(law.log_prob(x).sum(), x)
    return slope


@cache
def trained() -> ScoreModel:
    torch.manual_seed(0)
    model = ScoreModel((2,), levels=10, smallest=0.15, width=64, dropout=0.0)
    return fit(model, mixture().sample((20_000,)), seed=0, steps=650, batch_size=128)


def places(model: ScoreModel, level: int, rows: int) -> Tensor:
    return torch.full((rows,), level)


def test_the_score_is_that_of_a_known_mixture_at_every_noise(measured: Callable[..., None]) -> None:
    model = trained()
    for level, sigma in enumerate(model.sigma.tolist()):
        law = mixture(sigma)
        x = law.sample((4000,))
        with torch.no_grad():
            along = -model.slopes(model.along(x), places(model, level, len(x)))[1]
        found, right = along @ model.gaussian.basis.T, score_of(law, x)
        single = score_of(MultivariateNormal(model.gaussian.mean, x.T.cov()), x)
        errors = [float((each - right).square().mean() / right.square().mean()) for each in (found, single)]
        measured(
            f"squared error of the score at noise {sigma:.2f}, by its square",
            errors[0],
            f"0; of a Gaussian {errors[1]:.2f}",
        )
        assert errors[0] < 0.05 and errors[0] < 0.2 * errors[1] + 0.005


def test_its_draws_are_the_mixtures(measured: Callable[..., None]) -> None:
    model, n = trained(), 3000
    torch.manual_seed(1)
    drawn, right = model.sample(n), mixture().sample((n,))
    gaussian = MultivariateNormal(right.mean(0), right.T.cov()).sample((n,))
    found, single = (float(energy_distance(each, right)) for each in (drawn, gaussian))
    measured("energy distance of draws to the mixture, by that of one Gaussian", found / single, "near 0")
    assert found < 0.25 * single
    shares = [torch.bincount(torch.cdist(each, CENTRES).argmin(1), minlength=3) / n for each in (drawn, right)]
    assert (shares[0] - shares[1]).abs().max() < 0.07


def plane(model: ScoreModel, count: int) -> tuple[Tensor, Tensor, float]:
    """Points along the axes, (count^2, 2), their energies at the smallest noise, and the area of each."""
    reach = 6 * float(model.variance.max().sqrt())
    line = torch.linspace(-reach, reach, count)
    y = torch.cartesian_prod(line, line)
    with torch.no_grad():
        energy = model.energy(y, places(model, len(model.sigma) - 1, len(y)))
    return y, energy.double(), float(line[1] - line[0]) ** 2


def test_the_free_energy_is_minus_the_log_density_up_to_log_z(measured: Callable[..., None]) -> None:
    model = trained()
    law = mixture(float(model.sigma[-1]))
    x = law.sample((2000,))
    _, energy, area = plane(model, 601)
    exact = float((-energy).logsumexp(0)) + math.log(area)
    with torch.no_grad():
        right = law.log_prob(x).mean()
        short = float(right + (model.free_energy(x) + exact).mean())
        single = float(right - MultivariateNormal(x.mean(0), x.T.cov()).log_prob(x).mean())
    measured(
        "log-likelihood below the mixture's with the smallest noise, nats", short, f"0; of a Gaussian {single:.2f}"
    )
    assert -0.01 < short < 0.25 and short < 0.4 * single
    torch.manual_seed(2)
    found = model.log_partition(chains=300, temperatures=100)
    measured("log Z by annealed importance sampling, nats", found.value, exact)
    assert found.value == pytest.approx(exact, abs=4 * found.error + 0.01)
    assert found.error < 0.1


def test_a_chain_keeps_the_energys_law() -> None:
    model, n = trained(), 20_000
    y, energy, area = plane(model, 401)
    mass = (-energy).softmax(0)
    begun = y[torch.multinomial(mass, n, replacement=True)] + math.sqrt(area) * (torch.rand(n, 2) - 0.5)
    drawn = model.along(model.chain(model.back(begun), 10))
    assert float((drawn != begun).any(1).float().mean()) > 0.9
    for moment in (lambda y: y[:, 0].tanh(), lambda y: y[:, 1].tanh(), lambda y: y.norm(dim=1)):
        values = moment(drawn)
        error = 5 * float(values.std()) / math.sqrt(n)
        assert float(values.mean()) == pytest.approx(float((mass * moment(y).double()).sum()), abs=error)


def test_langevins_chain_is_exact_at_steps_where_it_is_not_without_the_correction() -> None:
    """Of a fourth power, whose slope throws long steps out to where it is steeper still."""

    def slopes(x: Tensor) -> tuple[Tensor, Tensor]:
        return x[:, 0] ** 4, 4 * x**3

    x, variance = torch.zeros(40_000, 1, dtype=torch.float64), torch.tensor([0.5], dtype=torch.float64)
    drawn = langevin(slopes, x, variance, 60)
    exact = math.gamma(0.75) / math.gamma(0.25)  # E x^2
    error = 5 * float(drawn.square().std()) / math.sqrt(len(drawn))
    assert float(drawn.square().mean()) == pytest.approx(exact, abs=error)
    for _ in range(60):
        x = x - variance / 2 * slopes(x)[1] + variance.sqrt() * torch.randn_like(x)
    assert not abs(float(x.square().mean()) - exact) < 10 * error


def test_langevins_chain_moves_farthest_on_a_gaussian_at_the_steps_of_theory() -> None:
    """Variances of 2.7 D^(-1/3), where .574 of the moves are taken (Roberts and Rosenthal, 1998)."""
    x, jumps, taken = torch.randn(4000, 128, dtype=torch.float64), {}, {}
    for length in (1.7, 2.7, 4.5):
        variance = torch.full((128,), length * 128 ** (-1 / 3), dtype=torch.float64)
        jump = langevin(lambda at: (at.square().sum(1) / 2, at), x, variance, 1) - x
        jumps[length], taken[length] = float(jump.square().sum(1).mean()), float((jump != 0).any(1).double().mean())
    assert jumps[2.7] > 1.1 * jumps[1.7] and jumps[2.7] > 1.1 * jumps[4.5]
    assert taken[2.7] == pytest.approx(0.574, abs=0.05)


def test_before_it_learns_it_is_the_gaussian_of_the_data() -> None:
    x = torch.randn(2000, 3) @ torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.3, 2.0], [0.1, 0.0, 0.4]]) + 1
    model = ScoreModel((3,), levels=4, smallest=0.5, steps=6, width=8, blocks=1).eval()
    model.setup(Batch(x))
    blurred = torch.cov(x.T, correction=0) + model.sigma[-1] ** 2 * torch.eye(3)
    law = MultivariateNormal(x.mean(0), blurred)
    with torch.no_grad():
        constant = -model.free_energy(x) - law.log_prob(x)
    torch.testing.assert_close(constant, constant[:1].expand(len(x)), atol=1e-3, rtol=0)
    found = model.log_partition(chains=10, temperatures=1)
    assert found.value == pytest.approx(float(constant[0]), abs=1e-3) and found.error < 1e-3
    drawn = model.along(model.sample(20_000))
    torch.testing.assert_close(drawn.mean(0), torch.zeros(3), atol=0.08, rtol=0)
    # From the smallest noise on it is the mean of the data there.
    least = model.variance.square() / (model.variance + model.sigma[-1] ** 2)
    torch.testing.assert_close(torch.cov(drawn.T), least.diag(), atol=0.06, rtol=0.1)


def test_every_matching_tells_two_energies_apart_by_as_much() -> None:
    """They are one distance, each less a constant of its own that no energy changes."""
    rows = Batch(torch.randn(1024, 2, dtype=torch.float64).exp())
    gaps: dict[str, Tensor] = {}
    for name in MATCHINGS:
        losses: list[Tensor] = []
        for scale in (0.0, 0.3):
            torch.manual_seed(5)
            model = ScoreModel(
                (2,), name, levels=3, largest=3.0, smallest=0.5, width=16, blocks=1, dropout=0.0
            ).double()
            model.setup(rows)
            torch.manual_seed(6)
            nn.init.normal_(model.network.leave.weight, std=scale)
            torch.manual_seed(7)
            losses.append(torch.stack([model.loss(rows)["matching"].detach() for _ in range(30)]))
        gaps[name] = losses[1] - losses[0]
    right = gaps["denoising"]
    assert abs(float(right.mean())) > 0.02
    for name, found in gaps.items():
        error = math.sqrt((float(found.var()) + float(right.var())) / len(right))
        assert float(found.mean()) == pytest.approx(float(right.mean()), abs=5 * error), name


def test_steps_are_as_long_as_the_datas_narrow_parts() -> None:
    """What training has measured of the slopes along each axis is that of the mixture, by a Gaussian's."""
    model = trained()
    for level in (0, 5, 9):
        sigma = float(model.sigma[level])
        law = mixture(sigma)
        along = score_of(law, law.sample((20_000,))) @ model.gaussian.basis
        right = along.square().mean(0) * (model.variance + sigma**2)
        torch.testing.assert_close(model.information[level], right, atol=0.3, rtol=0.4)


def test_steps_are_measured_as_samples_take_them_without_dropout() -> None:
    """Of weights that do not change: the mean of squared slopes in evaluation mode, by a Gaussian's."""
    x = mixture().sample((80_000,))
    model = ScoreModel((2,), levels=2, width=16, blocks=1, dropout=0.5, lr=1e-12)
    model.setup(Batch(x))
    nn.init.normal_(model.network.leave.weight, std=0.1)
    nn.init.normal_(model.network.trunk.blocks[0].outer.weight, std=1.0)  # of what dropout thins
    model.train().update(Batch(x))
    assert all(part.training for part in model.modules())
    for level, sigma in enumerate(model.sigma.tolist()):
        y = model.along(x) + sigma * torch.randn_like(x)
        with torch.no_grad():
            slope = model.eval().slopes(y, places(model, level, len(y)))[1]
        right = slope.square().mean(0) * (model.variance + sigma**2)
        torch.testing.assert_close(model.information[level], right, atol=0, rtol=0.05)


def test_bad_arguments_and_a_model_that_has_diverged_are_told() -> None:
    with pytest.raises(ValueError, match=r"smallest: must be below largest, 0\.01, got 0\.1; give a smaller one"):
        ScoreModel((2,), largest=0.01)
    with pytest.raises(ValueError, match="matching: must be one of denoising, sliced, exact; got 'slice'"):
        ScoreModel((2,), "slice")
    model = ScoreModel((2,), width=8, blocks=1)
    with pytest.raises(ValueError, match="steps: must be at least 1, got 0"):
        model.sample(2, steps=0)
    with torch.no_grad():
        model.network.leave.bias.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match=r"energy: that of 2 of 2 states is not finite .*lower its lr"):
        model.sample(2)
