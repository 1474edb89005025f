import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from densities import check_learns_labels
from torch import Tensor
from torch.distributions import MultivariateNormal

from pcgen.models.abilities import can
from pcgen.models.base import Batch
from pcgen.models.flows.coupling import couple_members, couple_rows, freshen
from pcgen.models.flows.flow_matching import FlowMatching
from pcgen.nets.denoiser import NETWORKS

CONTRACT = {"flow_matching": {"width": 16, "blocks": 2}}

MIX = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [-0.5, 0.3, 0.1]])
LAW = MultivariateNormal(torch.tensor([0.5, -1.0, 2.0]), MIX @ MIX.T)


def of_gaussian(**options: Any) -> FlowMatching:
    """Before any update, of Gaussian data: the velocity is the closed form."""
    model = FlowMatching((3,), width=8, blocks=1, **options)
    model.setup(Batch(LAW.sample((50_000,))))
    return model


def worst(ratio: Tensor) -> int:
    """Where it is farthest from 1."""
    return int((ratio - 1).abs().argmax())


@pytest.mark.parametrize("solver", ["euler", "midpoint", "heun", "rk4", "adaptive"])
@pytest.mark.parametrize("coupling", ["independent", "optimal"])
def test_the_closed_form_carries_noise_to_a_gaussians_law(
    measured: Callable[..., None], coupling: str, solver: str
) -> None:
    samples = of_gaussian(coupling=coupling).sample(
        20_000, solver=solver, match=False, **({"steps": 200} if solver == "euler" else {})
    )
    if coupling == "optimal":
        ratio = samples.std(0) / LAW.stddev
        measured(f"deviations of samples by {solver}, of those of a Gaussian, the worst", float(ratio[worst(ratio)]), 1)
    torch.testing.assert_close(samples.mean(0), LAW.mean, atol=0.05, rtol=0)
    torch.testing.assert_close(torch.cov(samples.T), LAW.covariance_matrix, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("coupling", ["independent", "optimal"])
def test_the_marginals_are_kept_at_every_time(coupling: str) -> None:
    model = of_gaussian(coupling=coupling)
    data = LAW.sample((20_000,))
    noise = torch.cat([model.noise(part) for part in Batch(data).split(128)])
    x, times, done = torch.randn(20_000, 3), [i / 60 for i in range(61)], 0
    for at in (15, 30, 45):
        for i in range(done, at):  # Euler's steps, by hand
            x = x + (times[i + 1] - times[i]) * model.velocity(x, torch.full((len(x),), times[i]))
        done, t = at, times[at]
        mixed = (1 - t) * noise + t * data
        torch.testing.assert_close(x.mean(0), mixed.mean(0), atol=0.06, rtol=0)
        torch.testing.assert_close(torch.cov(x.T), torch.cov(mixed.T), atol=0.06, rtol=0.06)


@pytest.mark.parametrize("coupling", ["independent", "optimal"])
def test_the_log_density_of_a_gaussian_is_exact(measured: Callable[..., None], coupling: str) -> None:
    model, x = of_gaussian(coupling=coupling), LAW.sample((50,))
    fitted = MultivariateNormal(
        model.gaussian.mean, model.gaussian.basis @ model.gaussian.spectrum.diag() @ model.gaussian.basis.T
    )
    error = (model.log_prob(x) - fitted.log_prob(x)).abs().max()
    measured(f"largest error of log p(x) of a Gaussian, coupling {coupling}", float(error), 0)
    assert error < 5e-3


def test_a_trained_flow_draws_two_modes_and_knows_their_density() -> None:
    data = torch.randn(2000, 1) * 0.3 + torch.tensor([-1.5, 1.5])[torch.randint(2, (2000, 1))]
    model = FlowMatching((1,), width=32, blocks=2, lr=3e-3)
    model.setup(Batch(data))
    for step in range(300):
        model.optimizer.param_groups[0]["lr"] = 3e-3 * (1 - step / 300)
        rows = torch.randint(2000, (128,))
        model.update(Batch(data[rows], rows))
    samples = model.eval().sample(4000)
    assert (samples > 0).float().mean().item() == pytest.approx(0.5, abs=0.06)
    assert (samples.abs() - 1.5).std().item() == pytest.approx(0.3, abs=0.06)
    grid = torch.linspace(-4, 4, 401)[:, None]
    assert torch.trapezoid(model.log_prob(grid).exp(), grid[:, 0]).item() == pytest.approx(1, abs=0.02)


def test_with_classes_the_density_is_that_given_the_label() -> None:
    model = FlowMatching((3,), width=24, blocks=1, dropout=0.0, classes=("a", "b"), lr=1e-2)
    check_learns_labels(model, rows=100, updates=60)


def best(noise: Tensor, x: Tensor, power: int) -> float:
    """The least total distance to a power over all pairings, by looking at each."""
    cost = torch.cdist(x.double(), noise.double()).pow(power)
    orders = torch.tensor(list(itertools.permutations(range(len(x)))))
    return cost[torch.arange(len(x)), orders].sum(dim=1).min().item()


def test_couplings_are_the_best_of_all_pairings() -> None:
    rows, data = torch.randn(6, 4), torch.randn(6, 4) + 1
    coupled = couple_rows(rows, data)
    assert (coupled - data).square().sum().item() == pytest.approx(best(rows, data, 2), rel=1e-5)
    for channels, power in ((2, 2), (3, 1)):
        noise, x = torch.randn(5, 6, channels), torch.randn(5, 6, channels) / 2
        coupled = couple_members(noise, x)
        for one, before, other in zip(coupled, noise, x, strict=True):
            assert (one - other).norm(dim=1).pow(power).sum().item() == pytest.approx(
                best(before, other, power), rel=1e-5
            )
            assert sorted(one[:, 0].tolist()) == sorted(before[:, 0].tolist())


def test_rows_are_paired_within_their_label_so_that_its_noise_is_as_any() -> None:
    labels = torch.randint(2, (40, 64))
    noise, means = torch.randn(40, 64, 2), []
    for each, own in zip(noise, labels, strict=True):
        coupled = couple_rows(each, torch.randn(64, 2) + 6 * own[:, None], own)
        assert sorted(coupled[own == 1, 0].tolist()) == sorted(each[own == 1, 0].tolist())
        means.append(coupled[own == 1].mean(0))
    assert torch.stack(means).mean(0).abs().max() < 4 / math.sqrt(40 * 32)


@pytest.mark.parametrize("fresh", [0.0, 0.2, 0.9])
def test_fresh_noise_keeps_the_law_and_frees_the_coupling(fresh: float) -> None:
    noise = torch.randn(100_000, 2)
    mixed = freshen(noise, fresh)
    torch.testing.assert_close(torch.cov(mixed.T), torch.eye(2), atol=0.02, rtol=0)
    both = torch.corrcoef(torch.stack([noise[:, 0], mixed[:, 0]]))[0, 1].item()
    assert both == pytest.approx(math.sqrt(1 - fresh), abs=0.01)
    if fresh == 0:
        assert mixed is noise


def spread_of_velocities(coupling: str, fresh: float) -> float:
    """How much the lines through one place at one time differ in direction: what bends a flow's paths.

    Measured where lines cross, halfway in the middle between two modes: the mean square of x1 - x0 about its mean.
    """
    data = 0.2 * torch.randn(40_000, 1) + torch.tensor([-1.0, 1.0])[torch.randint(2, (40_000, 1))]
    model = FlowMatching((1,), coupling=coupling, fresh=fresh, width=8, blocks=1)
    noise = torch.cat([model.noise(part) for part in Batch(data).split(128)])
    near = ((noise + data) / 2).abs()[:, 0] < 0.1
    return (data - noise)[near].var().item()


def test_the_nearer_the_coupling_the_straighter_the_paths() -> None:
    independent, fresh, optimal = (
        spread_of_velocities(*each) for each in (("independent", 0.0), ("optimal", 0.2), ("optimal", 0.0))
    )
    assert optimal < 0.7 * fresh < 0.7 * independent


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_few_steps_of_an_optimal_coupling_end_nearer_than_of_an_independent_one(
    measured: Callable[..., None], steps: int
) -> None:
    errors = {}
    for coupling in ("independent", "optimal"):
        drawn = of_gaussian(coupling=coupling, fresh=0.0).sample(20_000, steps=steps, solver="euler", match=False)
        errors[coupling] = (torch.cov(drawn.T) - LAW.covariance_matrix).norm().item()
    ratio = errors["optimal"] / errors["independent"]
    measured(f"error of the covariance after {steps} steps, optimal coupling of independent", ratio, "below 1")
    assert ratio < 0.5


@pytest.mark.parametrize("network", NETWORKS)
def test_on_sets_permuting_the_members_permutes_the_velocity(network: str) -> None:
    model = FlowMatching((8, 4), width=16, network=network)
    model.update(Batch(torch.randn(4, 8, 4), torch.arange(4)))
    model.eval()
    x, t, order = torch.randn(2, 8, 4), torch.tensor([0.2, 0.9]), torch.randperm(8)
    torch.testing.assert_close(model.velocity(x[:, order], t), model.velocity(x, t)[:, order])


@pytest.mark.parametrize(
    ("solver", "steps", "most"), [("euler", 7, 7), ("midpoint", 7, 6), ("heun", 8, 8), ("rk4", 7, 4)]
)
def test_steps_are_evaluations_of_the_network(
    solver: str, steps: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, asked = FlowMatching((2,), width=8), []
    velocity = model.velocity
    monkeypatch.setattr(model, "velocity", lambda x, t, *rest: asked.append(float(t[0])) or velocity(x, t, *rest))
    model.sample(1, steps=steps, solver=solver, match=False)
    assert len(asked) == most and asked[0] == 0 and max(asked) <= 1


def test_a_density_is_of_vectors_alone() -> None:
    assert can(FlowMatching((2,)), "log_prob") and not can(FlowMatching((4, 2)), "log_prob")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FlowMatching((2,), coupling="best"), "coupling: must be one of independent, optimal; got 'best'"),
        (lambda: FlowMatching((2,), fresh=1.0), "fresh: must be at least 0 and below 1, got 1.0"),
        (lambda: FlowMatching((4, 3), gap=-0.1), "gap: must be at least 0 and below 1, got -0.1"),
        (lambda: FlowMatching((2,)).sample(1, solver="rk5"), "solver: must be one of .* got 'rk5'"),
        (lambda: FlowMatching((2,)).sample(1, steps=3, solver="rk4"), "steps: must be at least 4 for rk4, got 3"),
        (lambda: FlowMatching((2,)).sample(1, guidance=2.0), "guidance: must be 1 for a model without classes, got 2"),
        (lambda: FlowMatching((4, 2)).log_prob(torch.zeros(1, 4, 2)), r"log_prob: is for vectors, .* shape \(4, 2\)"),
    ],
)
def test_bad_arguments_are_named(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()
