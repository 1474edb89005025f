"""New points from the surface that a cloud represents."""

import torch
from torch import Tensor

from pcgen.errors import at_least
from pcgen.ops import knn, take_points

__all__ = ["resample"]

_NEIGHBOURS = 3


def resample(clouds: Tensor, points: int | None = None) -> Tensor:
    """Sample points independently from the surface that the points of each cloud represent.

        out_j = p_i + u (q - p_i)

    with i uniform over the points, q uniform over the three nearest others of p_i, and u uniform in [0, 1/2].

    A decoder trained under the Earth Mover's distance spreads its points as evenly as possible. Points sampled from a
    surface are independent, with gaps and clusters. Metrics of clouds detect this difference in every pair: an even
    cloud is nearer to any other cloud than a cloud of independent points of the same shape. After resampling, both have
    the same pattern.

    Args:
        clouds: (B, N, 3), float32 or float64.
        points: of each new cloud, any number; None is N.

    Returns:
        (B, points, 3), drawn from torch's global generator; clouds of one point are repeated.

    Raises:
        ValueError: clouds of another shape or type, or points below 1.
    """
    size = clouds.shape[1] if points is None else points
    at_least(1, points=size)
    near = min(_NEIGHBOURS, clouds.shape[1] - 1)
    count, device = (len(clouds), size), clouds.device
    chosen = torch.randint(clouds.shape[1], count, device=device)  # (B, points)
    start = take_points(clouds, chosen)  # (B, points, 3)
    if not near:
        return start
    few = size < clouds.shape[1]  # then it is faster to search the neighbours of the chosen points only
    nearest = knn(start if few else clouds, clouds, near + 1)[1]
    others = nearest[..., 1:]  # each point is the first of its own neighbours
    place = torch.arange(size, device=device) if few else chosen  # of each new point in `others`
    which = torch.randint(near, count, device=device)
    end = take_points(clouds, others.flatten(1).gather(1, place * near + which))
    return start.lerp(end, torch.rand(*count, 1, dtype=clouds.dtype, device=device) / 2)
