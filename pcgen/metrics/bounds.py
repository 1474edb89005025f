"""Lower bounds of the Earth Mover's distances between all clouds of two sets, far quicker than the distances."""

import math

import torch
from torch import Tensor

__all__ = ["emd_bounds"]

_DIRECTIONS = 48
_AT_ONCE = 8  # directions that clouds are projected on together: memory for that many numbers for each point


def emd_bounds(a: Tensor, b: Tensor) -> Tensor:
    """Lower bounds of emd(a[i], b[j]), (S, R) float64: the larger of two.

    No point is matched nearer than to its nearest, so each one-sided mean of nearest distances is one. Along a unit
    vector t no two points are farther apart than in space, and matching numbers is sorting them, so
    max over t of (1/N) sum_k |sort(x . t)_k - sort(y . t)_k| is another.

    Args:
        a: (S, N, 3).
        b: (R, N, 3).
    """
    from pcgen.ops.chamfer import nearest_means

    bounds = torch.maximum(*nearest_means(a, b))
    centre = a[0].double().mean(0)  # clouds far away lose no digits
    for directions in _half_sphere(_DIRECTIONS).to(a.device).split(_AT_ONCE):
        x, y = (((clouds.double() - centre) @ directions.T).sort(1).values.movedim(2, 0) for clouds in (a, b))
        sums = torch.cdist(x.contiguous(), y.contiguous(), p=1.0)  # (T, S, R)
        bounds = bounds.maximum(sums.amax(0) / a.shape[1])
    return bounds


def _half_sphere(count: int) -> Tensor:
    """Unit vectors spread evenly over half a sphere (t and -t see the same), on a spiral, (T, 3) float64."""
    turns = torch.arange(count, dtype=torch.float64)
    height = (turns + 0.5) / count
    angle = turns * (math.pi * (3 - math.sqrt(5)))
    flat = (1 - height**2).sqrt()
    return torch.stack([flat * angle.cos(), flat * angle.sin(), height], 1)
