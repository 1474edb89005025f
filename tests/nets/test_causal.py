import pytest
import torch
from torch import Tensor

from pcgen.nets.causal import CAUSAL, Causal
from pcgen.nets.step_linear import StepLinear


def network(name: str, **options: object) -> Causal:
    return CAUSAL[name](*{"width": 8, "layers": 2, "heads": 2, "dropout": 0.0, **options}.values()).double().eval()


@pytest.mark.parametrize("name", CAUSAL)
def test_a_step_sees_the_steps_up_to_it_and_no_other(name: str) -> None:
    net, u = network(name), torch.randn(1, 5, 8).double()
    slopes = torch.autograd.functional.jacobian(lambda u: net(u).sin().sum((0, 2)), u)  # (5, 1, 5, 8)
    assert torch.equal(slopes.abs().sum((1, 3)) > 0, torch.ones(5, 5).tril().bool())


@pytest.mark.parametrize("name", CAUSAL)
def test_one_step_after_another_is_the_whole_pass(name: str) -> None:
    net, u = network(name), torch.randn(3, 6, 8).double()
    with torch.no_grad():
        whole, memory = net(u), net.begin(3, 6, u)
        found = torch.stack([net.step(u[:, t], t, memory) for t in range(6)], dim=1)
    torch.testing.assert_close(found, whole)


@pytest.mark.parametrize("name", CAUSAL)
@pytest.mark.parametrize(("argument", "value"), [("width", 0), ("layers", 0), ("dropout", 1.0)])
def test_a_number_out_of_range_is_named(name: str, argument: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{argument}: must be"):
        network(name, **{argument: value})


@pytest.mark.parametrize(("heads", "message"), [(0, "heads: must be at least 1, got 0"), (3, "heads: must divide the")])
def test_heads_that_attention_cannot_have_are_named(heads: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network("transformer", heads=heads)


def by_hand(maps: StepLinear, x: Tensor, t: int, place: int) -> Tensor:
    return torch.stack([maps.weight[place].T @ row + maps.bias[place, 0] for row in x[:, t]])


@pytest.mark.parametrize(("steps", "places"), [(4, [0, 1, 2, 3]), (1, [0, 0, 0, 0])])
def test_every_step_has_its_map_or_all_have_one(steps: int, places: list[int]) -> None:
    maps, x = StepLinear(steps, 3, 2), torch.randn(5, 4, 3)
    torch.nn.init.normal_(maps.bias)
    whole = maps(x)
    for t, place in enumerate(places):
        expected = by_hand(maps, x, t, place)
        torch.testing.assert_close(whole[:, t], expected)
        torch.testing.assert_close(maps.at(t, x[:, t]), expected)


def test_maps_without_outputs_are_refused() -> None:
    with pytest.raises(ValueError, match="outputs: must be at least 1, got 0"):
        StepLinear(1, 2, 0)
