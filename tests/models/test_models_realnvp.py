import math
from collections.abc import Callable

import pytest
import torch
from densities import check_draws, check_learns_curved, check_learns_labels, plane
from sklearn.covariance import oas
from torch.distributions import MultivariateNormal

from pcgen.models.base import Batch
from pcgen.models.flows.realnvp import RealNVP

CONTRACT = {"realnvp": {"pairs": 2, "widths": [16]}}


def untied(dim: int, std: float = 0.4) -> RealNVP:
    """In double, with random weights in the place of those that start at 0, and as if fitted to some data."""
    model = RealNVP((dim,), pairs=3, widths=(12,)).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, std)
        for stack in model.stacks:  # orthogonal to double precision
            stack.rotations.copy_(torch.linalg.qr(stack.rotations).Q)
        model.whitening.mean.normal_()
        model.whitening.axes.copy_(torch.linalg.qr(torch.randn_like(model.whitening.axes)).Q)
        model.whitening.deviation.uniform_(0.5, 1.5)
    return model


@pytest.mark.parametrize("dim", [2, 5])
def test_the_inverse_and_the_jacobian_are_those_of_autograd(dim: int, measured: Callable[..., None]) -> None:
    model, x = untied(dim), torch.randn(6, dim, dtype=torch.float64)
    z = model.encode(x)
    torch.testing.assert_close(model.decode(z), x)
    jacobians = [torch.autograd.functional.jacobian(lambda row: model.encode(row[None])[0], row) for row in x]
    log_det = torch.linalg.slogdet(torch.stack(jacobians)).logabsdet
    found = model.to_noise(x, x.new_zeros(6, 0))[1].detach()
    measured(f"largest error of log |dz / dx| in {dim} dimensions, nats", (found - log_det).abs().max(), 0)
    torch.testing.assert_close(found, log_det)
    noise = -0.5 * (z.square() + math.log(2 * math.pi)).sum(1)
    torch.testing.assert_close(model.log_prob(x), noise + log_det)


def test_the_density_integrates_to_1_and_is_that_of_the_draws(measured: Callable[..., None]) -> None:
    model, (x, area) = untied(2, 0.25).float(), plane(20, 1000)
    with torch.no_grad():
        mass = torch.cat([model.log_prob(part) for part in x.split(200_000)]).double().exp() * area
    measured("integral of the density over a plane", mass.sum(), 1)
    assert float(mass.sum()) == pytest.approx(1, abs=3e-3)
    check_draws(model.sample(20_000), x, mass)


def test_coarse_axes_are_carried_to_noise_without_a_look_at_finer_ones() -> None:
    model, e = untied(9), torch.randn(9, dtype=torch.float64)
    slopes = torch.autograd.functional.jacobian(lambda e: model.encode(model.whitening.inverse(e[None]))[0], e).abs()
    assert model.blocks == [(0, 2), (2, 4), (4, 9)]
    for start, end in model.blocks:
        assert (slopes[start:end, :end] > 1e-6).all() and (slopes[start:end, end:] < 1e-12).all()


def test_it_begins_as_the_gaussian_of_the_data() -> None:
    x = torch.randn(500, 4) @ (torch.eye(4) + torch.randn(4, 4).tril(-1)) + torch.randn(4)
    model = RealNVP((4,))
    model.setup(Batch(x))
    gaussian = MultivariateNormal(x.mean(0), torch.as_tensor(oas(x.numpy())[0]).float())
    torch.testing.assert_close(model.eval().log_prob(x), gaussian.log_prob(x), atol=2e-3, rtol=0)


def test_on_a_curved_sheet_it_comes_near_the_exact_density_where_a_gaussian_does_not(
    measured: Callable[..., None],
) -> None:
    model = RealNVP((3,), pairs=4, widths=(48,), dropout=0.0, smoothing=0.0, lr=5e-3)
    check_learns_curved(model, steps=500, most=0.15, measured=measured)


def test_with_classes_the_density_is_that_given_the_label() -> None:
    check_learns_labels(RealNVP((3,), pairs=2, widths=(24,), classes=("a", "b"), lr=1e-2), rows=600, updates=150)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RealNVP((1,)), r"realnvp: shape must be \(dim,\) of at least 2 numbers, .* got \(1,\)"),
        (lambda: RealNVP((4,), pairs=0), "pairs: must be at least 1, got 0"),
        (lambda: RealNVP((4,), smoothing=1.0), "smoothing: must be at least 0 and below 1, got 1.0"),
    ],
)
def test_bad_arguments_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
