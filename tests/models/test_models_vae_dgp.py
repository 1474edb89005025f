import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from pcgen.models.base import Batch
from pcgen.models.variational.gaussian_process import SparseGP
from pcgen.models.variational.posterior import DiagonalGaussian
from pcgen.models.variational.rbf import RBF, pairs
from pcgen.models.variational.vae_dgp import VAEDGP

CONTRACT = {"vae_dgp": {"latents": [3, 2], "inducing": 6, "widths": [16]}}

LENGTHS, VARIANCE, NOISE = np.array([0.8, 1.7]), 1.6, 0.05


def k(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The kernel by its definition."""
    return VARIANCE * np.exp(-0.5 * (((a[:, None] - b) / LENGTHS) ** 2).sum(2))


def by_quadrature(mean: np.ndarray, variance: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """psi1 (M,) and psi2 (M, M) of one input of two dimensions, by Gauss and Hermite's rule."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(50)
    weights = np.array([a * b for a, b in itertools.product(weights, weights)]) / (2 * math.pi)
    values = k(mean + np.sqrt(variance) * np.array(list(itertools.product(nodes, nodes))), points)
    return weights @ values, values.T @ (weights[:, None] * values)


def set_kernel(kernel: RBF) -> None:
    with torch.no_grad():
        kernel.log_variance.fill_(math.log(VARIANCE))
        kernel.log_lengths.copy_(torch.from_numpy(np.log(LENGTHS)))


def of_pairs(values: Tensor, count: int) -> np.ndarray:
    """Pairs (B, P) as matrices (B, M, M)."""
    first, second = pairs(count, values.device)
    found = values.new_empty(len(values), count, count)
    found[:, first, second] = found[:, second, first] = values
    return found.detach().numpy()


def test_expectations_of_the_kernel_are_those_of_quadrature() -> None:
    kernel, points = RBF(2).double(), torch.randn(4, 2, dtype=torch.float64)
    set_kernel(kernel)
    mean, variance = torch.randn(5, 2, dtype=torch.float64), 1.5 * torch.rand(5, 2, dtype=torch.float64)
    found = kernel.expectations(mean, variance, points)
    right = [by_quadrature(m, v, points.numpy()) for m, v in zip(mean.numpy(), variance.numpy(), strict=True)]
    np.testing.assert_allclose(found.psi1.detach(), np.stack([one for one, _ in right]), rtol=1e-9)
    np.testing.assert_allclose(of_pairs(found.psi2, 4), np.stack([two for _, two in right]), rtol=1e-9)
    assert float(found.psi0.detach()) == pytest.approx(VARIANCE)


def collapsed(y: np.ndarray, mean: np.ndarray, variance: np.ndarray, points: np.ndarray) -> float:
    """The bound of Titsias and Lawrence (2010) on log p(y), q(u) gone, in nats; y (S, D)."""
    stats = [by_quadrature(m, v, points) for m, v in zip(mean, variance, strict=True)]
    psi1, psi2 = np.stack([one for one, _ in stats]), np.sum([two for _, two in stats], axis=0)
    inner, (rows, outputs), beta = k(points, points), y.shape, 1 / NOISE
    both = beta * psi2 + inner
    weights = beta * np.eye(rows) - beta**2 * psi1 @ np.linalg.solve(both, psi1.T)
    log_dets = np.linalg.slogdet(inner)[1] - np.linalg.slogdet(both)[1]
    each = 0.5 * (rows * math.log(beta / (2 * math.pi)) + log_dets)
    each += 0.5 * beta * (np.trace(np.linalg.solve(inner, psi2)) - rows * VARIANCE)
    divergence = 0.5 * (mean**2 + variance - 1 - np.log(variance)).sum()
    return float(outputs * each - 0.5 * np.trace(y.T @ weights @ y) - divergence)


def test_one_layer_is_the_bayesian_gaussian_process_latent_variable_model(measured: Callable[..., None]) -> None:
    """The bound at the best q(u), which one natural-gradient step of rate 1 on all rows reaches."""
    x = torch.randn(9, 3, dtype=torch.float64)
    model = VAEDGP((3,), latents=(2,), inducing=4, widths=(5,)).double()
    (network,), (process,) = model.recognition, model.processes
    set_kernel(process.kernel)
    with torch.no_grad():
        process.log_noise.fill_(math.log(NOISE))
        torch.nn.init.normal_(network.correction[-1].weight, std=0.3)
        network.linear.bias[2:] -= 2  # no variance that is wide beside the kernel: the quadrature would be coarse
        model.rows.fill_(len(x))
        h = model.posteriors(x)[0]
        right = collapsed(x.numpy(), h.mean.numpy(), h.log_variance.exp().numpy(), process.inducing.numpy())
        below = float(model.log_prob_bound(x).sum() - process.kl_from_prior())
        model.step(model.statistics(x), 0.5)
        half = float(model.log_prob_bound(x).sum() - process.kl_from_prior())
        model.step(model.statistics(x), 1.0)
        found = float(model.log_prob_bound(x).sum() - process.kl_from_prior())
        loss = float(sum(model.loss(Batch(x)).values()))
    measured("bound of one layer at the best q(u), nats", found, right)
    assert below < half < found == pytest.approx(right, abs=1e-4)
    assert loss == pytest.approx(-found / len(x))


def test_the_bound_is_below_the_exact_likelihood_of_known_inputs_and_reaches_it(measured: Callable[..., None]) -> None:
    inputs = torch.randn(12, 2, dtype=torch.float64)
    exact_covariance = k(inputs.numpy(), inputs.numpy()) + NOISE * np.eye(12)
    y = torch.from_numpy(multivariate_normal(np.zeros(12), exact_covariance).rvs(2, random_state=0).T)
    exact = float(multivariate_normal(np.zeros(12), exact_covariance).logpdf(y.numpy().T).sum())
    known, outputs = (DiagonalGaussian(each, torch.full_like(each, -math.inf)) for each in (inputs, y))
    found = {}
    for inducing in (3, 7, 12):
        process = SparseGP(2, 2, inducing).double()
        set_kernel(process.kernel)
        with torch.no_grad():
            process.log_noise.fill_(math.log(NOISE))
            process.inducing.copy_(inputs[:inducing])
            process.step(process.statistics(known, outputs), len(y), 1.0)
            found[inducing] = float(process.log_likelihood(known, outputs).sum() - process.kl_from_prior())
    measured("log-likelihood of known inputs, at as many inducing inputs, nats", found[12], exact)
    assert found[3] < found[7] < found[12] <= exact + 1e-6
    assert found[12] == pytest.approx(exact, abs=1e-3)


def deep() -> VAEDGP:
    """Two layers of one dimension each, not trained, with functions that bend and a little of them unknown."""
    torch.manual_seed(3)
    model = VAEDGP((2,), latents=(1, 1), inducing=5, widths=()).double()
    with torch.no_grad():
        for process in model.processes:
            process.log_noise.fill_(math.log(0.1))
            process.inducing.copy_(torch.linspace(-2, 2, 5)[:, None])
            process.precision.copy_(3 * torch.eye(5))
            process.shift.copy_(3 * torch.randn_like(process.shift))
        model.recognition[0].linear.bias.copy_(torch.tensor([0.3, -1.0]))
    return model


def density(model: VAEDGP, x: Tensor) -> Tensor:
    """p(x), by sums over grids of both latents, (B,)."""
    line = torch.linspace(-7, 7, 700, dtype=torch.float64)[:, None]
    step = float(line[1] - line[0])
    near, top = model.processes

    def normal(values: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        return torch.exp(-0.5 * (values - mean).square() / variance) / (2 * math.pi * variance).sqrt()

    with torch.no_grad():
        mean, variance = top(line)  # of h1 given h2
        of_top = normal(line, torch.zeros(1), torch.ones(1))
        of_near = (normal(line.T, mean, variance) * of_top).sum(0) * step  # p(h1)
        mean, variance = near(line)
        of_rows = normal(x[:, None], mean, variance).prod(2)  # (B, h1)
        return of_rows @ of_near * step


def test_the_bound_of_a_row_is_below_its_density_and_draws_have_that_density(measured: Callable[..., None]) -> None:
    model = deep()
    line = torch.linspace(-6, 6, 80, dtype=torch.float64)
    x = torch.cartesian_prod(line, line)
    p, area = density(model, x), float(line[1] - line[0]) ** 2
    assert float(p.sum()) * area == pytest.approx(1, abs=1e-3)
    drawn = model.draw(20000).double()
    for moment in (lambda x: x[:, 0], lambda x: x[:, 0].square(), lambda x: x.prod(1), lambda x: x[:, 1].sin()):
        values = moment(drawn)
        error = float(values.std()) / math.sqrt(len(drawn))
        assert float(values.mean()) == pytest.approx(float((p * moment(x)).sum()) * area, abs=4.5 * error + 1e-3)
    with torch.no_grad():
        slack = density(model, drawn[:500]).log() - model.log_prob_bound(drawn[:500])
    measured("log-density above its bound, of 500 draws, least, nats", float(slack.min()), "above 0")
    assert float(slack.min()) > 0


def test_statistics_of_parts_make_that_of_the_whole() -> None:
    """So the natural gradient of a batch is that of all rows, in the mean."""
    model, x = deep(), torch.randn(30, 2, dtype=torch.float64)
    whole = model.statistics(x)
    parts = [model.statistics(part) for part in x.split(10)]
    for layer, right in enumerate(whole):
        for name in ("outputs", "products"):
            mean = torch.stack([getattr(part[layer], name) for part in parts]).mean(0)
            torch.testing.assert_close(mean, getattr(right, name))


def step(rows: int) -> Tensor:
    """A curve whose ends hold most rows: a Gaussian number leaps from one to the other, and bends little elsewhere."""
    g = (6 * torch.randn(rows, 1)).tanh()
    return torch.cat([g, (2.5 * g).sin() / 2, (2.5 * g).cos() / 2], dim=1) + 0.03 * torch.randn(rows, 3)


def test_two_layers_have_a_higher_held_out_bound_than_one_on_warped_data(measured: Callable[..., None]) -> None:
    x, held_out = step(400), step(400)
    found = {}
    for latents in ((1,), (1, 1)):
        torch.manual_seed(1)
        model = VAEDGP((3,), latents=latents, inducing=10, scale=None, widths=(32,), lr=3e-3)
        model.setup(Batch(x))
        for _ in range(300):
            model.update(Batch(x[torch.randint(len(x), (100,))]))
        with torch.no_grad():
            found[len(latents)] = float(model.log_prob_bound(held_out).mean())
    measured("held-out bound of two layers above that of one, nats a row", found[2] - found[1], "above 0")
    assert found[2] > found[1] + 0.2


def test_axes_that_are_left_out_are_the_data_s_gaussian() -> None:
    """The density of a row is that along the axes times N(mean, covariance) along the others, and so are draws."""
    mix = torch.randn(4, 4) * torch.tensor([3.0, 1.0, 0.5, 0.2])
    x = torch.randn(3000, 4) @ mix.T + torch.arange(4)
    model = VAEDGP((4,), latents=(2,), inducing=8, axes=2, widths=())
    model.setup(Batch(x))
    drawn = model.sample(20000)
    torch.testing.assert_close(drawn.mean(0), x.mean(0), atol=0.15, rtol=0)
    e, data = (model.principal(rows) for rows in (drawn, x))
    for rows, near in ((e, 0.05), (data, 0.1)):  # the estimate of few rows' covariance is shrunk
        torch.testing.assert_close(torch.cov(rows.T)[2:, 2:], torch.eye(2), atol=near, rtol=0)
    with torch.no_grad():
        along, rest = model.principal(x)[:, :2] * model.principal.deviation[:2], model.principal(x)[:, 2:]
        alone = VAEDGP((2,), latents=(2,), inducing=8, widths=())
        for name in ("recognition", "processes"):
            getattr(alone, name).load_state_dict(getattr(model, name).state_dict())
        gaussian = torch.distributions.Normal(0.0, model.principal.deviation[2:])
        right = alone.log_prob_bound(along) + gaussian.log_prob(rest * model.principal.deviation[2:]).sum(1)
        torch.testing.assert_close(model.log_prob_bound(x), right, atol=1e-4, rtol=1e-5)


def test_inducing_inputs_that_coincide_do_no_harm() -> None:
    x = torch.randn(40, 3)
    model = VAEDGP((3,), latents=(2,), inducing=6, widths=())
    model.setup(Batch(x))
    with torch.no_grad():
        model.processes[0].inducing[3:] = model.processes[0].inducing[:3].clone()
    for _ in range(20):
        assert all(value.isfinite() for value in model.update(Batch(x)).values())


def test_more_inducing_inputs_than_rows_are_refused() -> None:
    with pytest.raises(ValueError, match=r"inducing: must be at most the number of training rows, 4, got 6; set"):
        VAEDGP((3,), latents=(2,), inducing=6).setup(Batch(torch.randn(4, 3)))


def test_a_kernel_that_is_not_finite_is_told() -> None:
    model = VAEDGP((3,), latents=(2,), inducing=6)
    with torch.no_grad():
        model.processes[0].inducing.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match=r"vae_dgp: the kernel of 6 inducing inputs is not finite"):
        model.log_prob_bound(torch.randn(2, 3))
