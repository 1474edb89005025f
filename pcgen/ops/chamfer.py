"""Chamfer distance between clouds: of pairs, with gradients, and of all pairs of two sets."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pcgen.ops import _library
from pcgen.ops._checks import cloud_pairs, cloud_sets

__all__ = ["chamfer", "chamfer_matrix", "nearest_means"]

_library.load()
_ops = torch.ops.pcgen


def chamfer(x: Tensor, y: Tensor) -> Tensor:
    """Chamfer distance of each pair of clouds, by exact nearest neighbours.

    d(x, y) = mean over p in x of min over q in y of |p - q|^2  +  mean over q in y of min over p in x of |q - p|^2

    Squared distances, in the square of the clouds' unit; means over points; both directions added, not halved.
    Differences are squared, not expanded, so clouds far from the origin keep their precision; sums are taken in double.
    A pair's value depends neither on its batch nor on the number of threads. The gradient to both clouds takes the
    nearest points as fixed, the first of several at the same distance.

    Args:
        x: (B, N, 3), float32 or float64.
        y: (B, M, 3), of the same type and device; M may differ from N.

    Returns:
        (B,), of the clouds' type.

    Raises:
        ValueError: wrong shape, type or device, an empty cloud, or a coordinate that is not finite (on a GPU its pair's
            value is NaN instead).
        RuntimeError: a gradient of the gradient is asked for.

    Fan, Su and Guibas, 2017, A Point Set Generation Network for 3D Object Reconstruction from a Single Image; halved or
    not, squared or not differs between papers: this is the convention of Achlioptas et al., 2018, Learning
    Representations and Generative Models for 3D Point Clouds.
    """
    x, y = cloud_pairs(x, y)
    differentiable = torch.is_grad_enabled() and (x.requires_grad or y.requires_grad)
    value: Tensor = _ops.chamfer_with_index(x, y)[0] if differentiable else _ops.chamfer(x, y)
    return value


def chamfer_matrix(a: Tensor, b: Tensor, *, progress: Callable[[int, int], object] | None = None) -> Tensor:
    """Chamfer distances between all clouds of two sets, on all of torch's threads.

    D[i, j] = chamfer(a[i], b[j]); where `b is a`, each unordered pair is computed once.

    Args:
        a: (S, N, 3), float32 or float64.
        b: (R, M, 3), of the same type and device.
        progress: called as progress(pairs done, pairs in all) after each block of rows.

    Returns:
        (S, R) float64, squared units, without a graph. Memory beyond the result: a copy of the two sets.

    Raises:
        ValueError: as `chamfer`.
    """
    forth, back = nearest_means(a, b, squared=True, progress=progress)
    return forth.add_(back)


@torch.no_grad()
def nearest_means(
    a: Tensor, b: Tensor, *, squared: bool = False, progress: Callable[[int, int], object] | None = None
) -> tuple[Tensor, Tensor]:
    """The two one-sided means of nearest distances between all clouds of two sets.

    forth[i, j] = mean over p in a[i] of min over q in b[j] of |p - q|;   back[i, j] = the same from b[j] to a[i].

    Not squared unless `squared`. For clouds of equal size the larger of the two is a lower bound of the Earth Mover's
    distance, since a matching sends no point nearer than to its nearest.

    Args:
        a: (S, N, 3), float32 or float64.
        b: (R, M, 3), of the same type and device; where `b is a`, each unordered pair is computed once.
        squared: average squared distances.
        progress: called as progress(pairs done, pairs in all) after each block of rows.

    Returns:
        Two float64 tensors (S, R).

    Raises:
        ValueError: wrong shape, type or device, an empty cloud, or a coordinate that is not finite.
    """
    symmetric = b is a
    a, b = cloud_sets(a, b)
    rows, columns = len(a), len(b)
    forth = torch.empty(rows, columns, dtype=torch.float64, device=a.device)
    back = torch.empty_like(forth)
    total = rows * (rows + 1) // 2 if symmetric else rows * columns
    # Blocks of rows small enough to report progress and to waste little on the lower triangle of a symmetric block.
    height = 8
    for first in range(0, rows, height):
        last = min(first + height, rows)
        start = first if symmetric else 0
        block = _ops.nearest_matrix(a[first:last], b[start:], squared)
        forth[first:last, start:], back[first:last, start:] = block
        if symmetric:
            forth[start:, first:last], back[start:, first:last] = block[1].T, block[0].T
        if progress is not None:
            left = rows - last
            progress(total - left * (left + 1) // 2 if symmetric else last * columns, total)
    return forth, back


def _chamfer_shape(x: Tensor, y: Tensor) -> Tensor:
    return x.new_empty(x.shape[0])


def _with_index_shape(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return (
        x.new_empty(x.shape[0]),
        x.new_empty(x.shape[:2], dtype=torch.int64),
        y.new_empty(y.shape[:2], dtype=torch.int64),
    )


def _backward_shape(gradient: Tensor, x: Tensor, y: Tensor, x_to_y: Tensor, y_to_x: Tensor) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x), torch.empty_like(y)


def _matrix_shape(a: Tensor, b: Tensor, squared: bool) -> tuple[Tensor, Tensor]:
    shape = (a.shape[0], b.shape[0])
    return a.new_empty(shape, dtype=torch.float64), a.new_empty(shape, dtype=torch.float64)


def _save(ctx: Any, inputs: tuple[Tensor, Tensor], output: tuple[Tensor, Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs, *output[1:])
    ctx.mark_non_differentiable(*output[1:])


def _backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, Tensor]:
    grads: tuple[Tensor, Tensor] = _ops.chamfer_backward(gradient.contiguous(), *ctx.saved_tensors)
    return grads


def _double_backward(ctx: Any, *gradients: Tensor) -> None:
    raise RuntimeError(
        "chamfer: has a first derivative only, but the gradient of its gradient was asked for; do not differentiate "
        "through a gradient taken with create_graph=True"
    )


def _merge(value: Tensor, dim: int | None, size: int) -> Tensor:
    """The dimension that vmap adds, folded into the batch."""
    value = value.expand(size, *value.shape) if dim is None else value.movedim(dim, 0)
    return value.flatten(0, 1).contiguous()


def _vmap(op: Callable[..., Any]) -> Callable[..., Any]:
    """The vmap rule of an op whose arguments and results all begin with the batch."""

    def rule(info: Any, in_dims: tuple[int | None, ...], *args: Tensor) -> tuple[Any, Any]:
        size = info.batch_size
        out = op(*(_merge(value, dim, size) for value, dim in zip(args, in_dims, strict=True)))
        if isinstance(out, Tensor):
            return out.unflatten(0, (size, -1)), 0
        return tuple(value.unflatten(0, (size, -1)) for value in out), (0,) * len(out)

    return rule


torch.library.register_fake("pcgen::chamfer", _chamfer_shape)
torch.library.register_fake("pcgen::chamfer_with_index", _with_index_shape)
torch.library.register_fake("pcgen::chamfer_backward", _backward_shape)
torch.library.register_fake("pcgen::nearest_matrix", _matrix_shape)
torch.library.register_autograd("pcgen::chamfer_with_index", _backward, setup_context=_save)
torch.library.register_autograd("pcgen::chamfer_backward", _double_backward)
for _name in ("chamfer", "chamfer_with_index", "chamfer_backward"):
    torch.library.register_vmap(f"pcgen::{_name}", _vmap(getattr(_ops, _name)))
