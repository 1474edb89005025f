"""Distances from nearest points: the Hausdorff distance, and the density-aware Chamfer distance."""

import torch
from torch import Tensor

from pcgen.errors import positive
from pcgen.ops import _library
from pcgen.ops._checks import cloud_pairs
from pcgen.ops._scale import of_unit_size, without_overflow
from pcgen.ops._transforms import active, lengths, squares

__all__ = ["density_aware_chamfer", "hausdorff"]

_library.load()
_ops = torch.ops.pcgen


def hausdorff(x: Tensor, y: Tensor) -> Tensor:
    """Hausdorff distance of each pair of clouds: the largest distance of a point to the other cloud.

    d(x, y) = max( max over p in x of min over q in y of |p - q|,  max over q in y of min over p in x of |q - p| )

    In the clouds' unit, not squared. Only the points that attain the maximum have a gradient; several pairs that attain
    it share it equally. It is 0 if the clouds are equal.

    Args:
        x: (B, N, 3), float32 or float64.
        y: (B, M, 3), of the same type and device.

    Returns:
        (B,), of the clouds' type.

    Raises:
        ValueError: wrong shape, type or device, an empty cloud, or a coordinate that is not finite (on a GPU, the value
            of that pair is NaN instead).

    Hausdorff, 1914, Grundzüge der Mengenlehre.
    """
    x, y = cloud_pairs(x, y)
    _, x_to_y, y_to_x = _ops.chamfer_with_index(*_in_range(x.detach(), y.detach()))
    return torch.cat((lengths(x, y, x_to_y), lengths(y, x, y_to_x)), 1).amax(1).to(x.dtype)


def density_aware_chamfer(x: Tensor, y: Tensor, alpha: float = 1000.0) -> Tensor:
    """Density-aware Chamfer distance of each pair of clouds, in [0, 1].

    d(x, y) = (1/2) mean over p in x of (1 - exp(-alpha |p - q(p)|^2) / n(q(p)))  +  the same from y to x,

    where q(p) is the nearest point of y, and n(q) is the number of points of x whose nearest point is q. Distances in
    the exponential are squared, as in the authors' code, so the unit of alpha is one over the square of the clouds'
    unit. For the gradient, counts are constants. The value of equal clouds without repeated points is 0; the value of
    clouds of different sizes is never 0.

    Args:
        x: (B, N, 3), float32 or float64.
        y: (B, M, 3), of the same type and device.
        alpha: with a larger alpha, points must be nearer to each other to count; the authors use 1000 for clouds of
            unit size.

    Returns:
        (B,), of the clouds' type.

    Raises:
        ValueError: wrong shape, type or device, an empty cloud, a coordinate that is not finite (on a GPU, the value of
            that pair is NaN instead), alpha not positive or not finite.

    Wu, Pan, Zhang, Wang, Liu and Lin, 2021, Density-aware Chamfer Distance as a Comprehensive Metric for Point Cloud
    Completion.
    """
    positive(alpha=alpha)
    x, y = cloud_pairs(x, y)
    _, x_to_y, y_to_x = _ops.chamfer_with_index(x.detach(), y.detach())
    total = torch.zeros(len(x), dtype=x.dtype, device=x.device)
    for a, b, index in ((x, y, x_to_y), (y, x, y_to_x)):
        counts = torch.zeros(b.shape[:2], dtype=a.dtype, device=a.device)
        counts = counts.scatter_add(1, index, torch.ones_like(index, dtype=a.dtype))
        near = torch.exp(-alpha * _squares(a, b, index)) / counts.gather(1, index)  # (B, N)
        total = total + (1 - near).mean(1) / 2
    return total


def _in_range(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The clouds, or multiples of them, for the search of nearest points: their squares do not overflow."""
    if x.is_cuda or active() or torch.compiler.is_compiling():  # where values cannot be asked
        return of_unit_size(x, y)
    return without_overflow(x, y)[:2]


def _squares(a: Tensor, b: Tensor, index: Tensor) -> Tensor:
    return squares(a, b, index) + (0 * a).sum(2)  # as in the GPU's kernels, NaN for a point that is infinite
