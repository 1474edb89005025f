"""Chamfer as an operator of torch: registrations, compilation, export, vmap."""

import pytest
import torch
from cloud_transforms import check_transforms

from pcgen import ops


def _clouds(grad: bool) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = torch.rand(2, 7, 3, dtype=torch.float64), torch.rand(2, 6, 3, dtype=torch.float64)
    return x.requires_grad_(grad), y.requires_grad_(grad)


@pytest.mark.parametrize("op", ["chamfer", "chamfer_with_index", "chamfer_backward", "nearest_matrix"])
def test_opcheck(op: str) -> None:
    x, y = _clouds(op == "chamfer_with_index")
    arguments = {
        "chamfer": (x, y),
        "chamfer_with_index": (x, y),
        "chamfer_backward": (torch.rand(2).double(), x, y, *torch.ops.pcgen.chamfer_with_index(x, y)[1:]),
        "nearest_matrix": (x, y, True),
    }
    torch.library.opcheck(getattr(torch.ops.pcgen, op).default, arguments[op])


@pytest.mark.parametrize("grad", [False, True], ids=["value", "gradient"])
def test_compiles_without_graph_breaks(grad: bool) -> None:
    x, y = _clouds(grad)
    compiled = torch.compile(ops.chamfer, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(x, y), ops.chamfer(x, y))
    if grad:
        ours = torch.autograd.grad(compiled(x, y).sum(), (x, y))
        for a, b in zip(ours, torch.autograd.grad(ops.chamfer(x, y).sum(), (x, y)), strict=True):
            assert torch.equal(a, b)


def test_exports() -> None:
    class Distance(torch.nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return ops.chamfer(x, y)

    x, y = _clouds(False)
    program = torch.export.export(Distance(), (x, y))
    assert torch.equal(program.module()(x, y), ops.chamfer(x, y))


@pytest.mark.parametrize(("dtype", "scale"), [(torch.float32, 1e20), (torch.float32, 1e18), (torch.float64, 1e200)])
def test_values_of_transforms_are_the_kernels_also_where_they_overflow(dtype: torch.dtype, scale: float) -> None:
    x, y = (torch.rand(2, 6, 3, dtype=dtype) * scale for _ in range(2))
    assert torch.equal(torch.func.vjp(ops.chamfer, x, y)[0], ops.chamfer(x, y))
    if dtype == torch.float32:
        gradient = torch.func.grad(lambda x: ops.chamfer(x, y).sum())(x)
        leaf = x.clone().requires_grad_()
        torch.testing.assert_close(gradient, torch.autograd.grad(ops.chamfer(leaf, y).sum(), leaf)[0])


def test_vmap() -> None:
    x, y = torch.rand(3, 2, 7, 3), torch.rand(2, 3, 6, 3)
    batched = torch.func.vmap(ops.chamfer, (0, 1))(x, y)
    assert torch.equal(batched, torch.stack([ops.chamfer(x[i], y[:, i]) for i in range(3)]))
    shared = torch.func.vmap(ops.chamfer, (0, None))(x, y[:, 0])
    assert torch.equal(shared, torch.stack([ops.chamfer(x[i], y[:, 0]) for i in range(3)]))
    assert torch.func.vmap(ops.chamfer)(x[:, :0], y[:0].transpose(0, 1)).shape == (3, 0)
    assert torch.func.vmap(ops.chamfer)(x[:0], y.transpose(0, 1)[:0]).shape == (0, 2)


def test_vmap_over_a_gradient() -> None:
    x, y = torch.rand(2, 7, 3, requires_grad=True), torch.rand(2, 6, 3)
    value = ops.chamfer(x, y)
    rows = torch.autograd.grad(value, x, torch.eye(2), is_grads_batched=True)[0]
    for row, weights in zip(rows, torch.eye(2), strict=True):
        assert torch.equal(row, torch.autograd.grad(ops.chamfer(x, y), x, weights)[0])


def test_transforms_of_torch_func() -> None:
    check_transforms(ops.chamfer, *_clouds(False))


def test_kernels_refuse_what_the_public_functions_would_have_mended() -> None:
    x, y = _clouds(False)
    with pytest.raises(ValueError, match="x: must be contiguous"):
        torch.ops.pcgen.chamfer(x.flip(1)[:, ::2].transpose(1, 2).contiguous().transpose(1, 2), y)
    with pytest.raises(ValueError, match="both be float32 or both be float64"):
        torch.ops.pcgen.chamfer(x, y.float())
    with pytest.raises(ValueError, match="gradient: must have the shape"):
        torch.ops.pcgen.chamfer_backward(torch.ones(()).expand(2), x, y, *torch.ops.pcgen.chamfer_with_index(x, y)[1:])
    indices = torch.full((2, 7), 6), torch.zeros(2, 6, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"index of a nearest point must be in \[0, 6\), got 6"):
        torch.ops.pcgen.chamfer_backward(torch.ones(2).double(), x, y, *indices)
