"""Checks of the metrics' arguments."""

import torch
from torch import Tensor

__all__ = ["check_clouds", "check_distances", "check_matrix", "check_shape", "least"]


def check_matrix(
    matrix: Tensor, name: str, rows: int | None = None, columns: int | None = None, *, sparse: bool = False
) -> Tensor:
    """Return a distance matrix as float64, or raise a ValueError that says what it must be.

    With `sparse`, entries may be infinite: distances that are not needed and were not computed.
    """
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"{name}: must be a matrix with rows and columns, got shape {tuple(matrix.shape)}")
    for axis, (asked, word) in enumerate(((rows, "rows"), (columns, "columns"))):
        if asked is not None and matrix.shape[axis] != asked:
            raise ValueError(
                f"{name}: must have {asked} {word} to fit the other matrices, got shape {tuple(matrix.shape)}; "
                "are two arguments swapped, or is one transposed?"
            )
    matrix = matrix.detach().double()
    bad = ~matrix.isfinite()
    if sparse:
        bad &= matrix != torch.inf
    if bad.any():
        raise ValueError(f"{name}: must be finite, got {int(bad.sum())} entries that are not")
    return matrix


def check_distances(values: Tensor, name: str, count: int | None = None) -> Tensor:
    """Return one finite number for each cloud, (S,), as float64 on the CPU, or raise a ValueError."""
    if values.ndim != 1 or not len(values):
        raise ValueError(f"{name}: must be a number for each cloud, (S,), got shape {tuple(values.shape)}")
    if count is not None and len(values) != count:
        raise ValueError(f"{name}: must be a number for each of {count} clouds, got {len(values)}")
    values = values.detach().double().cpu()
    if not values.isfinite().all():
        raise ValueError(f"{name}: must be finite, got {int((~values.isfinite()).sum())} entries that are not")
    return values


def least(matrix: Tensor, dim: int, name: str) -> Tensor:
    """The least entry of each column (dim 0) or row (dim 1); a ValueError if all entries of one are infinite."""
    values = matrix.amin(dim)
    if not values.isfinite().all():
        word = ("column", "row")[dim]
        raise ValueError(f"{name}: must have a finite distance in every {word}, {int(values.isinf().sum())} have none")
    return values


def check_shape(points: Tensor, name: str) -> Tensor:
    """Return a set of clouds (S, N, 3), finite or not, or raise a ValueError that says what it must be."""
    if points.ndim != 3 or points.shape[-1] != 3 or 0 in points.shape:
        raise ValueError(f"{name}: must be a set of clouds (S, N, 3) with none empty, got shape {tuple(points.shape)}")
    if not points.is_floating_point():
        raise ValueError(f"{name}: must be floating point, got {points.dtype}; pass {name}.float()")
    return points


def check_clouds(points: Tensor, name: str) -> Tensor:
    """Return a set of finite clouds (S, N, 3), or raise a ValueError that says what it must be."""
    check_shape(points, name)
    bad = (~points.isfinite()).flatten(1).any(1).nonzero().flatten().tolist()
    if bad:
        shown = ", ".join(map(str, bad[:8])) + (", ..." if len(bad) > 8 else "")
        raise ValueError(f"{name}: must be finite, got NaN or infinity in {len(bad)} of {len(points)} clouds ({shown})")
    return points
