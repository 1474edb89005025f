"""Hausdorff and density-aware Chamfer distances."""

import importlib
import math
from collections.abc import Callable

import pytest
import torch
from cloud_problems import PROBLEMS, pairs
from scipy.spatial.distance import directed_hausdorff
from torch import Tensor

from pcgen import ops
from pcgen.ops import reference


@pytest.mark.parametrize("kind", PROBLEMS)
def test_hausdorff_equals_scipy(kind: str) -> None:
    x, y = pairs(kind, 3, 60, 90, torch.float64)
    expected = [max(directed_hausdorff(a, b)[0], directed_hausdorff(b, a)[0]) for a, b in zip(x, y, strict=True)]
    torch.testing.assert_close(ops.hausdorff(x, y), torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=0)


def test_hausdorff_gradient() -> None:
    x, y = (t.requires_grad_() for t in pairs("cubes", 2, 10, 12, torch.float64))
    assert torch.autograd.gradcheck(ops.hausdorff, (x, y))
    assert torch.equal(torch.autograd.grad(ops.hausdorff(x, x.detach()).sum(), x)[0], torch.zeros_like(x))


@pytest.mark.parametrize("transformed", [False, True], ids=["called", "vmapped"])
@pytest.mark.parametrize(
    ("dtype", "scale"),
    [
        *((torch.float32, scale) for scale in (1e-36, 1e-24, 1e20, 1e38)),
        *((torch.float64, scale) for scale in (1e-300, 1e200, 1e307)),
    ],
)
def test_hausdorff_scales_with_the_clouds(dtype: torch.dtype, scale: float, transformed: bool) -> None:
    """Squares of such coordinates overflow, or are denormal."""
    x, y = pairs("cubes", 2, 30, 40, dtype)
    x, y = x * scale, y * scale
    expected = [directed_hausdorff(a / scale, b / scale)[0] for a, b in zip(x.double(), y.double(), strict=True)]
    back = [directed_hausdorff(b / scale, a / scale)[0] for a, b in zip(x.double(), y.double(), strict=True)]
    distance = (lambda a, b: torch.func.vmap(ops.hausdorff)(a[None], b[None])[0]) if transformed else ops.hausdorff
    found = distance(x, y).double() / scale
    largest = torch.tensor([max(pair) for pair in zip(expected, back, strict=True)], dtype=torch.float64)
    torch.testing.assert_close(found, largest, rtol=1e-6 if dtype == torch.float32 else 1e-12, atol=0)


def test_hausdorff_with_a_shared_outlier() -> None:
    x, y = pairs("cubes", 2, 30, 40, torch.float32)
    for place in (1e3, 1e15, 1e30):
        x[:, 0] = y[:, 0] = place
        to_y = (x.double()[:, :, None] - y.double()[:, None]).norm(dim=3)
        expected = torch.maximum(to_y.amin(2).amax(1), to_y.amin(1).amax(1))
        torch.testing.assert_close(ops.hausdorff(x, y).double(), expected, rtol=1e-6, atol=0)


def test_the_gradient_of_hausdorff_is_that_of_the_farthest_point() -> None:
    x = torch.tensor([[[0.0, 0, 0], [3, 0, 0], [9, 0, 0]]], requires_grad=True)
    y = torch.tensor([[[0.0, 0, 0], [3, 0, 0], [4, 0, 0]]], requires_grad=True)
    to_x, to_y = torch.autograd.grad(ops.hausdorff(x, y).sum(), (x, y))
    assert to_x[0, :, 0].tolist() == [0, 0, 1] and to_y[0, :, 0].tolist() == [0, 0, -1]
    tied = torch.tensor([[[0.0, 0, 0], [1, 0, 0]]], requires_grad=True)
    (gradient,) = torch.autograd.grad(ops.hausdorff(tied, torch.tensor([[[0.5, 0, 0]]])).sum(), tied)
    assert gradient[0].abs().sum() == 1  # three pairs attain it, and share it


def test_density_aware_chamfer_equals_a_loop() -> None:
    x, y = pairs("cubes", 2, 30, 20, torch.float64)
    alpha = 40.0
    for b, value in enumerate(ops.density_aware_chamfer(x, y, alpha)):
        total = 0.0
        for p, q in ((x[b : b + 1], y[b : b + 1]), (y[b : b + 1], x[b : b + 1])):
            squares, index = reference.nearest(p, q)
            counts = [int((index == j).sum()) for j in index[0]]
            terms = [1 - math.exp(-alpha * float(d)) / n for d, n in zip(squares[0], counts, strict=True)]
            total += sum(terms) / len(terms) / 2
        assert value.item() == pytest.approx(total, rel=1e-12)


def test_density_aware_chamfer_under_vmap() -> None:
    x, y = torch.rand(3, 2, 9, 3), torch.rand(3, 2, 7, 3)
    found = torch.func.vmap(ops.density_aware_chamfer)(x, y)
    torch.testing.assert_close(found, torch.stack([ops.density_aware_chamfer(a, b) for a, b in zip(x, y, strict=True)]))


def test_density_aware_chamfer_sees_density_where_chamfer_does_not() -> None:
    even = torch.rand(1, 200, 3)
    crowded = even[:, :100].repeat(1, 2, 1)
    assert ops.density_aware_chamfer(even, even[:, torch.randperm(200)]).item() == pytest.approx(0, abs=1e-6)
    assert ops.density_aware_chamfer(even[:, :100], crowded).item() > 0.2
    assert ops.chamfer(even[:, :100], crowded).item() == 0


def test_density_aware_chamfer_gradient_and_range() -> None:
    x, y = (t.requires_grad_() for t in pairs("spheres", 2, 9, 9, torch.float64))
    assert torch.autograd.gradcheck(lambda a, b: ops.density_aware_chamfer(a, b, 5.0), (x, y))
    far = ops.density_aware_chamfer(x, y + 100)
    assert ((far >= 0) & (far <= 1)).all()
    for alpha in (0, math.inf, math.nan):
        with pytest.raises(ValueError, match=f"alpha: must be a positive number, got {alpha}"):
            ops.density_aware_chamfer(x, y, alpha)


@pytest.mark.parametrize("distance", [ops.hausdorff, ops.density_aware_chamfer])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_pair_that_is_not_finite_is_nan_where_the_kernels_do_not_raise(
    distance: Callable[[Tensor, Tensor], Tensor], bad: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU, whose kernels give any indices for such a pair."""
    x, y = pairs("cubes", 3, 20, 20, torch.float64)
    expected = distance(x, y)
    indices = torch.ops.pcgen.chamfer_with_index(x, y)
    x[0, 4, 1], y[2, 5, 0] = bad, bad
    monkeypatch.setattr(importlib.import_module("pcgen.ops.hausdorff"), "_ops", _Lenient(indices))
    found = distance(x, y)
    assert found[[0, 2]].isnan().all() and torch.equal(found[1], expected[1])


class _Lenient:
    def __init__(self, indices: tuple[Tensor, Tensor, Tensor]) -> None:
        self.indices = indices

    def chamfer_with_index(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.indices
