"""Distances and neighbours between clouds, computed by compiled kernels that are registered with torch."""

from pcgen.ops._library import build_info
from pcgen.ops.chamfer import chamfer, chamfer_matrix, nearest_means

__all__ = ["build_info", "chamfer", "chamfer_matrix", "nearest_means"]
