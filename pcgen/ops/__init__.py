"""Distances and neighbours between clouds, computed by compiled kernels that are registered with torch."""

from pcgen.ops._library import build_info
from pcgen.ops.approxmatch import APPROXMATCH_CONVENTIONS, approxmatch, approxmatch_matrix
from pcgen.ops.chamfer import chamfer, chamfer_matrix, nearest_means
from pcgen.ops.emd import Matching, emd, emd_matrix, match
from pcgen.ops.neighbours import ball_query, farthest_points, knn

__all__ = [
    "APPROXMATCH_CONVENTIONS",
    "Matching",
    "approxmatch",
    "approxmatch_matrix",
    "ball_query",
    "build_info",
    "chamfer",
    "chamfer_matrix",
    "emd",
    "emd_matrix",
    "farthest_points",
    "knn",
    "match",
    "nearest_means",
]
