import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from pcgen.models.abilities import can
from pcgen.models.base import Batch
from pcgen.models.diffusion.diffusion import Diffusion
from pcgen.models.diffusion.samplers import SAMPLERS, graded_angles
from pcgen.nets.denoiser import NETWORKS

CONTRACT = {"diffusion": {"times": 20, "width": 16, "blocks": 2}}


class ExactDiffusion(Diffusion):
    """Diffusion of data of N(0, diag deviations^2) with the exact predictor of the noise, E[e | x_t]."""

    def __init__(
        self, deviations: list[float], times: int = 1000, schedule: str = "linear", variance: str = "posterior"
    ):
        super().__init__((len(deviations),), times=times, schedule=schedule, variance=variance, width=1, blocks=1)
        self.data_variance = torch.tensor(deviations).square()

    def predict_noise(self, x: Tensor, t: Tensor, y: Tensor | None = None, guidance: float = 1.0) -> Tensor:
        signal = self.signal[t][:, None]
        return (1 - signal).sqrt() * x / (signal * self.data_variance + 1 - signal)

    def exact(self, x: Tensor) -> Tensor:
        return Normal(0.0, self.data_variance.sqrt()).log_prob(x).sum(1)

    def expected_bound(self, x: Tensor) -> Tensor:
        """The bound of a chain of forward variances, with the expectation over its noise in closed form.

        The data is taken for k x_t, k = sqrt(a) v / (a v + 1 - a); E(x - k x_t)^2 = (1 - k sqrt(a))^2 x^2 + k^2 (1 - a)
        """
        x, v, signal = x.double().square(), self.data_variance.double(), self.signal.double()
        bound = -0.5 * (signal[-1] * (x - 1) - (1 - signal[-1]).log()).sum(1)
        for before, a in pairwise(signal):
            k = a.sqrt() * v / (a * v + 1 - a)
            error = (1 - k * a.sqrt()).square() * x + k.square() * (1 - a)
            variance, ratio = 1 - a / before, (1 - before) / (1 - a)  # forward; the posterior's as a share of it
            if before == 1:
                bound -= 0.5 * (error / variance + (2 * math.pi * variance).log()).sum(1)
            else:
                weight = before * variance / (1 - a).square()  # of the error of the data in that of the mean of x_s
                bound -= 0.5 * (weight * error + ratio - 1 - ratio.log()).sum(1)
        return bound

    def data(self, n: int) -> Tensor:
        return self.data_variance.sqrt() * torch.randn(n, len(self.data_variance))


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_step_by_step_noise_has_the_closed_form_of_the_marginals(schedule: str) -> None:
    model = Diffusion((1,), times=50, schedule=schedule)
    x = chain = torch.full((20_000, 1), 2.0)
    for t in range(1, 51):
        kept = model.signal[t] / model.signal[t - 1]
        chain = kept.sqrt() * chain + (1 - kept).sqrt() * torch.randn_like(chain)
        if t in (1, 10, 25, 50):
            jump = model.diffuse(x, torch.full((20_000,), t), torch.randn_like(x))
            for states in (chain, jump):
                assert states.mean().item() == pytest.approx(2 * math.sqrt(model.signal[t]), abs=0.03)
                assert states.var().item() == pytest.approx(1 - model.signal[t].item(), abs=0.03)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("times", [2, 10, 1000])
def test_the_signal_falls_from_one_to_near_zero(schedule: str, times: int) -> None:
    signal = Diffusion((1,), times=times, schedule=schedule).signal
    assert signal[0] == 1 and (signal.diff() < 0).all() and 0 < signal[-1] < 0.01


def test_without_the_network_the_prediction_is_exact_for_a_standard_gaussian() -> None:
    model = Diffusion((3,), times=100, schedule="linear")
    x, t = torch.randn(50, 3), torch.randint(1, 101, (50,))
    exact = ExactDiffusion([1.0, 1.0, 1.0], times=100)
    torch.testing.assert_close(model.predict_noise(x, t), exact.predict_noise(x, t))


@pytest.mark.parametrize("times", [5, 100])
def test_the_bound_of_a_standard_gaussian_is_its_log_likelihood_for_any_length_of_chain(times: int) -> None:
    # The chain's steps back are then exactly Gaussian and of the forward variance, and x_T is exactly N(0, I).
    model = ExactDiffusion([1.0, 1.0], times=times, variance="forward")
    x = model.data(4000)
    gap = model.exact(x) - model.log_prob_bound(x)
    assert abs(gap.mean()) < 4 * gap.std() / math.sqrt(len(x))


def test_the_bound_of_a_gaussian_stays_below_the_exact_value_and_nears_it_as_the_chain_grows(
    measured: Callable[..., None],
) -> None:
    gaps = []  # nats per dimension
    for times in (10, 50, 250, 1000):
        model = ExactDiffusion([0.3, 1.0, 2.0], times=times, variance="forward")
        x = model.data(2000)
        error = model.log_prob_bound(x) - model.expected_bound(x)
        assert abs(error.mean()) < 4 * error.std() / math.sqrt(len(x))
        # Both are linear in the squares of the coordinates, so their means over the data are those at the deviations.
        deviations = model.data_variance.sqrt()[None]
        gaps.append(float(model.exact(deviations) - model.expected_bound(deviations)) / 3)
        measured(f"log p(x) of a Gaussian less the bound of {times} times, nats per dimension", gaps[-1], "0 or more")
    assert all(before > after >= 0 for before, after in pairwise(gaps))
    assert gaps[0] > 0.1 and gaps[-1] < 0.02


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("sampler", ["ancestral", "ddim", "heun", "multistep"])
def test_the_chain_with_the_exact_predictor_ends_at_the_data(schedule: str, sampler: str) -> None:
    model = ExactDiffusion([0.3, 1.0, 2.0], schedule=schedule)
    samples = model.sample(20_000, steps=300, sampler=sampler, match=False)
    torch.testing.assert_close(samples.std(0), model.data_variance.sqrt(), rtol=0.04, atol=0)
    assert samples.mean(0).abs().max() < 0.06


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize(("sampler", "order"), [("ddim", 1), ("heun", 2), ("multistep", 2)])
def test_the_error_of_a_sampler_falls_with_its_order(
    measured: Callable[..., None], schedule: str, sampler: str, order: int
) -> None:
    model = ExactDiffusion([0.3, 1.0, 2.0], times=4000, schedule=schedule)
    errors = []
    for steps in (21, 41, 81):
        torch.manual_seed(1)
        drawn = model.sample(500, steps=steps, sampler=sampler, match=False)
        torch.manual_seed(1)
        noise, variance, end = torch.randn(500, 3), model.data_variance, model.signal[-1]
        # The flow of a Gaussian scales each coordinate by the deviations at both ends.
        errors.append((drawn - noise * (variance / (end * variance + 1 - end)).sqrt()).square().mean().sqrt().item())
    if schedule == "cosine":
        measured(f"order of {sampler} from its errors at 41 and 81 steps", math.log2(errors[1] / errors[2]), order)
    for coarse, fine in pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.35)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("sampler", ["multistep", "heun"])
def test_forty_evaluations_of_order_two_end_as_near_the_data_as_a_hundred_of_ddim(schedule: str, sampler: str) -> None:
    model = ExactDiffusion([0.03, 0.1, 0.5, 1.0, 2.0], schedule=schedule)

    def error(**options: Any) -> Tensor:
        torch.manual_seed(1)
        return (model.sample(20_000, match=False, **options).std(dim=0) / model.data_variance.sqrt() - 1).abs().mean()

    assert error(sampler=sampler, steps=40) < error(sampler="ddim", steps=100)
    assert error() < 0.02 < error(sampler="ddim", steps=30)


@pytest.mark.parametrize(("sampler", "most"), [("multistep", 12), ("heun", 11), ("ddim", 12), ("ancestral", 12)])
def test_steps_are_evaluations_of_the_network(sampler: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = ExactDiffusion([1.0]), []
    exact = model.predict_noise
    monkeypatch.setattr(model, "predict_noise", lambda x, t, *rest: asked.append(int(t[0])) or exact(x, t, *rest))
    model.sample(1, steps=12, sampler=sampler, match=False)
    assert len(asked) == most and asked[0] == 1000


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("times", [2, 20, 1000])
def test_times_are_of_graded_angles_as_far_as_there_are_such_times(schedule: str, times: int) -> None:
    signal = Diffusion((1,), times=times, schedule=schedule).signal
    for steps in {1, 2, times // 2, times}:
        found = graded_angles(signal, steps)
        assert len(found) == steps + 1 and found[0] == times and found[-1] == 0
        assert all(t > s for t, s in pairwise(found))
    if times == 1000:
        angles = signal.double().sqrt().acos()[graded_angles(signal, 20)]
        torch.testing.assert_close(
            (angles / angles[0]).pow(2 / 3), torch.arange(20, -1, -1) / 20.0, atol=0.06, rtol=0, check_dtype=False
        )


def test_a_trained_chain_bounds_the_density_from_below_and_near() -> None:
    mix = torch.tensor([[1.0, 0.0], [0.8, 0.6]])
    data = torch.randn(1000, 2) @ mix.T
    model = Diffusion((2,), times=100, variance="forward", width=32, blocks=2, lr=3e-3)
    model.setup(Batch(data))
    for step in range(600):
        for group in model.optimizer.param_groups:
            group["lr"] = 3e-3 * (1 - step / 600)
        rows = torch.randint(1000, (256,))
        model.update(Batch(data[rows], rows))
    x = torch.randn(2000, 2) @ mix.T
    exact = torch.distributions.MultivariateNormal(torch.zeros(2), mix @ mix.T).log_prob(x)
    bound = model.log_prob_bound(x)
    gap = (exact - bound) / 2
    assert -4 * gap.std() / math.sqrt(len(x)) < gap.mean() < 0.1
    torch.testing.assert_close(torch.cov(model.sample(5000).T), mix @ mix.T, atol=0.15, rtol=0)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_samples_stay_in_the_range_of_the_data(sampler: str) -> None:
    model = Diffusion((4,), times=20)
    model.setup(Batch(torch.tensor([[0.5, -0.1, 0.2, 0.0], [0.1, 0.3, -0.25, 0.4]])))
    assert model.sample(200, sampler=sampler).abs().max() <= 0.5 + 1e-6


@pytest.mark.parametrize("network", NETWORKS)
def test_on_clouds_permuting_the_points_permutes_the_prediction(network: str) -> None:
    model = Diffusion((8, 3), times=20, width=16, network=network)
    model.update(Batch(torch.randn(4, 8, 3), torch.arange(4)))
    model.eval()
    x, t, order = torch.randn(2, 8, 3), torch.tensor([3, 17]), torch.randperm(8)
    torch.testing.assert_close(model.predict_noise(x[:, order], t), model.predict_noise(x, t)[:, order])


def test_it_is_bounded_and_no_density() -> None:
    model = Diffusion((2,))
    assert can(model, "log_prob_bound") and not can(model, "log_prob")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Diffusion((2,), times=1), "times: must be at least 2, got 1"),
        (lambda: Diffusion((2,), schedule="cosin"), "schedule: must be one of linear, cosine; got 'cosin'"),
        (lambda: Diffusion((2,), variance="both"), "variance: must be one of forward, posterior"),
        (lambda: Diffusion((2,), width=0), "width: must be at least 1, got 0"),
        (lambda: Diffusion((4, 2), network="tokens", heads=3), "heads: must divide the width, 256, got 3"),
        (lambda: Diffusion((2,), lr=0.0), "lr: must be a positive number, got 0.0"),
        (
            lambda: Diffusion((2,), times=9).sample(1, steps=10),
            "steps: must be from 1 to the chain's length, 9",
        ),
        (lambda: Diffusion((2,)).sample(1, sampler="ddpm"), "sampler: must be one of multistep, heun, ddim, ancestral"),
    ],
)
def test_bad_arguments_are_named(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()


def test_the_bound_is_of_the_chain_whose_samples_are_drawn() -> None:
    """Both clip what the network predicts of the data to its range."""
    model = ExactDiffusion([1.0, 1.0], times=20)
    model.limit.fill_(0.3)
    seen: list[Tensor] = []
    predict = model._predict_data

    def kept(*given: Any) -> Tensor:
        seen.append(predict(*given))
        return seen[-1]

    model._predict_data = kept  # type: ignore[method-assign]
    model.draw(50, sampler="ancestral")
    assert len(seen) == 20
    model.log_prob_bound(model.data(50))
    assert len(seen) == 40 and all(each.abs().max() <= 0.3 for each in seen)
