"""JSD against a brute force over all kept centres, written from the definition."""

import math

import numpy as np
import pytest
import slow_metrics
import torch

from pcgen.metrics.jsd import CELLS, Grid, jsd, jsd_of_counts


def brute_counts(points: torch.Tensor) -> np.ndarray:
    return slow_metrics.occupancy(points.double().numpy())


def test_grid_has_10144_cells_where_the_definition_puts_them() -> None:
    centres = slow_metrics.kept_centres()
    assert CELLS == len(centres) == 10144
    torch.testing.assert_close(Grid().centres(), torch.from_numpy(centres), rtol=0, atol=1e-15)


@pytest.mark.parametrize("spread", [0.15, 0.4, 3.0])
def test_every_point_counts_at_its_nearest_kept_centre(spread: float) -> None:
    points = torch.randn(3, 400, 3) * spread
    counts, outside = Grid().counts(points)
    assert counts.sum() == 1200
    np.testing.assert_array_equal(counts.numpy(), brute_counts(points))
    assert outside == sum(math.hypot(*p) > 0.5 for p in points.reshape(-1, 3).tolist())


def test_points_just_inside_and_outside_the_sphere_snap_exactly() -> None:
    # Here the nearest centre of the whole 28^3 is often one that is not kept.
    direction = torch.nn.functional.normalize(torch.randn(2000, 3, dtype=torch.float64), dim=1)
    points = (direction * torch.empty(2000, 1, dtype=torch.float64).uniform_(0.45, 0.56))[None]
    np.testing.assert_array_equal(Grid().counts(points)[0].numpy(), brute_counts(points))


@pytest.mark.parametrize(("far", "scale"), [(0.0, 1.0), (1e6, 1e3), (-40.0, 1e-3)])
def test_jsd_equals_scipy_on_sets_of_different_sizes(far: float, scale: float) -> None:
    samples = torch.randn(5, 300, 3, dtype=torch.float64) * 0.2 + 0.05
    reference = torch.randn(3, 200, 3, dtype=torch.float64) * 0.15
    want = slow_metrics.jsd(samples.numpy(), reference.numpy())
    grid = Grid((far, -far, far), scale / 2)
    shift = torch.tensor(grid.centre, dtype=torch.float64)
    got = jsd(samples * scale + shift, reference * scale + shift, grid)
    assert got.value == pytest.approx(want, abs=1e-4 if far else 1e-12)  # rounding may move a point over a border
    assert jsd(reference * scale + shift, samples * scale + shift, grid).value == pytest.approx(got.value, abs=1e-12)
    assert got.samples_outside == int((samples.norm(dim=-1) > 0.5).sum())
    assert got.reference_outside == int((reference.norm(dim=-1) > 0.5).sum())


def test_ends_of_the_scale() -> None:
    x = torch.randn(4, 64, 3) * 0.1
    assert jsd(x, x.flip(0)).value == 0.0
    assert jsd(x - 0.4, x + 0.4, Grid(radius=2.0)).value == pytest.approx(1.0)
    assert jsd_of_counts(torch.tensor([[3, 1], [1, 0]]), torch.tensor([[3, 1], [0, 9]])).tolist() == [0.0, 1.0]


def test_grid_around_the_reference_is_its_median_and_the_999th_thousandth() -> None:
    reference = torch.randn(8, 250, 3) * torch.tensor([1.0, 3.0, 0.5]) + 100
    grid = Grid.around(reference)
    flat = reference.double().numpy().reshape(-1, 3)
    centre = np.sort(flat, 0)[len(flat) // 2 - 1]
    assert grid.centre == pytest.approx(tuple(centre), rel=1e-12)
    assert grid.radius == pytest.approx(np.sort(np.linalg.norm(flat - centre, axis=1))[1997], rel=1e-12)
    result = jsd(reference * 1.5, reference, grid)
    assert result.reference_outside == 2  # of 2000
    assert result.samples_outside == 8 * 250  # moved away by 50


def test_a_stray_point_of_the_reference_changes_no_cell_but_its_own() -> None:
    reference, samples = (torch.rand(40, 512, 3) * torch.tensor(sides) for sides in ([1.0, 0.6, 0.4], [1.0, 0.7, 0.3]))
    stray = reference.clone()
    stray[3, 5] = torch.tensor([10.0, 0.0, 0.0])
    clean, with_stray = (jsd(samples, each, Grid.around(each)) for each in (reference, stray))
    assert with_stray.value == pytest.approx(clean.value, rel=0.02)
    assert clean.value > 0.05


@pytest.mark.parametrize("scale", [1, 3])
def test_ties_go_to_the_centre_of_least_index(scale: int) -> None:
    # In this grid centres are half integers, ties integers, and no distance is rounded.
    grid = Grid(radius=27 / 2)
    reach = 15 * scale
    places = torch.randint(-reach, reach + 1, (1, 3000, 3)).double() / scale
    places[0, :600] = (places[0, :600] * 2).round() / 2
    centres = torch.from_numpy(np.rint(slow_metrics.kept_centres() * 54)).double() / 2
    squared = (places[0, :, None] - centres).square().sum(-1)  # (P, 10144)
    want = np.argmin(squared.numpy() if scale == 1 else squared.numpy().round(9), 1)  # the first of equal ones
    np.testing.assert_array_equal(grid.cells(places)[0][0].numpy(), want)


def test_value_does_not_depend_on_the_order_of_clouds_or_points() -> None:
    x, y = torch.randn(5, 50, 3) * 0.2, torch.randn(4, 50, 3) * 0.2
    shuffled = x[torch.randperm(5)][:, torch.randperm(50)]
    assert jsd(x, y).value == jsd(shuffled, y).value


@pytest.mark.parametrize(
    ("samples", "text"),
    [
        (torch.zeros(4, 3), r"samples: must be a set of clouds \(S, N, 3\).*got shape \(4, 3\)"),
        (torch.zeros(0, 8, 3), r"samples: .*none empty, got shape \(0, 8, 3\)"),
        (torch.zeros(2, 8, 3, dtype=torch.int64), r"samples: must be floating point, got torch.int64"),
        (torch.full((2, 8, 3), torch.nan), r"samples: must be finite, got NaN or infinity in 2 of 2 clouds \(0, 1\)"),
    ],
)
def test_bad_input_is_named(samples: torch.Tensor, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        jsd(samples, torch.zeros(2, 8, 3))


def test_grid_around_one_place_is_refused() -> None:
    with pytest.raises(ValueError, match="reference: must have points at more than one place"):
        Grid.around(torch.ones(2, 4, 3))
    stray = torch.zeros(4, 500, 3)
    stray[0, 0] = 1.0
    with pytest.raises(ValueError, match="must have points at more than one place, got 1998 of 2000 points at"):
        Grid.around(stray)
