"""Points in the order of a curve that fills space, or of their height."""

import pytest
import torch

from pcgen.models.autoregressive.orders import ORDERS, hilbert, in_order

LOW, HIGH = -torch.ones(3), torch.ones(3)


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_the_curve_meets_every_cell_once_and_goes_on_to_a_neighbour(bits: int) -> None:
    line = torch.arange(2**bits)
    cells = torch.cartesian_prod(line, line, line)
    places = hilbert(cells, bits)
    assert torch.equal(places.sort().values, torch.arange(8**bits))
    walk = cells[places.argsort()]
    assert torch.equal((walk[1:] - walk[:-1]).abs().sum(1), torch.ones(8**bits - 1, dtype=torch.int64))


@pytest.mark.parametrize("order", ORDERS)
def test_the_order_does_not_depend_on_the_one_that_points_come_in(order: str) -> None:
    x = torch.rand(4, 50, 3) * 2 - 1
    ordered = in_order(x, LOW, HIGH, order)
    shuffled = torch.stack([cloud[torch.randperm(50)] for cloud in x])
    assert torch.equal(in_order(shuffled, LOW, HIGH, order), ordered)
    assert torch.equal(in_order(ordered, LOW, HIGH, order), ordered)
    assert torch.equal(ordered.flatten(1).sort().values, x.flatten(1).sort().values)


def test_by_height_points_rise_and_along_the_curve_neighbours_are_near() -> None:
    x = torch.rand(4, 400, 3) * 2 - 1
    assert (in_order(x, LOW, HIGH, "axis")[..., 1].diff(dim=1) >= 0).all()
    steps = {order: in_order(x, LOW, HIGH, order).diff(dim=1).norm(dim=2).mean() for order in ORDERS}
    assert steps["hilbert"] < 0.3 * steps["axis"]


def test_points_outside_of_the_box_are_ordered_as_those_on_its_side() -> None:
    x = torch.tensor([[[9.0, 9.0, 9.0], [-1.0, -1.0, -1.0], [-9.0, -9.0, -9.0]]])
    assert torch.equal(in_order(x, LOW, HIGH, "hilbert")[0, :2], x[0, 1:])
