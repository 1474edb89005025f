"""Slow, readable versions of the ops in float64: they define the results of the kernels, and test them."""

import torch
from torch import Tensor

__all__ = [
    "approxmatch",
    "ball_query",
    "chamfer",
    "farthest_points",
    "knn",
    "match",
    "nearest",
    "squared_distances",
]


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Squared distances between the points of two batches of clouds, (B, N, D) x (B, M, D) -> (B, N, M) float64.

    D[b, i, j] = |x[b, i] - y[b, j]|^2, by differences, so that there is no cancellation far from the origin.
    """
    return (x.double()[:, :, None] - y.double()[:, None]).square().sum(-1)


def nearest(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """For each point of x, the squared distance to its nearest point of y, and that point's index; ties by index.

    (B, N, D) x (B, M, D) -> (B, N) float64, (B, N) int64.
    """
    distances = squared_distances(x, y)
    least = distances.amin(2)
    index = (distances == least[:, :, None]).int().argmax(2)  # argmax returns the first of equal values, argmin may not
    return least, index


def chamfer(x: Tensor, y: Tensor) -> Tensor:
    """Chamfer distance as `pcgen.ops.chamfer` defines it, (B, N, D) x (B, M, D) -> (B,) float64, differentiable.

    d(x, y) = mean over p in x of min over q in y of |p - q|^2 + mean over q in y of min over p in x of |q - p|^2
    """
    distances = squared_distances(x, y)
    return distances.amin(2).mean(1) + distances.amin(1).mean(1)


def match(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The optimal one-to-one matching of each pair of clouds under Euclidean distance, by scipy's Hungarian method.

    (B, N, D) x (B, N, D) -> index (B, N) int64, the point of y that each point of x is matched with, and the mean
    distance under the matching (B,) float64.
    """
    from scipy.optimize import linear_sum_assignment

    costs = squared_distances(x, y).sqrt()
    index = torch.stack([torch.as_tensor(linear_sum_assignment(cost.cpu().numpy())[1]) for cost in costs.detach()])
    index = index.to(costs.device)
    return index, costs.gather(2, index[:, :, None]).squeeze(2).mean(1)


def approxmatch(x: Tensor, y: Tensor, last_level: bool, squared: bool) -> Tensor:
    """Cost of the soft greedy matching of `pcgen.ops.approxmatch`, with the full N x N matrix of moved mass.

    (B, N, D) x (B, N, D) -> (B,) float64.
    """
    distances = squared_distances(x, y)
    left_x, left_y = distances.new_ones(distances.shape[:2]), distances.new_ones(distances[:, 0].shape)
    moved = torch.zeros_like(distances)
    for stiffness in [4.0**level for level in range(7, -2, -1)] + [0.0] * last_level:
        wish = torch.exp(-stiffness * distances) * left_y[:, None, :]
        offered = wish * (left_x / (wish.sum(2) + 1e-9))[:, :, None]
        taken = offered * (left_y / (offered.sum(1) + 1e-9)).clamp(max=1)[:, None, :]
        left_x = (left_x - taken.sum(2)).clamp(min=0)
        left_y = (left_y - offered.sum(1)).clamp(min=0)
        moved += taken
    cost = distances if squared else distances.sqrt()
    return (moved * cost).sum((1, 2)) / x.shape[1]


def knn(x: Tensor, y: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest points of y for each point of x, in the order of `pcgen.ops.knn`.

    Returns:
        Squared distances (B, N, k) float64 and indices (B, N, k) int64.
    """
    squares, indices = squared_distances(x, y).sort(dim=2, stable=True)
    return squares[:, :, :k], indices[:, :, :k]


def ball_query(x: Tensor, y: Tensor, radius: float, k: int) -> Tensor:
    """Indices (B, N, k) of the first k points of y, by index, within `radius` of each point of x; padded with -1."""
    inside = squared_distances(x, y) <= radius**2
    places = torch.arange(y.shape[1], device=y.device).where(inside, y.shape[1])
    first = torch.nn.functional.pad(places.sort(dim=2).values, (0, k), value=y.shape[1])[:, :, :k]
    return first.where(first < y.shape[1], -1)


def farthest_points(x: Tensor, k: int, start: Tensor) -> Tensor:
    """Indices (B, k) of k points of each cloud, from `start` (B,), each the farthest from those before it."""
    rows = torch.arange(len(x), device=x.device)
    chosen = [start]
    least = torch.full(x.shape[:2], torch.inf, dtype=torch.float64, device=x.device)
    while len(chosen) < k:
        least = least.minimum(squared_distances(x, x[rows, chosen[-1]][:, None]).squeeze(2))
        chosen.append((least == least.amax(1, keepdim=True)).int().argmax(1))
    return torch.stack(chosen, 1)
