"""Lower bounds on the Earth Mover's distance, much faster to compute than the distance."""

import math

import torch
from torch import Tensor

from pcgen.ops import _library
from pcgen.ops._checks import cloud_pairs, cloud_sets
from pcgen.ops._scale import without_overflow
from pcgen.ops.chamfer import nearest_means

__all__ = ["emd_bounds", "emd_lower_bound"]

_library.load()
_ops = torch.ops.pcgen

_DIRECTIONS = 48
_AT_ONCE = 8  # directions of projection per step: memory for so many numbers per point
_ROUNDING = 1e-6  # relative: how much rounding may increase a bound of float32 clouds
# How much rounding may increase the mean of distances where squares are denormal, in scaled units.
_DENORMAL = {torch.float32: 2.0**-73, torch.float64: 2.0**-530}
_OF_PROJECTIONS = (
    2.0**-50
)  # how much rounding may increase a difference of projections, as a share of both points' size


@torch.no_grad()
def emd_bounds(a: Tensor, b: Tensor) -> Tensor:
    """Lower bounds on emd(a[i], b[j]): the larger of two bounds, minus what rounding may have added.

    A point is matched at least as far away as its nearest neighbour. So the two one-sided means of nearest distances
    are lower bounds. A projection on a unit vector t shortens all distances, and the optimal matching of numbers sorts
    them. So the following is a lower bound too:

        max over t of (1/N) sum_k |sort(x . t)_k - sort(y . t)_k|

    Args:
        a: (S, N, 3), float32 or float64.
        b: (R, N, 3), of the same type and device.

    Returns:
        (S, R) float64, in the unit of the clouds.

    Raises:
        ValueError: as `emd_matrix`.
    """
    a, b = cloud_sets(a, b, points=True)
    a, b, unit = without_overflow(a, b)
    bounds = torch.maximum(*nearest_means(a, b)) * (1 - _ROUNDING) - _DENORMAL[a.dtype]
    centre = a[:1].double().mean((0, 1))  # keeps precision for clouds far from the origin
    sets = [clouds.double() - centre for clouds in (a, b)]
    sizes = [clouds.abs().amax((1, 2)) for clouds in sets]  # (S,), (R,)
    rounding = _OF_PROJECTIONS * (sizes[0][:, None] + sizes[1])
    for directions in _half_sphere(_DIRECTIONS).to(a.device).split(_AT_ONCE):
        x, y = ((clouds @ directions.T).sort(1).values.movedim(2, 0) for clouds in sets)
        sums = torch.cdist(x.contiguous(), y.contiguous(), p=1.0)  # (T, S, R)
        bounds = bounds.maximum(sums.amax(0) / a.shape[1] * (1 - _ROUNDING) - rounding)
    return bounds.clamp(min=0) * unit


@torch.no_grad()
def emd_lower_bound(x: Tensor, y: Tensor, x_dual: Tensor) -> Tensor:
    """Lower bounds on emd(x, y) from any duals u of x's points, minus what rounding may have added.

        (1/N) (sum_i u_i + sum_j min_i (|x_i - y_j| - u_i))

    Duals below the greatest by more than the clouds' common size are of no use, and raised to about that; this can only
    raise the bound. So it is at least the formula's value, up to rounding.

    The bound is nearly tight with the duals of a matching of x to a cloud similar to y, and also with their mean over
    several such clouds. It may be negative.

    Args:
        x: (B, N, 3), float32 or float64.
        y: (B, N, 3), of the same type and device.
        x_dual: u, (B, N) float64, such as `Matching.x_dual`.

    Returns:
        (B,) float64, in the unit of the clouds.

    Raises:
        ValueError: as `emd`.
    """
    x, y = cloud_pairs(x, y, points=True)
    bounds: Tensor = _ops.emd_lower_bound(x, y, x_dual.contiguous())
    return bounds - _ROUNDING * bounds.abs()


def _half_sphere(count: int) -> Tensor:
    """Unit vectors, (T, 3) float64, on a spiral over half a sphere, since t and -t give the same projection."""
    turns = torch.arange(count, dtype=torch.float64)
    height = (turns + 0.5) / count
    angle = turns * (math.pi * (3 - math.sqrt(5)))
    flat = (1 - height**2).sqrt()
    return torch.stack([flat * angle.cos(), flat * angle.sin(), height], 1)
