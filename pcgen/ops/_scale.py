"""Scaling of clouds whose squares would overflow, or underflow, in their type."""

import math

import torch
from torch import Tensor

__all__ = ["of_unit_size", "without_overflow"]

# Clouds of a type are not scaled if their largest coordinate is in this range: squares and their sums are far from
# overflow, and the squares of much smaller differences are not denormal.
_RANGE = {torch.float32: (2.0**-40, 2.0**60), torch.float64: (2.0**-400, 2.0**500)}


def without_overflow(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, float]:
    """Two sets of clouds divided by a unit such that squares do not overflow, and the unit, a power of two.

    The unit is 1 for most clouds. Otherwise they are scaled in float64, since float32 cannot have the squares of both
    large and small distances. Waits for a GPU.
    """
    largest = max(float(each.abs().amax()) if each.numel() else 0.0 for each in (a, b))
    low, high = _RANGE[a.dtype]
    if largest == 0 or low <= largest <= high or not math.isfinite(largest):
        return a, b, 1.0
    exponent = math.frexp(largest)[1] - 1
    x = torch.ldexp(a.double(), torch.tensor(-exponent, device=a.device))
    y = x if b is a else torch.ldexp(b.double(), torch.tensor(-exponent, device=b.device))
    return x, y, math.ldexp(1.0, exponent)


def of_unit_size(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Each pair of clouds times a power of two such that its largest coordinate is about 1; does not wait for a GPU."""
    largest = torch.maximum(x.abs().amax((1, 2), keepdim=True), y.abs().amax((1, 2), keepdim=True))  # (B, 1, 1)
    most = 100 if x.dtype == torch.float32 else 1000  # beyond, the factor would overflow
    factor = torch.exp2(-largest.log2().floor().clamp(-most, most))
    return x * factor, y * factor
