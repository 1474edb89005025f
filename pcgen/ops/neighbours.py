"""Neighbours in clouds: the k nearest points, the points in a ball, and farthest point sampling."""

import torch
from torch import Tensor

from pcgen.ops import _library
from pcgen.ops._checks import cloud_pairs, clouds

__all__ = ["ball_query", "farthest_points", "knn"]

_library.load()
_ops = torch.ops.pcgen


@torch.no_grad()
def knn(x: Tensor, y: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest points of y for each point of x, exactly.

    Args:
        x: (B, N, 3), float32 or float64.
        y: (B, M, 3), of the same type and device. A point that is in both clouds is its own nearest.
        k: from 1 to M.

    Returns:
        Squared distances (B, N, k) in the clouds' type, without a gradient, and indices (B, N, k) int64; nearest first,
        ties by index.

    Raises:
        ValueError: wrong shape, type or device, an empty cloud, k out of range, a coordinate that is not finite. On a
            GPU there is no error for such a coordinate: in x it makes the squared distances of its query NaN, in y
            those of all queries of its cloud.
    """
    x, y = cloud_pairs(x, y)
    squares, indices = _ops.knn(x, y, k)
    return squares, indices


@torch.no_grad()
def ball_query(x: Tensor, y: Tensor, radius: float, k: int) -> Tensor:
    """Up to k points of y in the ball around each point of x: the first k by index with |x_i - y_j| <= radius.

    The comparison is |x_i - y_j|^2 <= radius * radius, both sides rounded to the clouds' type.

    Args:
        x: (B, N, 3), float32 or float64.
        y: (B, M, 3), of the same type and device.
        radius: in the clouds' unit.
        k: at least 1.

    Returns:
        (B, N, k) int64, padded with -1 where a ball has fewer than k points.

    Raises:
        ValueError: wrong shape, type or device, an empty cloud, a negative radius, k below 1, a coordinate that is not
            finite. On a GPU there is no error for such a point: it is in no ball, and its own ball is empty.

    Qi, Yi, Su and Guibas, 2017, PointNet++: Deep Hierarchical Feature Learning on Point Sets in a Metric Space.
    """
    x, y = cloud_pairs(x, y)
    indices: Tensor = _ops.ball_query(x, y, float(radius), k)
    return indices


@torch.no_grad()
def farthest_points(x: Tensor, k: int, start: Tensor | None = None) -> Tensor:
    """Farthest point sampling: k points of each cloud, each the farthest from those chosen before it.

    p_1 = start;  p_t = argmax over p in x of min over s < t of |p - p_s|, ties by index.

    Args:
        x: (B, N, 3), float32 or float64.
        k: from 1 to N.
        start: (B,) int64, the first point of each cloud; by default it is uniform, from torch's global generator. On a
            GPU, the check of its range waits for the device.

    Returns:
        (B, k) int64, in the order of choice.

    Raises:
        ValueError: wrong shape or type, an empty cloud, k or start out of range, a coordinate that is not finite. On a
            GPU there is no error for such a point: it is infinitely far from all others, so it is chosen next.

    Gonzalez, 1985, Clustering to Minimize the Maximum Intercluster Distance.
    """
    x = clouds(x, "x")
    if start is None:
        start = torch.randint(x.shape[1], (len(x),), device=x.device)
    elif x.is_cuda and ((start < 0) | (start >= x.shape[1])).any():
        wrong = start[(start < 0) | (start >= x.shape[1])][0].item()
        raise ValueError(f"start: must be in [0, {x.shape[1]}), got {wrong}")
    indices: Tensor = _ops.farthest_points(x, k, start.contiguous())
    return indices


def _knn_shape(x: Tensor, y: Tensor, k: int) -> tuple[Tensor, Tensor]:
    shape = (x.shape[0], x.shape[1], k)
    return x.new_empty(shape), x.new_empty(shape, dtype=torch.int64)


def _ball_query_shape(x: Tensor, y: Tensor, radius: float, k: int) -> Tensor:
    return x.new_empty((x.shape[0], x.shape[1], k), dtype=torch.int64)


def _farthest_points_shape(x: Tensor, k: int, start: Tensor) -> Tensor:
    return x.new_empty((x.shape[0], k), dtype=torch.int64)


torch.library.register_fake("pcgen::knn", _knn_shape)
torch.library.register_fake("pcgen::ball_query", _ball_query_shape)
torch.library.register_fake("pcgen::farthest_points", _farthest_points_shape)
