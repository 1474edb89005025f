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
