"""Matrices of distances between all clouds of two sets."""

import pytest
import torch
from cloud_problems import pairs

from pcgen import ops
from pcgen.ops import reference


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_equals_reference(dtype: torch.dtype) -> None:
    a, b = torch.rand(19, 50, 3, dtype=dtype), torch.rand(11, 70, 3, dtype=dtype)
    matrix = ops.chamfer_matrix(a, b)
    expected = torch.stack([reference.chamfer(cloud.expand(11, -1, -1), b) for cloud in a])
    assert matrix.dtype == torch.float64
    torch.testing.assert_close(matrix, expected, rtol=2e-7 if dtype == torch.float32 else 1e-14, atol=0)


def test_one_set_with_itself_equals_two_sets() -> None:
    a = torch.rand(21, 65, 3)
    matrix = ops.chamfer_matrix(a, a)
    assert torch.equal(matrix, ops.chamfer_matrix(a, a.clone()))
    assert torch.equal(matrix, matrix.T)
    assert torch.equal(matrix.diagonal(), torch.zeros(21, dtype=torch.float64))
    forth, back = ops.nearest_means(a, a)
    assert torch.equal(forth, back.T)
    assert torch.equal(forth, ops.nearest_means(a, a.clone())[0])


def test_nearest_means_are_oriented() -> None:
    a, b = torch.rand(3, 40, 3), torch.rand(5, 30, 3)
    forth, back = ops.nearest_means(a, b)
    assert forth.shape == back.shape == (3, 5)
    for i in range(3):
        for j in range(5):
            to_b = reference.nearest(a[i][None], b[j][None])[0].sqrt().mean()
            to_a = reference.nearest(b[j][None], a[i][None])[0].sqrt().mean()
            torch.testing.assert_close(forth[i, j], to_b, rtol=1e-6, atol=0)
            torch.testing.assert_close(back[i, j], to_a, rtol=1e-6, atol=0)


def test_nearest_means_bound_the_earth_movers_distance_from_below() -> None:
    x, y = pairs("spheres", 6, 40, 40, torch.float64)
    bound = torch.stack(ops.nearest_means(x, y)).amax(0).diagonal()
    exact = reference.match(x, y)[1]
    assert (bound <= exact).all()
    assert (bound > 0.3 * exact).all()


@pytest.mark.parametrize("same", [False, True], ids=["two sets", "one set"])
def test_progress_counts_to_the_end(same: bool) -> None:
    a = torch.rand(20, 4, 3)
    calls: list[tuple[int, int]] = []
    ops.chamfer_matrix(a, a if same else a[:7], progress=lambda done, total: calls.append((done, total)))
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})
    assert calls[-1] == ((210, 210) if same else (140, 140))


def test_sets_may_be_empty() -> None:
    assert ops.chamfer_matrix(torch.zeros(0, 4, 3), torch.zeros(2, 5, 3)).shape == (0, 2)
    assert ops.chamfer_matrix(torch.zeros(2, 4, 3), torch.zeros(0, 5, 3)).shape == (2, 0)


def test_bad_input_is_named() -> None:
    a, b = torch.rand(20, 4, 3), torch.rand(7, 4, 3)
    b[6, 3, 1] = float("inf")
    with pytest.raises(ValueError, match=r"b: must be finite, got inf in point 3 of cloud 6"):
        ops.chamfer_matrix(a, b)
    a[17, 2, 0] = float("nan")  # not in the first block of rows
    done: list[int] = []
    for other in (b[:6], a):
        with pytest.raises(ValueError, match=r"a: must be finite, got nan in point 2 of cloud 17; drop or repair such"):
            ops.chamfer_matrix(a, other, progress=lambda pairs, total: done.append(pairs))
    assert done == []
    with pytest.raises(ValueError, match=r"a: must have the shape"):
        ops.chamfer_matrix(a[0], b)
