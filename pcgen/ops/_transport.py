"""Helpers of the transport problems that POT solves: checks, costs, uniform weights, a differentiable root."""

from typing import Any

import torch
from torch import Tensor

__all__ = ["check", "distances", "relative_entropy", "root", "stack", "to_numpy", "uniform", "weights_of"]


def distances(p: Tensor, q: Tensor) -> Tensor:
    """Euclidean distances (N, M) in float64 on the CPU, by differences, with gradient 0 where points are equal."""
    return root((p.cpu().double()[:, None] - q.cpu().double()[None]).square().sum(2))


def root(squares: Tensor) -> Tensor:
    """The square root, with gradient 0 at 0. The true gradient there is infinite, and 0 times infinity is NaN."""
    is_zero = squares <= 0  # not for NaN, which stays NaN
    return squares.masked_fill(is_zero, 1).sqrt().masked_fill(is_zero, 0)


def relative_entropy(p: Tensor, q: Tensor) -> Tensor:
    """Sum of p log(p / q) - p + q, with 0 log 0 = 0."""
    return (torch.xlogy(p, p / q) - p + q).sum()


def uniform(n: int) -> Tensor:
    return torch.full((n,), 1 / n, dtype=torch.float64)


def to_numpy(value: Tensor) -> Any:
    return value.detach().cpu().numpy()


def stack(values: list[Tensor], like: Tensor) -> Tensor:
    return torch.stack(values).to(like) if values else like.new_zeros(0)


def check(x: Tensor, y: Tensor, *, same_dimension: bool) -> tuple[Tensor, Tensor]:
    """Check two batches of clouds; under autocast, half precision is converted to float32."""
    x, y = (
        value.float()
        if value.dtype in (torch.float16, torch.bfloat16) and torch.is_autocast_enabled(value.device.type)
        else value
        for value in (x, y)
    )
    if x.device != y.device:
        raise ValueError(f"y: must be on the device of x, {x.device}, got {y.device}; move one with .to(...)")
    for name, value in (("x", x), ("y", y)):
        if value.ndim != 3 or 0 in value.shape[1:]:
            raise ValueError(
                f"{name}: must have the shape (batch, points, dimension), without empty clouds, got "
                f"{tuple(value.shape)}"
            )
        if value.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"{name}: must be float32 or float64, got {value.dtype}; convert it with {name}.float()")
        if not bool(value.isfinite().all()):
            raise ValueError(
                f"{name}: must be finite, got NaN or infinite coordinates; drop or repair such clouds first"
            )
    if len(x) != len(y) or x.dtype != y.dtype:
        raise ValueError(
            f"y: must have as many clouds as x and its type, {len(x)} of {x.dtype}, got {len(y)} of {y.dtype}; pair "
            "them one to one"
        )
    if same_dimension and x.shape[2] != y.shape[2]:
        raise ValueError(
            f"y: must have the dimension of x, {x.shape[2]}, got {y.shape[2]}; gromov_wasserstein compares any two"
        )
    return x, y


def weights_of(weights: Tensor | None, cloud: Tensor, name: str) -> Tensor:
    if weights is None:
        return torch.full(cloud.shape[:2], 1 / cloud.shape[1], dtype=torch.float64)
    if weights.shape != cloud.shape[:2] or not bool((weights > 0).all() and weights.isfinite().all()):
        raise ValueError(
            f"{name}: must be positive and finite, {tuple(cloud.shape[:2])}, got {tuple(weights.shape)} from "
            f"{weights.min():g} to {weights.max():g}; drop points of no weight"
        )
    weights = weights.detach().cpu().double()
    return weights / weights.sum(1, keepdim=True)
