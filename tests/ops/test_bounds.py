"""Lower bounds of the Earth Mover's distance."""

import pytest
import torch
from torch import Tensor

from pcgen import ops


def ellipsoids(count: int, points: int = 64) -> Tensor:
    directions = torch.nn.functional.normalize(torch.randn(count, points, 3), dim=2)
    return directions * (0.2 + torch.rand(count, 1, 3))


@pytest.mark.parametrize(("scale", "place"), [(1.0, 0.0), (1e-3, 1e4)])
def test_bounds_are_no_more_than_the_distances_and_not_much_less(scale: float, place: float) -> None:
    a, b = (ellipsoids(count).double() * scale + place for count in (9, 12))
    bounds, exact = ops.emd_bounds(a, b), ops.emd_matrix(a, b)
    assert (bounds <= exact).all() and float((bounds / exact).mean()) > 0.6
    moved = ops.emd_bounds(a, a + scale * torch.tensor([3.0, -2.0, 1.0]))  # one direction tells all
    assert moved.diagonal() == pytest.approx(scale * 14**0.5, rel=0.03)


def test_bounds_of_float32_are_below_what_rounding_hides() -> None:
    """Every point moved by one step: the mean of nearest distances is the distance itself."""
    x = torch.rand(40, 50, 3) * 10
    y = x + torch.rand(40, 1, 3) * 1e-2
    assert (ops.emd_bounds(x, y).diagonal() <= ops.match(x, y).cost).all()


def test_sets_without_clouds_have_no_bounds() -> None:
    a, none = torch.rand(2, 5, 3), torch.empty(0, 5, 3)
    assert ops.emd_bounds(none, a).shape == (0, 2) and ops.emd_bounds(a, none).shape == (2, 0)
    assert ops.nearest(none, a).distance.shape[0] == 0


def test_duals_of_the_pair_prove_it_and_bad_ones_are_named() -> None:
    x, y = ellipsoids(5), ellipsoids(5)
    found = ops.match(x, y)
    bound = ops.emd_lower_bound(x, y, found.x_dual)
    assert (bound <= found.cost).all()
    torch.testing.assert_close(bound, found.cost, rtol=1e-4, atol=0)
    with pytest.raises(ValueError, match="y: must have as many points as x, 64, got 10"):
        ops.emd_lower_bound(x, y[:, :10], found.x_dual)
    with pytest.raises(ValueError, match="x_dual"):
        ops.emd_lower_bound(x, y, found.x_dual[:, :10])
