import pytest
import torch
from torch import Tensor

from pcgen.nets.gated_field import GatedField
from pcgen.solvers import divergence, hutchinson


def learned(channels: int = 3) -> GatedField:
    """In double, with random weights in the place of those that start at 0."""
    field = GatedField(channels, context=2, widths=(10, 8)).double()
    for parameter in field.parameters():
        torch.nn.init.normal_(parameter, std=0.6)
    return field


def inputs(channels: int = 3) -> tuple[Tensor, Tensor]:
    return torch.randn(2, 5, channels, dtype=torch.float64), torch.randn(2, 2, dtype=torch.float64)


def of_rows(field: GatedField, context: Tensor, x: Tensor) -> Tensor:
    """The field at points that stand as rows, (B * N, C)."""
    return field(x.view(len(context), -1, x.shape[1]), context).flatten(0, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_trace_is_the_divergence_by_autograd(channels: int) -> None:
    field, (x, context) = learned(channels), inputs(channels)
    value, trace = field.trace(x, context)
    expected, spread = divergence(lambda _, rows: of_rows(field, context, rows), 0.0, x.flatten(0, 1))
    torch.testing.assert_close(value.flatten(0, 1), expected)
    torch.testing.assert_close(trace.flatten(), spread)
    torch.testing.assert_close(value, field(x, context))


def test_an_estimate_is_hutchinsons_and_right_on_average() -> None:
    field, (x, context) = learned(), inputs()
    probe = torch.randn_like(x)
    value, estimate = field.traced_by(probe, x, context)
    _, peer = hutchinson(lambda _, rows: of_rows(field, context, rows), 0.0, x.flatten(0, 1), probe.flatten(0, 1))
    torch.testing.assert_close(estimate.flatten(), peer)
    torch.testing.assert_close(value, field(x, context))
    with torch.no_grad():
        many = torch.stack([field.traced_by(2.0 * torch.randint_like(x, 2) - 1, x, context)[1] for _ in range(3000)])
        assert ((many.mean(0) - field.trace(x, context)[1]).abs() <= 5 * many.std(0) / 3000**0.5 + 1e-9).all()


def test_the_trace_has_the_gradient_that_autograd_gives_its_own() -> None:
    field, (x, context) = learned(), inputs()
    weights = list(field.parameters())
    found = torch.autograd.grad(field.trace(x, context)[1].square().sum(), weights, materialize_grads=True)
    at = x.flatten(0, 1).requires_grad_()
    out = of_rows(field, context, at)
    slopes = [torch.autograd.grad(out[:, i].sum(), at, create_graph=True)[0][:, i] for i in range(3)]
    expected = torch.autograd.grad(torch.stack(slopes).sum(0).square().sum(), weights, materialize_grads=True)
    torch.testing.assert_close(found, expected)


def test_it_is_bounded_and_0_until_it_learns() -> None:
    field, (x, context) = learned(), inputs()
    far = field(1e6 * x, context)
    last = field.layers[-1]
    most = last.linear.weight.abs().sum(1) + last.linear.bias.abs() + last.shift(context).abs()[:, None]
    assert (far.abs() <= most).all()
    assert torch.equal(GatedField(3, 2, (8,))(x.float(), context.float()), torch.zeros(2, 5, 3))


@pytest.mark.parametrize(("argument", "value"), [("channels", 0), ("context", 0), ("widths", []), ("widths", [0])])
def test_a_number_out_of_range_is_named(argument: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{argument}: must be"):
        GatedField(**{"channels": 3, "context": 1, "widths": [8], argument: value})
