"""The gradient step: all of its groups or none."""

import math
from itertools import pairwise

import pytest
import torch

from pcgen.optim import Muon, descend, hidden_layers, orthogonal


def test_no_group_is_clipped_when_another_has_a_gradient_that_is_not_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = [torch.nn.Parameter(torch.ones(3)) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": [each], "clip": 0.1} for each in weights], lr=1.0)
    clipped = []
    monkeypatch.setattr(torch.nn.utils, "clip_grads_with_norm_", lambda *given: clipped.append(given))
    weights[1].register_hook(lambda gradient: gradient * math.nan)
    with pytest.raises(FloatingPointError, match=r"loss 6 with gradient norm 1\.73205, nan"):
        descend(weights[0].sum() + weights[1].sum(), optimizer)
    assert clipped == []
    assert all(each.grad is None and torch.equal(each, torch.ones(3)) for each in weights)


def test_every_group_is_clipped_to_its_own_norm() -> None:
    weights = [torch.nn.Parameter(torch.zeros(4)) for _ in range(2)]
    optimizer = torch.optim.SGD(
        [{"params": [each], "clip": clip} for each, clip in zip(weights, (1, 9), strict=True)], lr=1.0
    )
    descend(weights[0].sum() + 2 * weights[1].sum(), optimizer)  # norms 2 and 4
    torch.testing.assert_close(weights[0].detach(), torch.full((4,), -0.5), atol=1e-5, rtol=0)
    torch.testing.assert_close(weights[1].detach(), torch.full((4,), -2.0), atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(40, 64), (64, 40), (48, 48)])
def test_the_orthogonal_matrix_is_that_of_the_singular_vectors(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(shape, dtype=torch.float64)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    matrix = left @ (values.clamp_min(0.05 * values.max())[:, None] * right)  # none is too small for five steps
    found = left.T @ orthogonal(1e-3 * matrix) @ right.T  # in the coordinates of the singular vectors
    diagonal = found.diagonal()
    assert diagonal.min() > 0.65 and diagonal.max() < 1.25
    torch.testing.assert_close(found, diagonal.diag(), atol=1e-10, rtol=0)


def test_a_matrix_of_zeros_stays_zero() -> None:
    assert torch.equal(orthogonal(torch.zeros(3, 5)), torch.zeros(3, 5))


def test_muon_steps_by_nesterovs_momentum_made_orthogonal() -> None:
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(64, 32))
    expected, mean = weight.detach().clone(), torch.zeros(64, 32)
    optimizer = Muon([weight], lr=0.1, momentum=0.9)
    for gradient in torch.randn(3, 64, 32):
        weight.grad = gradient.clone()
        optimizer.step()
        mean = 0.9 * mean + 0.1 * gradient
        expected -= 0.1 * math.sqrt(2) * orthogonal(0.9 * mean + 0.1 * gradient)
    torch.testing.assert_close(weight.detach(), expected)


def test_muon_learns_all_directions_of_a_matrix_at_one_pace() -> None:
    # Gradient descent on |(W - T) D|^2 takes 10,000 times as long in the last direction of D as in the first.
    torch.manual_seed(0)
    target = torch.linalg.qr(torch.randn(32, 32))[0]
    scale = torch.logspace(0, -2, 32)
    weight = torch.nn.Parameter(torch.zeros(32, 32))
    optimizer = Muon([weight], lr=0.05)
    for step in range(150):
        optimizer.param_groups[0]["lr"] = 0.05 * (1 - step / 150)
        descend(((weight - target) * scale).square().sum(), optimizer)
    assert (weight - target).detach().norm(dim=0).max() < 0.15  # of columns of length 1


def test_muon_refuses_what_is_no_matrix() -> None:
    with pytest.raises(ValueError, match=r"matrices: must have two dimensions, got a weight of shape \(4,\)"):
        Muon([torch.nn.Parameter(torch.zeros(4))])
    with pytest.raises(ValueError, match="momentum: must be"):
        Muon([torch.nn.Parameter(torch.zeros(4, 4))], momentum=1.0)


def test_hidden_layers_are_the_middle_ones() -> None:
    net = torch.nn.Sequential(*(torch.nn.Linear(*size) for size in pairwise((3, 64, 128, 4096, 64, 32))))
    found = [id(weight) for weight in hidden_layers(net)]
    assert found == [id(net[1].weight), id(net[3].weight)]  # 64 x 128, and 4096 x 64 = 2^18


def test_several_optimizers_step_together_or_not_at_all() -> None:
    weights = [torch.nn.Parameter(torch.zeros(4)) for _ in range(2)]
    optimizers = [torch.optim.SGD([weight], lr=1.0) for weight in weights]
    descend(weights[0].sum() + 2 * weights[1].sum(), *optimizers)
    assert [weight.tolist() for weight in weights] == [[-1.0] * 4, [-2.0] * 4]
    weights[1].register_hook(lambda gradient: gradient * math.nan)
    with pytest.raises(FloatingPointError, match="gradient norm 2, nan"):
        descend(weights[0].sum() + 2 * weights[1].sum(), *optimizers)
    assert [weight.tolist() for weight in weights] == [[-1.0] * 4, [-2.0] * 4]


def test_under_autocast_the_step_has_the_weights_type_and_later_passes_see_it() -> None:
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(64, 32))
    optimizer, x = Muon([weight], lr=0.1), torch.randn(8, 64)
    expected = weight.detach().clone()
    with torch.autocast("cpu", torch.bfloat16):
        descend((x @ weight).square().mean(), optimizer)
        after = x @ weight
    mean = optimizer.state[weight]["momentum"]
    expected -= 0.1 * math.sqrt(2) * orthogonal(0.95 * mean + 0.05 * weight.grad)
    torch.testing.assert_close(weight.detach(), expected, rtol=0, atol=1e-6)  # bfloat16 errs by 1e-3
    torch.testing.assert_close(after.float(), x @ weight, rtol=0.02, atol=0.1)
    assert (x @ weight - x @ (weight + 0.1)).abs().max() > 0.5
