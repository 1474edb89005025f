"""Lower bounds of the Earth Mover's distance that take a fraction of its time."""

import math

import torch
from torch import Tensor

from pcgen.ops import _library
from pcgen.ops._checks import cloud_pairs, cloud_sets
from pcgen.ops.chamfer import nearest_means

__all__ = ["emd_bounds", "emd_lower_bound"]

_library.load()
_ops = torch.ops.pcgen

_DIRECTIONS = 48
_AT_ONCE = 8  # directions that clouds are projected on together: memory for that many numbers for each point
_ROUNDING = 1e-6  # relative: how far rounding may lift a bound of float32 clouds


@torch.no_grad()
def emd_bounds(a: Tensor, b: Tensor) -> Tensor:
    """Lower bounds of emd(a[i], b[j]), (S, R) float64: the larger of two, less what rounding may have added.

    No point is matched nearer than to its nearest, so each one-sided mean of nearest distances is one. Along a unit
    vector t no two points are farther apart than in space, and matching numbers is sorting them, so
    max over t of (1/N) sum_k |sort(x . t)_k - sort(y . t)_k| is another.

    Args:
        a: (S, N, 3), float32 or float64.
        b: (R, N, 3), of the same type and device.

    Raises:
        ValueError: as `emd_matrix`.
    """
    a, b = cloud_sets(a, b, points=True)
    bounds = torch.maximum(*nearest_means(a, b))
    centre = a[0].double().mean(0)  # clouds far away lose no digits
    for directions in _half_sphere(_DIRECTIONS).to(a.device).split(_AT_ONCE):
        x, y = (((clouds.double() - centre) @ directions.T).sort(1).values.movedim(2, 0) for clouds in (a, b))
        sums = torch.cdist(x.contiguous(), y.contiguous(), p=1.0)  # (T, S, R)
        bounds = bounds.maximum(sums.amax(0) / a.shape[1])
    return bounds - _ROUNDING * bounds.abs()


@torch.no_grad()
def emd_lower_bound(x: Tensor, y: Tensor, x_dual: Tensor) -> Tensor:
    """What any duals of x's points prove of emd(x, y), (B,) float64, less what rounding may have added.

    (1/N) (sum_i u_i + sum_j min_i (|x_i - y_j| - u_i)): those of a matching of x to a cloud like y prove nearly all of
    it, and so does their mean over several such clouds. May be negative.

    Args:
        x: (B, N, 3), float32 or float64.
        y: (B, N, 3), of the same type and device.
        x_dual: u, (B, N) float64, such as `Matching.x_dual`.

    Raises:
        ValueError: as `emd`.
    """
    x, y = cloud_pairs(x, y, points=True)
    bounds: Tensor = _ops.emd_lower_bound(x, y, x_dual.contiguous())
    return bounds - _ROUNDING * bounds.abs()


def _half_sphere(count: int) -> Tensor:
    """Unit vectors spread evenly over half a sphere (t and -t see the same), on a spiral, (T, 3) float64."""
    turns = torch.arange(count, dtype=torch.float64)
    height = (turns + 0.5) / count
    angle = turns * (math.pi * (3 - math.sqrt(5)))
    flat = (1 - height**2).sqrt()
    return torch.stack([flat * angle.cos(), flat * angle.sin(), height], 1)
