import pytest
import torch
from torch import Tensor

from pcgen.nets.masked import MaskedMLP

DIM = 6


def learned(**options: object) -> MaskedMLP:
    """A network with random weights in the place of those that start at 0."""
    net = MaskedMLP(DIM, **options).double()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter)
    return net


def sees(net: MaskedMLP, condition: int = 0) -> tuple[Tensor, Tensor]:
    """Which output (dim, outputs) depends on which input, and on which number of the condition."""
    x, given = torch.randn(3, DIM).double(), torch.randn(3, condition).double()
    slopes = torch.autograd.functional.jacobian(lambda x, c: net(x, c).sum(0), (x, given))
    return tuple(slope.abs().sum(2) > 0 for slope in slopes)  # type: ignore[return-value]


@pytest.mark.parametrize("widths", [(), (7,), (64,), (40, 50), (30, 30, 30)])
@pytest.mark.parametrize("window", [None, 0, 1, 2, 4])
def test_an_output_sees_the_inputs_before_its_own_within_the_window_and_no_other(
    widths: tuple[int, ...], window: int | None
) -> None:
    net = learned(widths=widths, outputs=2, window=window)
    seen, _ = sees(net)
    for i in range(DIM):
        expected = torch.zeros(DIM, dtype=torch.bool)
        expected[0 if window is None else max(0, i - window) : i] = True
        assert torch.equal(seen[i], expected.expand(2, -1)), i


@pytest.mark.parametrize("window", [None, 2])
def test_all_outputs_see_the_condition(window: int | None) -> None:
    seen, given = sees(learned(widths=(20, 20), condition=3, window=window), condition=3)
    assert given.all()
    assert torch.equal(seen[:, 0].sum(1), torch.arange(DIM).clamp_max(window or DIM))


def test_hidden_layers_bring_what_the_direct_map_cannot() -> None:
    """The product of the two inputs before: with a window of two it is learned, with a window of one it cannot be."""
    x = torch.randn(500, 3)
    errors = {}
    for window in (1, 2):
        torch.manual_seed(0)
        net = MaskedMLP(3, (60, 60), window=window)
        optimizer = torch.optim.Adam(net.parameters(), 1e-2)
        for _ in range(300):
            error = (net(x)[:, 2, 0] - x[:, 0] * x[:, 1]).square().mean()
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
        errors[window] = float(error.detach())
    assert errors[2] < 0.1 < 0.9 < errors[1]


def test_it_is_0_until_it_learns() -> None:
    assert torch.equal(MaskedMLP(DIM, (8,), outputs=2)(torch.randn(4, DIM)), torch.zeros(4, DIM, 2))


def test_one_input_has_outputs_that_see_nothing() -> None:
    net = MaskedMLP(1, (4,), condition=2)
    assert net(torch.randn(3, 1), torch.randn(3, 2)).shape == (3, 1, 1)


@pytest.mark.parametrize(("argument", "value"), [("dim", 0), ("outputs", 0), ("window", -1), ("widths", [8, 0])])
def test_a_number_out_of_range_is_named(argument: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{argument}: must be"):
        MaskedMLP(**{"dim": 4, "widths": [8], argument: value})
