"""Sliced Wasserstein distance of two samples."""

import torch
from torch import Tensor

from pcgen.errors import at_least
from pcgen.statistics._checks import check_samples

__all__ = ["sliced_wasserstein"]


def sliced_wasserstein(
    x: Tensor, y: Tensor, projections: int = 128, *, order: int = 2, seed: int | None = None
) -> Tensor:
    """Sliced Wasserstein distance of two samples, not squared.

        (mean over directions u of W_p(u x, u y)^p)^(1/p)

    Directions u are random unit vectors. Each one-dimensional distance is exact, also for unequal sample sizes: its
    p-th power is the integral over q in [0, 1] of |difference of the quantiles at q|^p. The value is computed in
    float64 and returned in the type of x, a scalar in the unit of x; NaN in a sample makes it NaN. At 0, where the root
    has no derivative, the gradient is 0.

    Args:
        x: (S, D), floating point.
        y: (R, D).
        projections: number of directions P; the relative error of the value falls as 1 / sqrt(P).
        order: p, 1 or more.
        seed: of the directions, for repeatable values; by default they are from torch's global generator.

    Raises:
        ValueError: shapes that differ in D, no rows, or `projections` or `order` below 1.

    References:
        Rabin, Peyré, Delon, Bernot (2012). Wasserstein Barycenter and Its Application to Texture Mixing.
    """
    check_samples(x, y, least=1)
    at_least(1, projections=projections, order=order)
    # On the CPU, so that one seed gives the same directions for every device.
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    directions = torch.randn(x.shape[1], projections, generator=generator, dtype=torch.float64)
    directions = (directions / directions.norm(dim=0)).to(x.device)  # (D, P)
    a, b = ((rows.double() @ directions).sort(dim=0).values for rows in (x, y))  # (S, P), (R, P)
    # Both quantile functions are constant between neighbours of the grid {i/S} u {j/R}, stored as integers, times S*R.
    s, r = len(a), len(b)
    ends = torch.cat([torch.arange(1, s + 1) * r, torch.arange(1, r + 1) * s]).unique().to(x.device)
    lengths = ends.diff(prepend=ends.new_zeros(1)).double() / (s * r)  # (M,)
    i, j = (ends - 1) // r, (ends - 1) // s
    cost = (lengths[:, None] * (a[i] - b[j]).abs() ** order).sum(0).mean()
    value: Tensor = torch.where(cost != 0, cost, 1.0).pow(1 / order).where(cost != 0, 0.0)  # NaN stays NaN
    return value.to(x.dtype)
