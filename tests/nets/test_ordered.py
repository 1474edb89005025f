import pytest
import torch
from torch import Tensor

from pcgen.nets.ordered import OrderedMLP

DIM = 6


def learned(**options: object) -> OrderedMLP:
    """A network with random weights in the place of those that start at 0."""
    net = OrderedMLP(DIM, **{"outputs": 2, "masks": 3, **options}).double().eval()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter)
    return net


@pytest.mark.parametrize("widths", [(), (40,), (60, 60)])
def test_an_output_sees_the_inputs_before_its_own_in_each_ordering_and_no_other(widths: tuple[int, ...]) -> None:
    net, x = learned(widths=widths), torch.randn(3, DIM).double()
    assert len({tuple(order) for order in net.ranks.tolist()}) == 3
    for k in range(3):
        slopes = torch.autograd.functional.jacobian(lambda x, k=k: net(x, k).sum(0), x)  # (DIM, 2, 3, DIM)
        before = net.ranks[k] < net.ranks[k][:, None]
        assert torch.equal(slopes.abs().sum(2) > 0, before[:, None].expand(-1, 2, -1))
        assert torch.equal(net.order(k), torch.tensor(sorted(range(DIM), key=net.ranks[k].tolist().__getitem__)))


def test_connectivities_differ_and_reach_every_degree() -> None:
    net = OrderedMLP(DIM, (25, 25), outputs=1, masks=4)
    for layer in range(2):
        degrees = net.get_buffer(f"degrees_{layer}")
        assert len({tuple(each) for each in degrees.tolist()}) == 4
        assert all(torch.equal(torch.bincount(each), torch.tensor([0, 5, 5, 5, 5, 5])) for each in degrees)


@pytest.mark.parametrize("widths", [(), (40,), (30, 20)])
@pytest.mark.parametrize("condition", [0, 2])
def test_one_input_after_another_is_the_whole_pass(widths: tuple[int, ...], condition: int) -> None:
    net, given = learned(widths=widths, condition=condition), torch.randn(5, condition).double()
    for k in range(3):
        told: dict[int, Tensor] = {}
        x = net.one_by_one(5, k, lambda i, out, told=told: told.setdefault(i, out)[:, 0].sin(), given)
        whole = net(x, k, given)
        assert list(told) == net.order(k).tolist()
        for i, out in told.items():
            torch.testing.assert_close(out, whole[:, i])
            torch.testing.assert_close(x[:, i], out[:, 0].sin())


def test_all_outputs_see_the_condition() -> None:
    net = learned(widths=(20,), condition=3)
    x, given = torch.randn(2, DIM).double(), torch.randn(2, 3).double()
    slopes = torch.autograd.functional.jacobian(lambda c: net(x, 1, c).sum(0), given)
    assert (slopes.abs().sum(2) > 0).all()


def test_an_input_that_is_0_is_not_taken_for_one_that_is_not_there() -> None:
    net = learned(widths=(30,))
    zeros = torch.zeros(1, DIM).double()
    first, other = (int((net.ranks[:, 0] == rank).nonzero()[0, 0]) for rank in net.ranks[:, 0].sort().values[[0, -1]])
    assert not torch.allclose(net(zeros, first)[:, 0], net(zeros, other)[:, 0])
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith(("present", "bias")):
                parameter.zero_()
    assert torch.equal(net(zeros, first)[:, 0], net(zeros, other)[:, 0])


def test_it_is_0_until_it_learns() -> None:
    net = OrderedMLP(DIM, (8,), outputs=2, masks=2, condition=1)
    assert torch.equal(net(torch.randn(4, DIM), 1, torch.randn(4, 1)), torch.zeros(4, DIM, 2))


@pytest.mark.parametrize(("argument", "value"), [("dim", 0), ("masks", 0), ("outputs", 0), ("widths", [8, 0])])
def test_a_number_out_of_range_is_named(argument: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{argument}: must be"):
        OrderedMLP(**{"dim": 4, "widths": [8], "outputs": 1, "masks": 2, argument: value})
