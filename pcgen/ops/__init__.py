"""Distances and neighbours between clouds, computed by compiled kernels that are registered with torch."""

from pcgen.ops._library import build_info
from pcgen.ops.approxmatch import APPROXMATCH_CONVENTIONS, approxmatch, approxmatch_matrix
from pcgen.ops.bounds import emd_bounds, emd_lower_bound
from pcgen.ops.chamfer import chamfer, chamfer_matrix, nearest_means
from pcgen.ops.emd import Matching, emd, emd_matrix, match
from pcgen.ops.hausdorff import density_aware_chamfer, hausdorff
from pcgen.ops.nearest import Nearest, nearest
from pcgen.ops.neighbours import ball_query, farthest_points, knn
from pcgen.ops.taking import take_points
from pcgen.ops.transport import gromov_wasserstein, sinkhorn, sliced_wasserstein, wasserstein
from pcgen.ops.unbalanced import unbalanced

__all__ = [
    "APPROXMATCH_CONVENTIONS",
    "Matching",
    "Nearest",
    "approxmatch",
    "approxmatch_matrix",
    "ball_query",
    "build_info",
    "chamfer",
    "chamfer_matrix",
    "density_aware_chamfer",
    "emd",
    "emd_bounds",
    "emd_lower_bound",
    "emd_matrix",
    "farthest_points",
    "gromov_wasserstein",
    "hausdorff",
    "knn",
    "match",
    "nearest",
    "nearest_means",
    "sinkhorn",
    "sliced_wasserstein",
    "take_points",
    "unbalanced",
    "wasserstein",
]
