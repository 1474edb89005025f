"""Nearest neighbours under the Earth Mover's distance are those of the full matrix, for fewer distances."""

import pytest
import torch
from torch import Tensor

from pcgen.ops.bounds import emd_lower_bound
from pcgen.ops.chamfer import chamfer_matrix
from pcgen.ops.emd import emd_matrix, match
from pcgen.ops.nearest import nearest


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
