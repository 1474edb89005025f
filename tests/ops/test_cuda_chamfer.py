"""Chamfer's CUDA blocks, compiled for the CPU, against the CPU's kernels; on a GPU, the real ones too."""

import ctypes

import pytest
import torch
from cloud_problems import PROBLEMS, pairs
from emulation import TYPES, call, program
from torch import Tensor

from pcgen import ops
from pcgen.ops import reference

SIZES = [(1, 1), (3, 300), (1025, 257), (1400, 1030)]  # around the block's 256 threads and 1024 queries


@pytest.fixture(scope="module")
def programs() -> ctypes.CDLL:
    return program("chamfer")


def _chamfer(programs: ctypes.CDLL, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    batch, n, m = len(x), x.shape[1], y.shape[1]
    out = x.new_empty(batch), torch.empty(batch, n, dtype=torch.int64), torch.empty(batch, m, dtype=torch.int64)
    call(getattr(programs, f"chamfer_{TYPES[x.dtype]}"), x, y, batch, n, m, *out)
    return out


@pytest.mark.parametrize("dtype", TYPES, ids=TYPES.values())
@pytest.mark.parametrize("kind", PROBLEMS)
def test_chamfer(programs: ctypes.CDLL, kind: str, dtype: torch.dtype) -> None:
    for n, m in SIZES:
        x, y = pairs(kind, 2, n, m, dtype)
        value, x_to_y, y_to_x = _chamfer(programs, x, y)
        torch.testing.assert_close(value, ops.chamfer(x, y), rtol=3e-7 if dtype == torch.float32 else 1e-14, atol=0)
        if kind in ("lattice", "one_place"):
            assert torch.equal(x_to_y, reference.nearest(x, y)[1])
            assert torch.equal(y_to_x, reference.nearest(y, x)[1])


@pytest.mark.parametrize("kind", ["cubes", "lattice", "one_place", "shared_points"])
def test_gradient(programs: ctypes.CDLL, kind: str) -> None:
    for n, m in SIZES:
        x, y = pairs(kind, 2, n, m, torch.float64)
        g = torch.rand(2, dtype=torch.float64)
        _, x_to_y, y_to_x = torch.ops.pcgen.chamfer_with_index(x, y)
        expected = torch.ops.pcgen.chamfer_backward(g, x, y, x_to_y, y_to_x)
        ours = torch.full_like(x, torch.nan), torch.full_like(y, torch.nan)
        call(programs.gradient_double, g, x, y, 2, n, m, x_to_y, y_to_x, *ours)
        for a, b in zip(ours, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-16)


@pytest.mark.parametrize("squared", [False, True], ids=["distances", "squares"])
def test_matrix(programs: ctypes.CDLL, squared: bool) -> None:
    a, b = torch.rand(2, 1100, 3), torch.rand(3, 300, 3)
    forth, back = torch.empty(2, 3, dtype=torch.float64), torch.empty(2, 3, dtype=torch.float64)
    call(programs.matrix_float, a, b, 2, 3, 1100, 300, squared, forth, back)
    for ours, expected in zip((forth, back), ops.nearest_means(a, b, squared=squared), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("cloud", [0, 1], ids=["x", "y"])
def test_a_point_that_is_not_finite_makes_its_pair_nan(programs: ctypes.CDLL, cloud: int, bad: float) -> None:
    clouds = pairs("cubes", 3, 300, 40, torch.float32)
    clouds[cloud][1, 39, 2] = bad
    assert _chamfer(programs, *clouds)[0].isnan().tolist() == [False, True, False]


@pytest.mark.skipif(not ops.build_info()["cuda_loaded"], reason="no CUDA device, or pcgen's CUDA library is not built")
@pytest.mark.parametrize("kind", PROBLEMS)
def test_on_the_gpu(kind: str) -> None:
    for n, m in SIZES:
        x, y = pairs(kind, 3, n, m, torch.float32)
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            a, b = x.cuda().requires_grad_(), y.cuda().requires_grad_()
            value = ops.chamfer(a, b)
            gradient = torch.autograd.grad(value.sum(), (a, b))
            again = torch.autograd.grad(ops.chamfer(a, b).sum(), (a, b))
        stream.synchronize()
        torch.testing.assert_close(value.detach().cpu(), ops.chamfer(x.detach(), y.detach()), rtol=3e-7, atol=0)
        on_cpu = torch.autograd.grad(ops.chamfer(x.requires_grad_(), y.requires_grad_()).sum(), (x, y))
        for p, q, r in zip(gradient, again, on_cpu, strict=True):
            assert torch.equal(p, q)
            torch.testing.assert_close(p.cpu(), r, rtol=1e-4, atol=1e-7)
        torch.testing.assert_close(ops.chamfer_matrix(a, b).cpu(), ops.chamfer_matrix(x, y), rtol=1e-6, atol=0)
