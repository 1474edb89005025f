"""Brute-force neighbour search, in blocks of queries, for cases that the kernels of `neighbours` do not cover."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["in_open_balls", "nearest_of_features"]


def nearest_of_features(x: Tensor, y: Tensor, k: int) -> Tensor:
    """Indices (B, m, k) of the k nearest points of x (B, n, D) for each point of y (B, m, D); ties by index."""
    return _by_parts(x, y, lambda a, part: _least(a, part, k))


def _least(x: Tensor, y: Tensor, k: int) -> Tensor:
    distances = torch.cdist(y, x, compute_mode="donot_use_mm_for_euclid_dist")  # (m, n)
    if x.dtype == torch.float64:
        return distances.sort(dim=1, stable=True).indices[:, :k]
    # Nonnegative floats have the order of their bits. With the index in the lower bits, no two keys are equal.
    keys = (distances.view(torch.int32).long() << 32) | torch.arange(len(x), device=x.device)
    return keys.topk(k, dim=1, largest=False).values & 0xFFFFFFFF


def in_open_balls(x: Tensor, y: Tensor, r: float, k: int) -> Tensor:
    """The first k points of x (B, n, 3), by index, with |x_j - y_i|^2 < r^2, for each point of y (B, m, 3).

    `ball_query` cannot do this in float64: it takes a radius, and not every float64 is the rounded square of a radius.

    Returns:
        Indices (B, m, k), padded with -1.
    """
    square = r * r or math.ulp(0.0)  # r^2 may underflow to 0, but a point is in every ball around it

    def first(a: Tensor, part: Tensor) -> Tensor:
        dx, dy, dz = (part[:, None, axis] - a[:, axis] for axis in range(3))  # (m, n) each
        inside = dx.square() + dy.square() + dz.square() < square
        places = torch.arange(len(a), device=a.device).where(inside, len(a)).topk(k, dim=1, largest=False).values
        return places.where(places < len(a), -1)

    return _by_parts(x, y, first)


def _by_parts(x: Tensor, y: Tensor, search: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Apply `search` to each pair of clouds, x (B, n, D) and y (B, m, D), in blocks of y's points, and stack."""
    for name, value in (("x", x), ("y", y)):
        if not value.isfinite().all():
            raise ValueError(f"{name}: must be finite; drop or repair such points first")
    rows = max(1, 2**24 // x.shape[1])  # 2^24 pairs at once: about 400 MB of differences, squares, distances and keys
    return torch.stack([torch.cat([search(a, part) for part in b.split(rows)]) for a, b in zip(x, y, strict=True)])
