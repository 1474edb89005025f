"""What torch.func and forward mode must give for a distance, from its kernel's gradient."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd import forward_ad


def check_transforms(distance: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor) -> None:
    """Forward mode, and gradients within and around vmap, for clouds (B, N, 3) and (B, M, 3) in float64."""
    value, step = distance(x, y), (torch.rand_like(x), torch.rand_like(y))
    gradients = torch.autograd.functional.jacobian(distance, (x, y))  # (B, B, N, 3) each
    slope = sum((gradient * way).sum((1, 2, 3)) for gradient, way in zip(gradients, step, strict=True))
    found = torch.func.jvp(distance, (x, y), step)
    assert torch.equal(found[0], value)
    _close(found[1], slope)
    with forward_ad.dual_level():
        duals = [forward_ad.make_dual(*both) for both in zip((x, y), step, strict=True)]
        _close(forward_ad.unpack_dual(distance(*duals)).tangent, slope)
    for jacobian in (torch.func.jacfwd, torch.func.jacrev):
        for one, other in zip(jacobian(distance, (0, 1))(x, y), gradients, strict=True):
            _close(one, other)

    pairs, ways = ([each[:, None] for each in both] for both in ((x, y), step))
    mapped = torch.func.vmap(distance)
    assert torch.equal(mapped(*pairs)[:, 0], value)
    _close(torch.func.jvp(mapped, tuple(pairs), tuple(ways))[1][:, 0], slope)
    around = torch.func.grad(lambda a, b: mapped(a, b).sum(), (0, 1))
    within = torch.func.vmap(torch.func.grad(lambda a, b: distance(a, b).sum(), (0, 1)))
    for transformed in (around, within):
        for one, other in zip(transformed(*pairs), gradients, strict=True):
            _close(one[:, 0], other.sum(0))
    leaf = pairs[0].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(mapped(leaf, pairs[1]).sum(), leaf)
    _close(gradient[:, 0], gradients[0].sum(0))


def _close(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-16)
