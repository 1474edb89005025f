"""Chamfer distance against the float64 reference, on every instruction set."""

import pytest
import torch
from cloud_problems import PROBLEMS, pairs

from pcgen import ops
from pcgen.ops import reference

SIZES = [(1, 1), (1, 70), (63, 65), (64, 64), (257, 130), (300, 600)]
TOLERANCE = {torch.float32: 3e-7, torch.float64: 1e-14}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("kind", PROBLEMS)
def test_equals_reference(kind: str, dtype: torch.dtype, instruction_set: str) -> None:
    for n, m in SIZES:
        x, y = pairs(kind, 3, n, m, dtype)
        torch.testing.assert_close(
            ops.chamfer(x, y).double(), reference.chamfer(x, y), rtol=TOLERANCE[dtype], atol=0, msg=f"{kind} {n} {m}"
        )


@pytest.mark.parametrize("kind", PROBLEMS)
def test_indices_are_the_first_of_the_nearest(kind: str, instruction_set: str) -> None:
    for n, m in SIZES:
        x, y = pairs(kind, 2, n, m, torch.float64)
        value, x_to_y, y_to_x = torch.ops.pcgen.chamfer_with_index(x, y)
        assert torch.equal(value, ops.chamfer(x, y))
        if kind in ("lattice", "one_place", "shared_points"):  # squared distances without rounding, or zero
            assert torch.equal(x_to_y, reference.nearest(x, y)[1])
            assert torch.equal(y_to_x, reference.nearest(y, x)[1])
        for a, b, index in ((x, y, x_to_y), (y, x, y_to_x)):
            reached = (a - torch.gather(b, 1, index[:, :, None].expand(-1, -1, 3))).square().sum(2)
            torch.testing.assert_close(reached, reference.nearest(a, b)[0], rtol=1e-14, atol=0)


def test_hand_computed() -> None:
    x = torch.tensor([[[0.0, 0, 0], [1, 0, 0]]])
    y = torch.tensor([[[0.0, 0, 2]]])
    # x to y: (4 + 5) / 2; y to x: 4.
    assert ops.chamfer(x, y).tolist() == [8.5]


def test_value_is_the_same_in_any_batch_order_and_thread_count() -> None:
    x, y = pairs("spheres", 5, 700, 900, torch.float32)
    threads = torch.get_num_threads()
    try:
        results = []
        for count in (1, 2, 3, 7):
            torch.set_num_threads(count)
            results.append(torch.ops.pcgen.chamfer_with_index(x, y))
            results.append(tuple(map(torch.cat, zip(*(torch.ops.pcgen.chamfer_with_index(a[None], b[None])
                                                      for a, b in zip(x, y, strict=True)), strict=True))))  # fmt: skip
            assert torch.equal(ops.chamfer(x.flip(0), y.flip(0)).flip(0), results[0][0])
    finally:
        torch.set_num_threads(threads)
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))


def test_symmetric_and_zero_on_itself() -> None:
    x, y = pairs("cubes", 2, 200, 300, torch.float32)
    assert torch.equal(ops.chamfer(x, y), ops.chamfer(y, x))
    assert torch.equal(ops.chamfer(x, x[:, torch.randperm(200)]), torch.zeros(2))


def test_strided_input() -> None:
    x, y = pairs("cubes", 2, 50, 60, torch.float64)
    strided = x.transpose(1, 2).contiguous().transpose(1, 2)
    assert not strided.is_contiguous()
    assert torch.equal(ops.chamfer(strided, y.flip(1)[:, ::2]), ops.chamfer(x, y.flip(1)[:, ::2].contiguous()))


def test_empty_batch() -> None:
    x = torch.zeros(0, 5, 3, requires_grad=True)
    assert ops.chamfer(x, torch.zeros(0, 4, 3)).shape == (0,)
    ops.chamfer(x, torch.zeros(0, 4, 3)).sum().backward()
    assert x.grad is not None and x.grad.shape == (0, 5, 3)


def test_gradient_of_both_clouds() -> None:
    x, y = (t.requires_grad_() for t in pairs("spheres", 2, 40, 30, torch.float64))
    assert torch.autograd.gradcheck(ops.chamfer, (x, y))
    weights = torch.rand(2, dtype=torch.float64)
    ours = torch.autograd.grad((weights * ops.chamfer(x, y)).sum(), (x, y))
    theirs = torch.autograd.grad((weights * reference.chamfer(x, y)).sum(), (x, y))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-15)


def test_gradient_of_one_cloud_and_of_strides() -> None:
    x, y = pairs("cubes", 3, 20, 20, torch.float64)
    x.requires_grad_()
    (summed,) = torch.autograd.grad(ops.chamfer(x, y).sum(), x)  # a gradient of stride 0
    (weighted,) = torch.autograd.grad(ops.chamfer(x, y), x, torch.ones(6, dtype=torch.float64)[::2])
    assert torch.equal(summed, weighted)
    assert y.grad is None


def test_gradient_of_the_gradient_is_refused() -> None:
    x, y = pairs("cubes", 1, 5, 5, torch.float64)
    (gradient,) = torch.autograd.grad(ops.chamfer(x.requires_grad_(), y).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="chamfer: has only a first derivative"):
        gradient.sum().backward()


GOOD = torch.zeros(2, 4, 3)
BAD = {
    "shape": (GOOD[..., :2], r"x: must have the shape \(batch, points, 3\), got \(2, 4, 2\)"),
    "no batch": (GOOD[0], r"got \(4, 3\); add a dimension: x\[None\]"),
    "empty": (GOOD[:, :0], r"x: must have at least one point in each cloud, got \(2, 0, 3\)"),
    "integers": (GOOD.long(), r"x: must be float32 or float64, got int64; convert it with x.float\(\)"),
    "half": (GOOD.half(), r"x: must be float32 or float64, got float16"),
    "other type": (GOOD.double(), r"y: must have the type of x, float64, got float32"),
    "other device": (GOOD.to("meta"), r"x: must be on one of pcgen's devices, cpu.*, got meta; move it with .cpu"),
    "other batch": (GOOD[:1], r"y: must have as many clouds as x, 1, got 2"),
    "array": (GOOD.numpy(), r"x: must be a tensor \(batch, points, 3\), got ndarray"),
    "nan": (GOOD.clone().index_put_((torch.tensor(1), torch.tensor(2)), torch.tensor(float("nan"))),
            r"x: must be finite, got nan in point 2 of cloud 1"),
    "inf": (GOOD.clone().fill_(float("-inf")), r"x: must be finite, got -inf in point 0 of cloud 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case: str) -> None:
    x, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        ops.chamfer(x, GOOD)


def test_not_finite_with_gradient_and_threads() -> None:
    x = torch.zeros(8, 4, 3)
    x[5:] = float("nan")
    with pytest.raises(ValueError, match="y: must be finite, got nan in point 0 of cloud 5"):
        ops.chamfer(torch.zeros(8, 4, 3, requires_grad=True), x)


def test_half_precision_under_autocast() -> None:
    x, y = pairs("cubes", 2, 30, 30, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(ops.chamfer(x.bfloat16(), y), ops.chamfer(x.bfloat16().float(), y))
