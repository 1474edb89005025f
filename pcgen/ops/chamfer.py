"""Chamfer distance between clouds: differentiable for pairs, and as a matrix for all pairs of two sets."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pcgen.ops import _library, _transforms, _vmap
from pcgen.ops._checks import check_finite, cloud_pairs, cloud_sets
from pcgen.ops._transforms import squares

__all__ = ["chamfer", "chamfer_matrix", "nearest_means"]

_library.load()
_ops = torch.ops.pcgen


def chamfer(x: Tensor, y: Tensor) -> Tensor:
    """Chamfer distance of each pair of clouds, by exact nearest neighbours.

    d(x, y) = mean over p in x of min over q in y of |p - q|^2  +  mean over q in y of min over p in x of |q - p|^2

    Distances are squared, in the square of the clouds' unit; means are over points; both directions are added, not
    halved. Squares are computed from differences, not expanded, so clouds far from the origin keep their precision.
    Sums are in double precision. The value of a pair depends neither on its batch nor on the number of threads. For
    the gradient to both clouds, the nearest points are constants; of several at the same distance, the first counts.

    Args:
        x: (B, N, 3), float32 or float64.
        y: (B, M, 3), of the same type and device; M may differ from N.

    Returns:
        (B,), of the clouds' type.

    Raises:
        ValueError: wrong shape, type or device, an empty cloud, or a coordinate that is not finite (on a GPU, the value
            of that pair is NaN instead).
        RuntimeError: a second derivative is requested, other than by `torch.func`.

    Fan, Su and Guibas, 2017, A Point Set Generation Network for 3D Object Reconstruction from a Single Image. Papers
    differ in whether they halve the sum and square the distances; this is the convention of Achlioptas et al., 2018,
    Learning Representations and Generative Models for 3D Point Clouds.
    """
    x, y = cloud_pairs(x, y)
    if _transforms.active():
        value, x_to_y, y_to_x = _ops.chamfer_with_index(x.detach(), y.detach())
        p, q = x.double(), y.double()
        return _transforms.with_derivatives(value, squares(p, q, x_to_y).mean(1) + squares(q, p, y_to_x).mean(1))
    differentiable = torch.is_grad_enabled() and (x.requires_grad or y.requires_grad)
    result: Tensor = _ops.chamfer_with_index(x, y)[0] if differentiable else _ops.chamfer(x, y)
    return result


def chamfer_matrix(a: Tensor, b: Tensor, *, progress: Callable[[int, int], object] | None = None) -> Tensor:
    """Chamfer distances between all clouds of two sets, on all of torch's threads.

    D[i, j] = chamfer(a[i], b[j]); if `b is a`, each unordered pair is computed once.

    Args:
        a: (S, N, 3), float32 or float64.
        b: (R, M, 3), of the same type and device.
        progress: called as progress(pairs done, pairs in all) after each block of rows.

    Returns:
        (S, R) float64, in the square of the clouds' unit, without a gradient. Extra memory: a copy of the two sets.

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

    Distances are not squared unless `squared`. For clouds of equal size, the larger of the two (not squared) is a lower
    bound on the Earth Mover's distance: a point is matched at least as far away as its nearest neighbour.

    Args:
        a: (S, N, 3), float32 or float64.
        b: (R, M, 3), of the same type and device; if `b is a`, each unordered pair is computed once.
        squared: whether to average squared distances.
        progress: called as progress(pairs done, pairs in all) after each block of rows.

    Returns:
        Two float64 tensors (S, R), in the clouds' unit or its square, without a gradient.

    Raises:
        ValueError: as `chamfer`.
    """
    symmetric = b is a
    a, b = cloud_sets(a, b)
    check_finite(a=a, b=b)
    rows, columns = len(a), len(b)
    forth = torch.empty(rows, columns, dtype=torch.float64, device=a.device)
    back = torch.empty_like(forth)
    total = rows * (rows + 1) // 2 if symmetric else rows * columns
    # Blocks of few rows: progress is reported often, and little of a symmetric block's lower triangle is wasted.
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
        "chamfer: has only a first derivative, but a second was requested; do not differentiate through a gradient "
        "taken with create_graph=True"
    )


torch.library.register_fake("pcgen::chamfer", _chamfer_shape)
torch.library.register_fake("pcgen::chamfer_with_index", _with_index_shape)
torch.library.register_fake("pcgen::chamfer_backward", _backward_shape)
torch.library.register_fake("pcgen::nearest_matrix", _matrix_shape)
torch.library.register_autograd("pcgen::chamfer_with_index", _backward, setup_context=_save)
torch.library.register_autograd("pcgen::chamfer_backward", _double_backward)
for _name in ("chamfer", "chamfer_with_index", "chamfer_backward"):
    torch.library.register_vmap(f"pcgen::{_name}", _vmap.rule(getattr(_ops, _name)))
