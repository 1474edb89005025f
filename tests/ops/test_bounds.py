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


def test_bounds_of_single_points_are_below_their_distance() -> None:
    """Here the distance is that of the points, and each of the two bounds can be as large."""
    x, y = torch.zeros(1, 1, 3), torch.tensor([[[4.7e-23, 0, 0]]])  # a square that float32 rounds up by a quarter
    assert 0 <= ops.emd_bounds(x, y) <= ops.match(x, y).cost
    p = 1e9 * torch.rand(500, 1, 3, dtype=torch.float64)
    q = p + 1e-6 * torch.randn(500, 1, 3, dtype=torch.float64)
    origin = torch.zeros(1, 1, 3, dtype=torch.float64)  # projections are of differences from the first cloud
    p, q = torch.cat([origin, p]), torch.cat([origin, q])
    bounds, exact = ops.emd_bounds(p, q).diagonal(), (p - q).norm(dim=2)[:, 0]
    assert (bounds <= exact).all() and (bounds[1:] > 0.99 * exact[1:]).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("power", [-250, -130, -110, -60, 0, 50, 66, 100, 250])
def test_bounds_scale_with_the_clouds(power: int, dtype: torch.dtype) -> None:
    """Squares of such coordinates overflow, or are denormal."""
    if dtype == torch.float32 and abs(power) > 120:
        power //= 3
    elif dtype == torch.float64:
        power *= 4
    a, b = ellipsoids(4).to(dtype), ellipsoids(5).to(dtype)
    scaled = ops.emd_bounds(a * 2.0**power, b * 2.0**power)
    torch.testing.assert_close(scaled / 2.0**power, ops.emd_bounds(a, b), rtol=1e-6, atol=0)
    assert (scaled <= ops.emd_matrix(a * 2.0**power, b * 2.0**power)).all()


def test_a_far_cloud_does_not_spoil_the_bounds_of_others() -> None:
    a = torch.cat([ellipsoids(1) + 1e30, ellipsoids(5)])
    bounds = ops.emd_bounds(a, a)
    assert bounds.isfinite().all() and (bounds <= ops.emd_matrix(a, a) * (1 + 1e-12)).all()


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
