"""Large clouds, where leaves of a k-d tree are searched: the same values and indices as by brute force."""

import pytest
import torch
from cloud_problems import PROBLEMS, pairs
from scipy.spatial import cKDTree

from pcgen import ops

SIZES = (4500, 4163)  # more than 4096 * 4096 pairs of points, and both with a padded leaf


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("kind", PROBLEMS)
def test_equals_the_tree_of_scipy(kind: str, dtype: torch.dtype, instruction_set: str) -> None:
    x, y = pairs(kind, 1, *SIZES, dtype)
    a, b = x[0].double(), y[0].double()
    expected = torch.tensor([(cKDTree(b).query(a)[0] ** 2).mean() + (cKDTree(a).query(b)[0] ** 2).mean()])
    rtol = 3e-7 if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(ops.chamfer(x, y).double(), expected, rtol=rtol, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("kind", PROBLEMS)
def test_indices_equal_brute_force_by_blocks(kind: str, dtype: torch.dtype) -> None:
    n, m = SIZES
    x, y = pairs(kind, 1, n, m, dtype)
    value, x_to_y, y_to_x = torch.ops.pcgen.chamfer_with_index(x, y)
    assert torch.equal(value, ops.chamfer(x, y))
    for a, b, index in ((x, y, x_to_y), (y, x, y_to_x)):
        # Each half of b is small enough for brute force; the first half wins ties.
        half = b.shape[1] // 2
        first, second = (
            torch.ops.pcgen.chamfer_with_index(a, part.contiguous())[1] for part in b.tensor_split([half], 1)
        )
        second = second + half
        assert ((index == first) | (index == second)).all()
        # Which is nearer, computed from the halves alone, where rounding cannot decide it.
        to_first, to_second = _distance(a.double(), b.double(), first), _distance(a.double(), b.double(), second)
        rounding = (1e-6 if dtype == torch.float32 else 1e-14) * torch.maximum(to_first, to_second)
        is_clear = (to_first - to_second).abs() > rounding
        assert torch.equal(index[is_clear], torch.where(to_first < to_second, first, second)[is_clear])
        same = (_taken(b, first) == _taken(b, second)).all(2)
        ties = (to_first == to_second) & (same | (kind == "lattice"))
        assert torch.equal(index[ties], first[ties])
        assert ties.any() or kind not in ("lattice", "one_place")


def _taken(b: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    return b.gather(1, index[:, :, None].expand(-1, -1, 3))


def _distance(a: torch.Tensor, b: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    return (a - _taken(b, index)).square().sum(2)


def test_batch_and_threads_change_nothing() -> None:
    x, y = pairs("spheres", 3, *SIZES, torch.float32)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = [torch.ops.pcgen.chamfer_with_index(a[None], b[None]) for a, b in zip(x, y, strict=True)]
        torch.set_num_threads(5)
        together = torch.ops.pcgen.chamfer_with_index(x, y)
    finally:
        torch.set_num_threads(threads)
    for part, whole in zip(zip(*alone, strict=True), together, strict=True):
        assert torch.equal(torch.cat(part), whole)


def test_gradient() -> None:
    x, y = (t.requires_grad_() for t in pairs("cubes", 1, *SIZES, torch.float64))
    _, x_to_y, y_to_x = torch.ops.pcgen.chamfer_with_index(x, y)
    gathered = _distance(x, y, x_to_y).mean(1) + _distance(y, x, y_to_x).mean(1)
    ours = torch.autograd.grad(ops.chamfer(x, y).sum(), (x, y))
    for a, b in zip(ours, torch.autograd.grad(gathered.sum(), (x, y)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-16)


def test_not_finite() -> None:
    x, y = pairs("cubes", 1, *SIZES, torch.float32)
    y[0, 4000, 2] = float("nan")
    with pytest.raises(ValueError, match="y: must be finite, got nan in point 4000 of cloud 0"):
        ops.chamfer(x, y)
