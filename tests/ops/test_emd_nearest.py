"""Nearest neighbours under the Earth Mover's distance are those of the full matrix, for fewer distances."""

import importlib

import pytest
import torch
from torch import Tensor

from pcgen.ops.bounds import emd_bounds, emd_lower_bound
from pcgen.ops.chamfer import chamfer_matrix
from pcgen.ops.emd import Matching, emd_matrix, match
from pcgen.ops.nearest import nearest
from pcgen.ops.search import Search


def _shapes(count: int, points: int = 100) -> Tensor:
    """Ellipsoids in all proportions."""
    directions = torch.nn.functional.normalize(torch.randn(count, points, 3), dim=2)
    return directions * (0.2 + torch.rand(count, 1, 3))


def _of_matrix(matrix: Tensor, k: int) -> tuple[Tensor, Tensor]:
    values, index = matrix.sort(dim=1, stable=True)
    return index[:, :k], values[:, :k]


@pytest.mark.parametrize("k", [1, 3])
def test_equals_the_full_matrix_between_two_sets(k: int) -> None:
    a, b = _shapes(12), _shapes(20)
    found = nearest(a, b, k)
    index, distance = _of_matrix(emd_matrix(a, b), k)
    assert torch.equal(found.index, index) and torch.equal(found.distance, distance)
    assert found.solved < 12 * 20


@pytest.mark.parametrize("k", [1, 4])
def test_equals_the_full_matrix_within_a_set(k: int) -> None:
    a = _shapes(24)
    found = nearest(a, a, k)
    index, distance = _of_matrix(emd_matrix(a, a).fill_diagonal_(torch.inf), k)
    assert torch.equal(found.index, index) and torch.equal(found.distance, distance)
    assert found.solved < 24 * 23 // 2


def test_few_distances_are_computed() -> None:
    a = _shapes(40, points=200)
    assert nearest(a, a).solved <= 0.25 * 40 * 39 / 2


def test_ties_go_to_the_least_index() -> None:
    a = _shapes(6)
    b = torch.cat([a, a[:, torch.randperm(100)], a])
    assert nearest(a, b, 3).index.tolist() == [[i, i + 6, i + 12] for i in range(6)]
    assert nearest(b, b, 2).index.tolist() == [[j for j in (i % 6, i % 6 + 6, i % 6 + 12) if j != i] for i in range(18)]


def test_offset_clouds() -> None:
    a = _shapes(15).double()
    far = a + 1e6
    found = nearest(far, far, 2)
    assert torch.equal(found.index, _of_matrix(emd_matrix(a, a).fill_diagonal_(torch.inf), 2)[0])


@pytest.mark.parametrize("scale", [1e-30, 1e20, 1e37])
def test_clouds_whose_squares_float32_cannot_have(scale: float) -> None:
    a, b = _shapes(8, 40), _shapes(9, 40)
    found, expected = nearest(a * scale, b * scale, 2), nearest(a, b, 2)
    assert torch.equal(found.index, expected.index)
    torch.testing.assert_close(found.distance / scale, expected.distance, rtol=1e-6, atol=0)
    scaled = a * scale
    assert torch.equal(nearest(scaled, scaled, 2).index, nearest(a, a, 2).index)


def test_a_bound_that_is_not_finite_excludes_nothing() -> None:
    a, b = _shapes(5, 40), _shapes(6, 40)
    matrix = emd_matrix(a, b)
    for bad in (torch.nan, torch.inf, -torch.inf):
        search = Search.begin(a, b, bounds=torch.full((5, 6), bad, dtype=torch.float64))
        while search.open().any():
            search.advance()
        assert torch.equal(search.matrix().argmin(1), matrix.argmin(1))
        assert torch.equal(search.matrix().argmin(0), matrix.argmin(0))


@pytest.mark.parametrize("k", [1, 4, 7])
@pytest.mark.parametrize("within", [False, True], ids=["between", "within"])
def test_a_cloud_that_cannot_be_matched_does_not_affect_others(
    within: bool, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU, where its distances, duals and bounds are NaN."""
    a = _shapes(8, 40)
    b = a if within else _shapes(8, 40)
    bad, good = a[3].clone(), emd_matrix(a, b)

    def is_bad(x: Tensor) -> Tensor:
        return (x == bad).all(2).all(1)

    def solve(x: Tensor, y: Tensor) -> Matching:
        found = match(x, y)
        cannot = is_bad(x) | is_bad(y)
        values = {name: getattr(found, name).clone() for name in Matching.__dataclass_fields__}
        for name in ("cost", "lower_bound", "x_dual", "y_dual"):
            values[name][cannot] = torch.nan
        return Matching(**values)

    def bounds(x: Tensor, y: Tensor) -> Tensor:
        return emd_bounds(x, y).masked_fill(is_bad(x)[:, None] | is_bad(y), torch.nan)

    def dual_bounds(x: Tensor, y: Tensor, duals: Tensor) -> Tensor:
        cannot = is_bad(x) | is_bad(y) | duals.isnan().any(1)
        return emd_lower_bound(x, y, duals.nan_to_num()).masked_fill(cannot, torch.nan)

    module = importlib.import_module("pcgen.ops.search")
    for name, stand_in in {"match": solve, "emd_bounds": bounds, "emd_lower_bound": dual_bounds}.items():
        monkeypatch.setattr(module, name, stand_in)
    found = nearest(a, b, k)
    expected = good.clone()
    expected[3] = torch.finfo(torch.float64).max
    if within:
        expected[:, 3] = torch.finfo(torch.float64).max
        expected.fill_diagonal_(torch.inf)
    index, distance = _of_matrix(expected, k)
    assert torch.equal(found.index, index)
    torch.testing.assert_close(
        found.distance, distance.where(distance < 1e300, torch.nan), rtol=1e-12, atol=0, equal_nan=True
    )


def test_chamfer_by_its_matrix() -> None:
    a, b = _shapes(5), _shapes(9, points=80)
    index, distance = _of_matrix(chamfer_matrix(a, b), 2)
    found = nearest(a, b, 2, distance="chamfer")
    assert torch.equal(found.index, index) and torch.equal(found.distance, distance) and found.solved == 45
    own = nearest(a, a, distance="chamfer")
    assert (own.index[:, 0] != torch.arange(5)).all() and own.solved == 10


def test_progress_ends_at_all() -> None:
    calls: list[tuple[int, int]] = []
    nearest(_shapes(4), _shapes(5), progress=lambda done, total: calls.append((done, total)))
    assert calls[0] == (0, 4) and calls[-1] == (4, 4)


def test_progress_of_chamfer_counts_clouds() -> None:
    a, calls = torch.rand(20, 30, 3), []
    for other in (a[:7], a):  # blocks of eight rows
        nearest(a, other, distance="chamfer", progress=lambda done, total: calls.append((done, total)))
    assert calls == 2 * [(8, 20), (16, 20), (20, 20)]


@pytest.mark.parametrize("start", ["own", "neighbour", "noise"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_lower_bound_from_duals(start: str, dtype: torch.dtype, instruction_set: str) -> None:
    x, y = _shapes(6).to(dtype), _shapes(6).to(dtype)
    exact = match(x, y)
    duals = {"own": exact.x_dual, "neighbour": match(x, y.roll(1, 0)).x_dual, "noise": torch.randn(6, 100).double()}
    bound = emd_lower_bound(x, y, duals[start])
    assert (bound <= exact.cost).all()
    if start == "own":
        torch.testing.assert_close(bound, exact.cost, rtol=1e-4, atol=0)
    distances = torch.cdist(x.double(), y.double(), compute_mode="donot_use_mm_for_euclid_dist")
    left = (distances - duals[start][:, :, None]).amin(1)
    if start != "noise":  # prices beyond the diameter are cut
        torch.testing.assert_close(bound, duals[start].mean(1) + left.mean(1), rtol=0, atol=1e-4)


def test_bad_arguments_are_named() -> None:
    a, b = _shapes(3), _shapes(4)
    with pytest.raises(ValueError, match=r"k: must be in \[1, 4\], the number of candidates, got 5"):
        nearest(a, b, 5)
    with pytest.raises(ValueError, match=r"k: must be in \[1, 2\]"):
        nearest(a, a, 3)
    with pytest.raises(ValueError, match="distance: must be one of chamfer, emd; got 'cd'"):
        nearest(a, b, distance="cd")
    with pytest.raises(ValueError, match="b: must have as many points as a, 100, got 50"):
        nearest(a, b[:, :50])
