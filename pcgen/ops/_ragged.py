"""Clouds of different sizes in one tensor of points: grouped by size for the ops, and the results joined again."""

from collections import defaultdict
from collections.abc import Iterator

import torch
from torch import Tensor

__all__ = ["edges", "pair", "pointers", "points", "same_size"]

Group = tuple[Tensor, Tensor, Tensor, Tensor]


def pointers(x: Tensor, batch: Tensor | None, name: str) -> Tensor | None:
    """First point of each cloud of x, and the end, (clouds + 1,), from the cloud of each point (N,).

    None if `batch` is None: all points are one cloud.
    """
    if batch is None:
        return None
    if batch.ndim != 1 or len(batch) != len(x) or batch.dtype != torch.int64:
        raise ValueError(
            f"{name}: must be int64 and give the cloud of each point, ({len(x)},), got {batch.dtype} "
            f"{tuple(batch.shape)}"
        )
    if len(batch) and (batch[0] < 0 or (batch.diff() < 0).any()):
        raise ValueError(f"{name}: must not descend, from 0 on; sort the points by their clouds first")
    return torch.cat([batch.new_zeros(1), batch.bincount().cumsum(0)])


def points(value: Tensor, name: str, dimensions: int | None = None) -> Tensor:
    """Check points (N, D), D <= `dimensions`, and pad them with zeros to three dimensions; no distance changes."""
    return _filled(_checked(value, name, dimensions))


def pair(x: Tensor, y: Tensor, dimensions: int | None = None) -> tuple[Tensor, Tensor]:
    """Check two sets of `points` of the same dimension, type and device; (N,) is read as (N, 1)."""
    x, y = _checked(x, "x", dimensions), _checked(y, "y", dimensions)
    # This check must come before the padding, after which one, two and three dimensions look the same.
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"y: must have as many dimensions as x, {x.shape[1]}, got {y.shape[1]}")
    if (x.dtype, x.device) != (y.dtype, y.device):
        raise ValueError(f"y: must be of x's type and device, {x.dtype} on {x.device}, got {y.dtype} on {y.device}")
    return _filled(x), _filled(y)


def same_size(x: Tensor, y: Tensor, ptr_x: Tensor | None, ptr_y: Tensor | None) -> Iterator[Group]:
    """Groups of clouds of equal sizes, for one call each: x (B, n, D), y (B, m, D), indices (B,) of first points."""
    x_ends = [0, len(x)] if ptr_x is None else ptr_x.tolist()
    y_ends = [0, len(y)] if ptr_y is None else ptr_y.tolist()
    groups = defaultdict(list)
    for cloud in range(min(len(x_ends), len(y_ends)) - 1):  # a cloud that only one side has gives no neighbours
        n, m = x_ends[cloud + 1] - x_ends[cloud], y_ends[cloud + 1] - y_ends[cloud]
        if n and m:
            groups[n, m].append((x_ends[cloud], y_ends[cloud]))
    for (n, m), firsts in groups.items():
        first_x, first_y = torch.tensor(firsts, device=x.device).unbind(1)
        rows_x = first_x[:, None] + torch.arange(n, device=x.device)
        rows_y = first_y[:, None] + torch.arange(m, device=x.device)
        yield x[rows_x], y[rows_y], first_x, first_y


def edges(found: list[tuple[Tensor, Tensor, Tensor]], device: torch.device) -> Tensor:
    """Edges (2, E), from y to x, from groups of neighbours (B, m, k), -1 for none, and first points (B,) of clouds."""
    parts = [torch.empty(2, 0, dtype=torch.int64, device=device)]
    for index, first_x, first_y in found:
        queries = first_y[:, None] + torch.arange(index.shape[1], device=device)  # (B, m)
        pairs = torch.stack([queries[:, :, None].expand_as(index), index + first_x[:, None, None]])
        parts.append(pairs[:, index >= 0])
    joined = torch.cat(parts, 1)
    if len(found) > 1:  # groups are not in the order of their clouds
        joined = joined[:, joined[0].argsort(stable=True)]
    return joined


def _checked(value: Tensor, name: str, dimensions: int | None) -> Tensor:
    if value.ndim == 1:
        value = value[:, None]
    if value.ndim != 2 or value.shape[1] == 0:
        raise ValueError(f"{name}: must have the shape (points, dimensions), got {tuple(value.shape)}")
    if value.dtype in (torch.float16, torch.bfloat16):
        value = value.float()  # features under autocast
    if value.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"{name}: must be float32 or float64, got {value.dtype}; convert it with {name}.float()")
    if dimensions is not None and value.shape[1] > dimensions:
        raise ValueError(
            f"{name}: must have at most {dimensions} dimensions, got {tuple(value.shape)}; pass positions, not features"
        )
    # The kernels would name the arguments and points of their own call. On a GPU, the check would wait for the device.
    if value.device.type == "cpu" and not value.isfinite().all():
        point, axis = value.isfinite().logical_not().nonzero()[0].tolist()
        raise ValueError(
            f"{name}: must be finite, got {value[point, axis].item()} in point {point}; drop or repair such points "
            "first"
        )
    return value


def _filled(value: Tensor) -> Tensor:
    return torch.nn.functional.pad(value.detach(), (0, max(3 - value.shape[1], 0)))
