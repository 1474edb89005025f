"""Derivatives that torch's registration of a kernel does not give: forward mode, and the transforms of `torch.func`."""

import torch
from torch import Tensor
from torch.autograd import forward_ad

from pcgen.ops._transport import root

__all__ = ["active", "lengths", "squares", "with_derivatives"]


def active() -> bool:
    """Whether derivatives must come from torch's own operations: in forward mode, and within `torch.func`.

    That a cloud has a tangent, or needs a gradient, cannot be asked here: a transform hides it from those within.
    """
    return bool(torch._C._are_functorch_transforms_active()) or forward_ad._current_level >= 0


def squares(a: Tensor, b: Tensor, index: Tensor) -> Tensor:
    """Squared distances (B, N) of points of a (B, N, 3) from those of b (B, M, 3) at index (B, N), differentiable."""
    return (a - b.gather(1, index[:, :, None].expand(-1, -1, 3))).square().sum(2)


def lengths(a: Tensor, b: Tensor, index: Tensor) -> Tensor:
    """Distances (B, N) float64 of points of a (B, N, 3) from those of b (B, M, 3) at index (B, N), differentiable.

    The gradient is 0 where points are equal. No square overflows or is denormal.
    """
    steps = a.double() - b.double().gather(1, index[:, :, None].expand(-1, -1, 3))
    size = steps.detach().abs().amax(2)
    size = size.where(size != 0, 1)  # not for NaN, which stays NaN
    return size * root((steps / size[:, :, None]).square().sum(2))


def with_derivatives(value: Tensor, same: Tensor) -> Tensor:
    """A kernel's value, with the derivatives of the same value from torch's own operations, which rounds otherwise.

    `same` is in float64. Where even that overflows, the derivative is 0.
    """
    nothing = (same - same.detach()).masked_fill(same.detach().isinf(), 0)
    return value + nothing.to(value.dtype)
