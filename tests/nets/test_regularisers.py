import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, kl_divergence

from pcgen.nets.regularisers import SparseUnits, negative_weights


def test_the_divergence_is_that_of_bernoulli_variables_from_the_running_mean() -> None:
    units = SparseUnits(5, 0.2)
    a = torch.rand(7, 5, requires_grad=True)
    r = 0.9 * 0.2 + 0.1 * a.mean(0)
    expected = kl_divergence(Bernoulli(torch.full((5,), 0.2)), Bernoulli(r))
    found = units.divergence(a)
    torch.testing.assert_close(found, expected.sum())
    torch.testing.assert_close(units.activation, r.detach())
    # Its slope is that of the divergence at r, by the batch's mean.
    at = r.detach().requires_grad_()
    (slope,) = torch.autograd.grad(kl_divergence(Bernoulli(torch.full((5,), 0.2)), Bernoulli(at)).sum(), at)
    (of_rows,) = torch.autograd.grad(found, a)
    torch.testing.assert_close(of_rows, (slope / 7).expand(7, 5))


def test_units_that_never_or_always_are_active_have_a_finite_divergence() -> None:
    units = SparseUnits(2, 0.1)
    for _ in range(400):
        found = units.divergence(torch.tensor([[0.0, 1.0]]))
    assert torch.isfinite(found) and found > 1


def test_units_start_at_their_target() -> None:
    units = SparseUnits(64, 0.05)
    torch.testing.assert_close(units(torch.zeros(3, 64)), torch.full((3, 64), 0.05))
    with pytest.raises(ValueError, match="target: must be a positive number, got 0"):
        SparseUnits(3, 0)


def test_negative_weights_of_linear_layers_are_descended_and_no_others() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2), nn.Linear(2, 1))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[-1.0, 2.0], [3.0, -0.5]]))
        network[0].bias.fill_(-4.0)
        network[2].weight.copy_(torch.tensor([[-2.0, 1.0]]))
    found = negative_weights(network)
    assert found.item() == 0.5 * (1 + 0.25 + 4)
    found.backward()
    assert network[0].weight.grad.tolist() == [[-1, 0], [0, -0.5]] and network[2].weight.grad.tolist() == [[-2, 0]]
    assert network[0].bias.grad is None and network[1].weight.grad is None
    with pytest.raises(ValueError, match="nonnegative: must be 0 for a Identity, which has no linear layers"):
        negative_weights(nn.Identity())
