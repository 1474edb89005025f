"""Points drawn anew are on the surface, independent, and as irregular as those of a sample."""

import pytest
import torch

from pcgen.models.clouds.resampling import resample
from pcgen.ops import knn


def even_squares(count: int, side: int) -> torch.Tensor:
    """The middles of side x side cells of the unit square at z = 1, (count, side^2, 3)."""
    middle = (torch.arange(side) + 0.5) / side
    x, y = torch.meshgrid(middle, middle, indexing="ij")
    return torch.stack([x, y, torch.ones_like(x)], dim=-1).reshape(1, -1, 3).repeat(count, 1, 1)


def spacing(clouds: torch.Tensor) -> float:
    """Mean distance of a point to its nearest other, times sqrt(points): 1/2 for independent points of a square."""
    return float(knn(clouds, clouds, 2)[0][..., 1].sqrt().mean() * clouds.shape[1] ** 0.5)


def test_even_points_become_as_irregular_as_independent_ones() -> None:
    torch.manual_seed(0)
    even = even_squares(8, 24)
    independent = spacing(torch.rand(8, 576, 3) * torch.tensor([1.0, 1.0, 0.0]))
    assert spacing(even) == pytest.approx(1.0, abs=0.01) and independent == pytest.approx(0.5, abs=0.03)
    assert spacing(resample(even)) == pytest.approx(independent, abs=0.1)


def test_new_points_are_on_the_surface_and_where_the_old_ones_are() -> None:
    torch.manual_seed(0)
    even = even_squares(4, 24)
    new = resample(even, 20_000)
    assert new.shape == (4, 20_000, 3) and torch.equal(new[..., 2], torch.ones(4, 20_000))
    assert knn(new, even, 1)[0].max().sqrt() <= 0.5 * 2**0.5 / 24 + 1e-6  # half way to a neighbour, at most
    counts = torch.stack([torch.bincount(row, minlength=576) for row in knn(new, even, 1)[1].flatten(1)])
    # Independent draws: a cell's count is Poisson, up to what neighbours take of each other at half way.
    assert float(counts.float().mean()) == pytest.approx(20_000 / 576)
    assert 0.5 < float(counts.float().var() / counts.float().mean()) < 1.6


@pytest.mark.parametrize("points", [7, 40, 100])
def test_new_points_are_on_the_first_half_of_the_way_to_one_of_three_neighbours(points: int) -> None:
    torch.manual_seed(0)
    clouds = torch.randn(3, 40, 3, dtype=torch.float64)
    near = clouds.gather(1, knn(clouds, clouds, 4)[1][..., 1:].flatten(1)[..., None].expand(-1, -1, 3)).unflatten(
        1, (40, 3)
    )
    way = (near - clouds[:, :, None]).flatten(1, 2)  # (B, 120, 3), of each point to each of its neighbours
    start = clouds.repeat_interleave(3, 1)
    new = resample(clouds, points)
    from_start = new[:, :, None] - start[:, None]  # (B, points, 120, 3)
    share = (from_start * way[:, None]).sum(-1) / way.square().sum(-1)[:, None]
    beside = (from_start - share[..., None] * way[:, None]).norm(dim=-1)
    on = (beside < 1e-9) & (share > -1e-9) & (share < 0.5 + 1e-9)
    assert new.shape == (3, points, 3) and on.any(2).all()


def test_any_number_of_points_of_any_cloud() -> None:
    cloud = torch.randn(2, 1, 3, dtype=torch.float64)
    assert torch.equal(resample(cloud, 5), cloud.expand(2, 5, 3))
    two = torch.tensor([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]])
    assert resample(two, 100)[..., 0].ge(0).all() and resample(two, 100).shape == (1, 100, 3)
    with pytest.raises(ValueError, match="points: must be at least 1, got 0"):
        resample(two, 0)
