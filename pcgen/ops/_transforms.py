"""Derivatives that torch's registration of a kernel does not give: forward mode, and the transforms of `torch.func`."""

import torch
from torch import Tensor
from torch.autograd import forward_ad

__all__ = ["active", "squares", "with_derivatives"]


def active() -> bool:
    """Whether derivatives must come from torch's own operations: in forward mode, and within `torch.func`.

    That a cloud has a tangent, or needs a gradient, cannot be asked here: a transform hides it from those within.
    """
    return bool(torch._C._are_functorch_transforms_active()) or forward_ad._current_level >= 0


def squares(a: Tensor, b: Tensor, index: Tensor) -> Tensor:
    """Squared distances (B, N) of points of a (B, N, 3) from those of b (B, M, 3) at index (B, N), differentiable."""
    return (a - b.gather(1, index[:, :, None].expand(-1, -1, 3))).square().sum(2)


def with_derivatives(value: Tensor, same: Tensor) -> Tensor:
    """A kernel's value, with the derivatives of the same value from torch's own operations, which rounds otherwise."""
    return value + (same - same.detach())
