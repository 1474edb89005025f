"""Self-organising map: its order, its two errors, its places, and what is drawn from it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pcgen.models.abilities import can
from pcgen.models.base import Batch, Facts
from pcgen.models.mixtures.som import SOM
from pcgen.training import fit

CONTRACT = {"som": {"height": 2, "width": 3}}


def square(n: int) -> Tensor:
    """Rows of three numbers that lie in a square, turned in space."""
    turn = torch.linalg.qr(torch.randn(3, 3)).Q[:, :2]
    return (2 * torch.rand(n, 2) - 1) @ turn.T


def trained(x: Tensor, height: int, width: int, steps: int = 60) -> SOM:
    return fit(SOM((x.shape[1],), height=height, width=width), x, steps=steps, seed=0).eval()


def test_a_map_along_a_line_is_in_the_order_of_the_line(measured: Callable[..., None]) -> None:
    direction = torch.nn.functional.normalize(torch.randn(5), dim=0)
    x = 4 * torch.rand(500, 1) * direction + 0.01 * torch.randn(500, 5)
    start = SOM((5,), height=1, width=12)
    start.setup(Batch(x))
    assert len((start.units @ direction).diff().sign().unique()) == 2  # random rows are in no order
    along = trained(x, 1, 12).units @ direction
    turns = int((along.diff().sign() != along.diff().sign()[0]).sum())
    measured("places where a map of a line turns back", turns, 0)
    assert turns == 0
    assert along.max() - along.min() > 3  # it reaches along the line, and is not its middle


def test_the_map_unfolds(measured: Callable[..., None]) -> None:
    x = square(1000)
    start = SOM((3,), height=8, width=8)
    start.setup(Batch(x))
    before, model = start.topographic_error(x).item(), trained(x, 8, 8)
    after = model.topographic_error(x).item()
    measured("topographic error, from random units to the trained map", after, f"far below {before:.2f}")
    assert before > 0.5 and after < 0.1
    assert model.quantisation_error(x) < 0.2  # a square of side 2 in 8 x 8 cells: about 0.1


def test_errors_are_those_of_a_map_written_down() -> None:
    model = SOM((1,), height=1, width=4)
    model.units.copy_(torch.tensor([[0.0], [10.0], [1.0], [20.0]]))
    x = torch.tensor(
        [[0.4], [9.0], [19.0]]
    )  # nearest and next: 0 and 2, no neighbours; 1 and 2; 3 and 1, no neighbours
    assert model.quantisation_error(x).item() == pytest.approx((0.4 + 1 + 1) / 3)
    assert model.topographic_error(x).item() == pytest.approx(2 / 3)
    square_map = SOM((1,), height=2, width=2)
    square_map.units.copy_(torch.tensor([[0.0], [10.0], [20.0], [1.0]]))
    assert square_map.topographic_error(torch.tensor([[0.4]])).item() == 0  # neighbours across a corner


def test_an_update_is_the_batch_rule_written_out() -> None:
    x = torch.randn(20, 2)
    model = SOM((2,), height=2, width=3)
    model.setup(Batch(x))
    units = model.units.clone()
    radius = model.update(Batch(x, torch.arange(20), progress=0.3))["radius"].item()
    assert radius == pytest.approx(1.5 * (0.5 / 1.5) ** 0.3)
    nearest = torch.cdist(x, units).argmin(1).tolist()
    for unit in range(6):
        weights = []
        for c in nearest:
            squared = (unit // 3 - c // 3) ** 2 + (unit % 3 - c % 3) ** 2
            weights.append(torch.tensor(-squared / (2 * radius**2)).exp())
        w = torch.stack(weights)
        torch.testing.assert_close(model.units[unit], (w[:, None] * x).sum(0) / w.sum(), rtol=1e-4, atol=1e-5)


def test_places_are_of_the_nearest_unit_and_decoded_between_units() -> None:
    model = trained(square(400), 3, 4)
    assert can(model, "encode") and can(model, "decode") and can(model, "map") and not can(model, "log_prob")
    places = torch.cartesian_prod(torch.arange(3.0), torch.arange(4.0))
    torch.testing.assert_close(model.decode(places), model.units)
    torch.testing.assert_close(model.encode(model.units), places)
    torch.testing.assert_close(model.map()[1, 2], model.units[6])
    middle = model.decode(torch.tensor([[0.5, 1.25]]))[0]
    corners = model.map()[:2, 1:3]
    torch.testing.assert_close(middle, (0.75 * corners[:, 0] + 0.25 * corners[:, 1]).mean(0))
    torch.testing.assert_close(model.decode(torch.tensor([[-1.0, 9.0]]))[0], model.map()[0, 3])  # the nearest edge


def test_samples_are_of_units_by_their_share_with_what_falls_to_them() -> None:
    # Two clusters, three rows of one to one of the other, each with its own size: a unit for each.
    noise = torch.randn(4000, 2) @ torch.tensor([[1.0, 0.6], [0.0, 0.8]])
    small = torch.arange(4000) % 4 == 0
    x = torch.where(small[:, None], 0.5 * noise + torch.tensor([20.0, 0.0]), noise)
    model = trained(x, 1, 2)
    samples = model.sample(20_000)
    assert (samples[:, 0] > 10).float().mean().item() == pytest.approx(0.25, abs=0.02)
    torch.testing.assert_close(samples.mean(0), x.mean(0), rtol=0, atol=0.3)
    for drawn, given in ((samples[:, 0] > 10, small), (samples[:, 0] <= 10, ~small)):
        torch.testing.assert_close(torch.cov(samples[drawn].T), torch.cov(x[given].T), rtol=0.1, atol=0.03)


def test_equal_rows_are_drawn_as_they_are() -> None:
    model = trained(torch.ones(12, 3), 1, 2, steps=3)
    torch.testing.assert_close(model.sample(5), torch.ones(5, 3))


def test_data_gives_the_size_of_the_grid() -> None:
    assert SOM.arguments(Facts((4,), 5000)) == {"shape": (4,), "height": 10, "width": 10}
    assert SOM.arguments(Facts((4,), 160)) == {"shape": (4,), "height": 4, "width": 4}
    assert SOM.arguments(Facts((4,), 7))["height"] == 2


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="height: must be at least 1, got 0"):
        SOM((4,), height=0)
    with pytest.raises(ValueError, match="height, width: must make a grid of two units or more"):
        SOM((4,), height=1, width=1)
    with pytest.raises(ValueError, match="radius: must be a positive number, got 0"):
        SOM((4,), radius=0)
    with pytest.raises(ValueError, match=r"radius: must be at most 1.5, half of the grid's longer side, .* got 1.6"):
        SOM((4,), height=2, width=3, radius=1.6)
    assert SOM((4,), height=2, width=3, radius=1.5).update(Batch(torch.randn(9, 4), progress=0.5))["radius"] == 1.5


def test_a_unit_far_from_all_rows_stays_where_it_is() -> None:
    model = SOM((2,), height=1, width=12, radius=0.25)
    rows = torch.full((40, 2), 5.0)
    model.setup(Batch(rows))
    for step in range(200):
        model.update(Batch(rows, progress=step / 200))
    assert (model.units - 5).abs().max() < 1e-4
