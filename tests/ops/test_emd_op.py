"""Earth Mover's distance as an operator of torch: gradients, registrations, compilation, vmap, refusals."""

from collections.abc import Callable

import pytest
import torch
from cloud_transforms import check_transforms
from torch import Tensor

from pcgen.ops.emd import emd, emd_matrix, match


def _clouds(grad: bool = False, points: int = 7) -> tuple[Tensor, Tensor]:
    x, y = torch.rand(2, points, 3, dtype=torch.float64), torch.rand(2, points, 3, dtype=torch.float64)
    return x.requires_grad_(grad), y.requires_grad_(grad)


def test_gradient_of_both_clouds() -> None:
    x, y = _clouds(grad=True, points=20)
    assert torch.autograd.gradcheck(emd, (x, y))
    weights = torch.rand(2, dtype=torch.float64)
    ours = torch.autograd.grad((weights * emd(x, y)).sum(), (x, y))
    partner = torch.gather(y, 1, match(x, y).index[:, :, None].expand(-1, -1, 3))
    theirs = torch.autograd.grad((weights * (x - partner).norm(dim=2).mean(1)).sum(), (x, y))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-13, atol=1e-17)


def test_gradient_is_zero_where_points_coincide() -> None:
    x = torch.rand(1, 30, 3, requires_grad=True)
    y = x.detach().clone()
    y[0, 3] += 0.001
    (gradient,) = torch.autograd.grad(emd(x, y.flip(1)).sum(), x)
    assert gradient.norm(dim=2).nonzero().tolist() == [[0, 3]]
    torch.testing.assert_close(gradient[0, 3].norm(), torch.tensor(1 / 30))


def test_gradients_of_any_stride() -> None:
    x, y = _clouds(grad=True)
    (summed,) = torch.autograd.grad(emd(x, y).sum(), x)  # a gradient of stride 0
    (weighted,) = torch.autograd.grad(emd(x, y), x, torch.ones(4, dtype=torch.float64)[::2])
    assert torch.equal(summed, weighted)


def test_descent_moves_a_cloud_onto_the_other() -> None:
    x, y = torch.rand(1, 64, 3, requires_grad=True), torch.rand(1, 64, 3)
    before = emd(x, y).item()
    for _ in range(30):
        (step,) = torch.autograd.grad(emd(x, y).sum(), x)
        x.data -= 0.02 * 64 * step
    assert emd(x, y).item() < 0.1 * before


def test_gradient_of_the_gradient_is_refused() -> None:
    x, y = _clouds(grad=True)
    (gradient,) = torch.autograd.grad(emd(x, y).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="emd: has only a first derivative"):
        gradient.sum().backward()


def test_strided_clouds() -> None:
    x, y = _clouds()
    strided = x.transpose(1, 2).contiguous().transpose(1, 2)
    assert not strided.is_contiguous()
    assert torch.equal(emd(strided, y), emd(x, y))


def test_empty_batch() -> None:
    x = torch.zeros(0, 5, 3, requires_grad=True)
    assert match(x, x).index.shape == (0, 5)
    emd(x, torch.zeros(0, 5, 3)).sum().backward()
    assert x.grad is not None and x.grad.shape == (0, 5, 3)


def test_half_precision_under_autocast() -> None:
    x, y = (cloud.float() for cloud in _clouds())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(emd(x.bfloat16(), y), emd(x.bfloat16().float(), y))


@pytest.mark.parametrize("op", ["emd", "emd_backward", "match", "emd_matrix", "emd_lower_bound"])
def test_opcheck(op: str) -> None:
    x, y = _clouds(grad=op == "emd")
    arguments = {
        "emd": (x, y, 0.0),
        "emd_backward": (torch.rand(2).double(), x, y, match(x, y).index),
        "match": (x, y, 0.0, torch.rand(2, 7).double()),
        "emd_matrix": (x, y, 0.0),
        "emd_lower_bound": (x, y, torch.rand(2, 7).double()),
    }
    torch.library.opcheck(getattr(torch.ops.pcgen, op).default, arguments[op])


def test_compiles_without_graph_breaks() -> None:
    x, y = _clouds(grad=True)
    compiled = torch.compile(emd, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(x, y), emd(x, y))
    for a, b in zip(
        torch.autograd.grad(compiled(x, y).sum(), (x, y)), torch.autograd.grad(emd(x, y).sum(), (x, y)), strict=True
    ):
        assert torch.equal(a, b)


def test_exports() -> None:
    class Distance(torch.nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return emd(x, y)

    x, y = _clouds()
    assert torch.equal(torch.export.export(Distance(), (x, y)).module()(x, y), emd(x, y))


@pytest.mark.parametrize("scale", [1e20, 1e-23])
def test_transforms_have_the_kernels_range(scale: float) -> None:
    """Squares of such distances are infinite, or 0, in float32."""
    x, y = torch.zeros(1, 1, 3), torch.full((1, 1, 3), scale)
    value, gradient = torch.func.vjp(emd, x, y)[0], torch.func.grad(lambda x: emd(x, y).sum())(x)
    torch.testing.assert_close(value, emd(x, y))
    torch.testing.assert_close(gradient, torch.full((1, 1, 3), -(3**-0.5)))


@pytest.mark.parametrize("scale", [1e200, 1e-200])
def test_transforms_have_the_kernels_range_in_float64(scale: float) -> None:
    x, y = (torch.rand(2, 6, 3, dtype=torch.float64) * scale for _ in range(2))
    value, gradient = torch.func.vjp(emd, x, y)[0], torch.func.grad(lambda x: emd(x, y).sum())(x)
    assert torch.equal(value, emd(x, y)) and value.isfinite().all()
    leaf = x.clone().requires_grad_()
    torch.testing.assert_close(gradient, torch.autograd.grad(emd(leaf, y).sum(), leaf)[0], rtol=1e-12, atol=0)


def test_vmap() -> None:
    x, y = torch.rand(3, 2, 7, 3), torch.rand(2, 3, 7, 3)
    batched = torch.func.vmap(emd, (0, 1))(x, y)
    assert torch.equal(batched, torch.stack([emd(x[i], y[:, i]) for i in range(3)]))
    shared = torch.func.vmap(emd, (0, None))(x, y[:, 0])
    assert torch.equal(shared, torch.stack([emd(x[i], y[:, 0]) for i in range(3)]))
    assert torch.func.vmap(emd)(x[:, :0], y[:0].transpose(0, 1)).shape == (3, 0)
    assert torch.func.vmap(emd)(x[:0], y.transpose(0, 1)[:0]).shape == (0, 2)


def test_transforms_of_torch_func() -> None:
    check_transforms(emd, *_clouds())


GOOD = torch.zeros(2, 4, 3)
NAN = GOOD.clone().index_put_((torch.tensor(1), torch.tensor(2)), torch.tensor(float("nan")))
BAD: dict[str, tuple[Callable[[], object], str]] = {
    "sizes": (lambda: emd(GOOD, GOOD[:, :3]), "y: must have as many points as x, 4, got 3"),
    "batch": (lambda: match(GOOD, GOOD[:1]), "y: must have as many clouds as x, 2, got 1"),
    "empty": (lambda: emd(GOOD[:, :0], GOOD[:, :0]), "x: must have at least one point in each cloud"),
    "type": (lambda: emd(GOOD, GOOD.double()), "y: must have the type of x, float32, got float64"),
    "nan": (lambda: emd(NAN, GOOD), "x: must be finite, got nan in point 2 of cloud 1"),
    "inf": (lambda: emd_matrix(GOOD, GOOD + float("inf")), "b: must be finite, got inf in point 0 of cloud 0"),
    "late": (lambda: emd_matrix(GOOD, NAN), "b: must be finite, got nan in point 2 of cloud 1; drop or repair such"),
    "late row": (lambda: emd_matrix(NAN, GOOD), "a: must be finite, got nan in point 2 of cloud 1; drop or repair"),
    "itself": (lambda: emd_matrix(NAN, NAN), "a: must be finite, got nan in point 2 of cloud 1; drop or repair such"),
    "gap": (lambda: emd(GOOD, GOOD, 1.0), r"gap: must be in \[0, 1\), 0 for the optimum, got 1.0; 0.01 allows"),
    "nan gap": (lambda: match(GOOD, GOOD, float("nan")), r"gap: must be in \[0, 1\), 0 for the optimum, got nan"),
    "start": (lambda: match(GOOD, GOOD, start=torch.zeros(2, 3)), "start: must hold a dual for each point of y"),
    "nan start": (lambda: match(GOOD, GOOD, start=torch.full((2, 4), float("nan"))), "start: must be finite, got nan"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case: str) -> None:
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        call()


def test_kernels_refuse_what_the_public_functions_would_have_mended() -> None:
    x, y = _clouds()
    with pytest.raises(ValueError, match="x: must be contiguous"):
        torch.ops.pcgen.emd(x.transpose(1, 2).contiguous().transpose(1, 2), y, 0.0)
    with pytest.raises(ValueError, match=r"gap: must be in \[0, 1\)"):
        torch.ops.pcgen.emd(x, y, -1.0)
    with pytest.raises(ValueError, match="gradient: must have the shape"):
        torch.ops.pcgen.emd_backward(torch.ones(()).expand(2), x, y, match(x, y).index)
    with pytest.raises(ValueError, match=r"index: must be in \[0, 7\), got 7"):
        torch.ops.pcgen.emd_backward(torch.ones(2).double(), x, y, torch.full((2, 7), 7))
