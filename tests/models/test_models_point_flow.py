import math
from collections.abc import Callable

import pytest
import torch
from sklearn.covariance import oas
from torch import Tensor
from torch.distributions import MultivariateNormal

from pcgen.models.base import Batch
from pcgen.models.flows.continuous import ContinuousFlow, adaptive, in_steps
from pcgen.models.flows.point_flow import PointFlow

CONTRACT = {"point_flow": {"code": 3, "widths": [12], "latent_widths": [8], "steps": 1}}


def untied(module: torch.nn.Module, std: float = 0.5) -> None:
    """Random weights in the place of those that start at 0."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0, std)


def learned(channels: int, context: int = 0, trace: str = "exact") -> ContinuousFlow:
    flow = ContinuousFlow(channels, context, (10, 10), trace).double()
    untied(flow)
    return flow


def linear(matrix: Tensor) -> ContinuousFlow:
    """The flow of dx/dt = matrix x, nearly: its hidden numbers stay where tanh is straight."""
    flow, small, dim = ContinuousFlow(len(matrix), 0, (len(matrix),)).double(), 1e-3, len(matrix)
    first, last = flow.field.layers
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.zero_()
        first.linear.weight.copy_(small * torch.eye(dim))  # the gates are 1/2
        last.linear.weight.copy_(4 / small * matrix)
    return flow


def test_a_linear_field_has_the_density_of_its_gaussian(measured: Callable[..., None]) -> None:
    matrix = torch.tensor([[0.4, -0.9, 0.0], [0.7, -0.3, 0.2], [0.0, 0.5, 0.6]], dtype=torch.float64)
    flow, none = linear(matrix), torch.zeros(1, 0, dtype=torch.float64)
    carried = torch.linalg.matrix_exp(matrix)
    law = MultivariateNormal(torch.zeros(3, dtype=torch.float64), carried @ carried.T)
    x = law.sample((1, 50))
    with torch.no_grad():
        errors = {
            name: (flow.log_prob(x, none, path) - law.log_prob(x)).abs().max()
            for name, path in (("2 steps", in_steps(2)), ("20 steps", in_steps(20)), ("adaptive", adaptive))
        }
        noise = torch.randn(1, 50, 3, dtype=torch.float64)
        torch.testing.assert_close(flow.to_data(noise, none, in_steps(20)), noise @ carried.T, atol=1e-4, rtol=0)
    for name, error in errors.items():
        measured(f"largest error of a Gaussian flow's log-density, {name}, nats", error, 0)
    assert errors["20 steps"] < 1e-4 and errors["adaptive"] < 5e-3 and errors["2 steps"] < 0.05


def test_the_log_density_is_the_change_of_variables_by_autograd(measured: Callable[..., None]) -> None:
    flow, x, known = learned(3, 2), torch.randn(2, 4, 3).double(), torch.randn(2, 2).double()
    path = in_steps(20)
    jacobians = [
        torch.autograd.functional.jacobian(
            lambda point, i=i: flow.to_noise(point.view(1, 1, 3), known[i : i + 1], path)[0].view(3), x[i, j]
        )
        for i in range(2)
        for j in range(4)
    ]
    log_det = torch.linalg.slogdet(torch.stack(jacobians)).logabsdet.view(2, 4)
    noise, found = flow.to_noise(x, known, path)
    measured("largest error of log |dx_0 / dx_1|, nats", (found - log_det).detach().abs().max(), 0)
    torch.testing.assert_close(found, log_det, atol=1e-5, rtol=1e-5)
    expected = log_det - 0.5 * (noise.square() + math.log(2 * math.pi)).sum(2)
    torch.testing.assert_close(flow.log_prob(x, known, path), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(flow.to_data(noise, known, path), x, atol=1e-5, rtol=1e-5)


def test_in_training_an_estimated_trace_gives_the_exact_density_on_average(measured: Callable[..., None]) -> None:
    flow, x = learned(3, trace="hutchinson"), torch.randn(1, 3, 3).double()
    with torch.no_grad():
        exact = flow.eval().log_prob(x, x.new_zeros(1, 0), in_steps(4))
        flow.train()
        many = flow.log_prob(x.expand(3000, -1, -1), x.new_zeros(3000, 0), in_steps(4))
    error = many.std(0) / 3000**0.5
    off = ((many.mean(0) - exact[0]) / error).abs().max()
    measured("estimated log-density off the exact one, in standard errors", off, "below 5")
    assert off < 5 and float(error.max()) > 0


def test_the_density_of_points_integrates_to_1() -> None:
    flow, line = learned(2), torch.linspace(-12, 12, 160, dtype=torch.float64)
    x = torch.cartesian_prod(line, line)[None]
    with torch.no_grad():
        mass = flow.log_prob(x, x.new_zeros(1, 0), in_steps(6)).exp() * float(line[1] - line[0]) ** 2
    assert float(mass.sum()) == pytest.approx(1, abs=2e-3)


def test_before_training_points_are_of_the_gaussian_of_all_points(measured: Callable[..., None]) -> None:
    mix = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [-0.5, 0.3, 0.1]])
    x = torch.randn(200, 12, 3) @ mix.T + torch.tensor([0.5, -1.0, 2.0])
    model = PointFlow((12, 3), code=2, widths=(8,), latent_widths=(6,))
    model.setup(Batch(x))
    points = x.flatten(0, 1)
    law = MultivariateNormal(points.mean(0), torch.as_tensor(oas(points.numpy())[0]).float())
    with torch.no_grad():
        found = model.log_likelihood(x, torch.randn(200, 2), in_steps(1))
    off = (found - law.log_prob(x).sum(1)).abs().max()
    measured("largest error of the Gaussian of all points before training, nats a cloud of 12", off, 0)
    assert off < 1e-2


def test_the_bound_is_below_the_exact_value_and_rises_to_it_with_the_draws(measured: Callable[..., None]) -> None:
    """A code of one number: log p(x) by a sum over a fine grid."""
    model = PointFlow((3, 3), code=1, widths=(8, 8), latent_widths=(6,)).double().eval()
    for flow in (model.of_codes, model.of_points):
        untied(flow)
    torch.nn.init.zeros_(model.encoder.bias)  # a posterior that is wide enough to find the exact one
    x, z = torch.randn(2, 3, 3).double(), torch.linspace(-12, 12, 601, dtype=torch.float64)[:, None]
    with torch.no_grad():
        path, step = in_steps(10), float(z[1, 0] - z[0, 0])
        prior = model.log_prior(z, path)
        assert float(prior.exp().sum() * step) == pytest.approx(1, abs=1e-3)
        joint = [prior + model.log_likelihood(row.expand(601, -1, -1), z, path) for row in x]
        exact = torch.stack(joint).logsumexp(1) + math.log(step)
        drawn = {draws: model.log_prob_bound(x.repeat(100, 1, 1), draws=draws).view(100, 2) for draws in (1, 5, 40)}
    means = {draws: found.mean(0) for draws, found in drawn.items()}
    for draws, found in means.items():
        measured(f"bound of {draws} draws, nats", found.mean(), f"rising to {float(exact.mean()):.4f}")
    error = drawn[40].std(0) / 10
    assert (means[1] < means[5]).all() and (means[5] < means[40]).all()
    assert (means[40] < exact + 4.5 * error).all() and (exact - means[40] < 0.3 * (exact - means[1])).all()


def blobs(n: int, points: int) -> tuple[Tensor, Tensor]:
    """Clouds about a centre of their own, anywhere in a square, and the centres."""
    centres = torch.cat([torch.rand(n, 2) * 2 - 1, torch.zeros(n, 1)], dim=1)
    return centres[:, None] + 0.15 * torch.randn(n, points, 3), centres


def test_a_code_tells_what_points_have_in_common_and_clouds_of_any_size_are_drawn(
    measured: Callable[..., None],
) -> None:
    (train, _), (test, centres) = blobs(600, 12), blobs(200, 12)
    model = PointFlow((12, 3), code=2, widths=(24, 24), latent_widths=(16,), steps=1, lr=1e-2)
    model.setup(Batch(train))
    for step in range(150):
        model.optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / 150)
        model.update(Batch(train[torch.randint(600, (16,))]))
    model.eval()
    points = train.flatten(0, 1)
    independent = MultivariateNormal(points.mean(0), torch.cov(points.T)).log_prob(test).sum(1).mean()
    with torch.no_grad():
        better = float(model.log_prob_bound(test).mean() - independent) / 12
        told = model.encode(test)
    measured("bound above the log-likelihood of one Gaussian, nats a point", better, "above 0")
    assert better > 0.5
    # What a linear map of the codes says of the centres.
    codes = torch.cat([told, torch.ones(200, 1)], dim=1)
    rest = centres[:, :2] - codes @ torch.linalg.lstsq(codes, centres[:, :2]).solution
    assert float(rest.var() / centres[:, :2].var()) < 0.2
    clouds = model.sample(100, points=50)
    assert clouds.shape == (100, 50, 3)
    within, between = clouds.var(1).mean(0)[:2], clouds.mean(1).var(0)[:2]
    assert (within < 0.1).all() and (between > 0.15).all()


@pytest.mark.parametrize("points", [0, -1])
def test_points_below_1_are_refused_and_none_is_as_many_as_the_shape(points: int) -> None:
    model, z = PointFlow((8, 3), code=2, widths=(8,), latent_widths=(8,)), torch.randn(3, 2)
    with torch.no_grad():
        assert model.decode(z).shape == (3, 8, 3) and model.decode(z, 5).shape == (3, 5, 3)
        for call in (lambda: model.decode(z, points), lambda: model.draw(3, points=points)):
            with pytest.raises(ValueError, match=f"points: must be at least 1, got {points}"):
                call()


def test_a_field_that_no_step_is_small_enough_for_is_told_in_words() -> None:
    model = PointFlow((8, 3), code=2, widths=(8,), latent_widths=(8,))
    with torch.no_grad():
        model.of_points.field.layers[-1].linear.weight.fill_(math.nan)
    with pytest.raises(FloatingPointError, match="solver: stopped at time 0 on the way from 0 to 1, at steps of"):
        model.sample(2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trace": "guess"}, "trace: must be one of exact, hutchinson; got 'guess'"),
        ({"steps": 0}, "steps: must be at least 1, got 0"),
        ({"latent_widths": []}, r"latent_widths: must be one or more widths of at least 1, got \[\]"),
    ],
)
def test_bad_arguments_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PointFlow((8, 3), **options)
