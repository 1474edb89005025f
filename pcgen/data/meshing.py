"""A mesh of a cloud, by Open3D."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pcgen.data.surface import Mesh
from pcgen.errors import choose

__all__ = ["METHODS", "mesh"]

METHODS = ("poisson", "ball_pivoting")

Floats = NDArray[np.float64]

_LEAST = 50  # minimum number of distinct points for a surface
_NEIGHBOURS = 16  # points for the local plane
_LEVELS = 2.0  # octree levels: where points are four times as far apart as usual, Poisson's surface is not reliable
_BALLS = (0.75, 1.5, 3.0)  # radii of the balls, relative to the distance to the fourth nearest point
_LINE = 1e-6  # a cloud whose width is a smaller share of its length is a line


def mesh(points: Tensor | Floats, method: str = "poisson", depth: int | None = None) -> Mesh:
    """Triangles of an estimated surface from which a cloud's points were sampled.

    - "poisson" fits a smooth function whose level set is the surface. It closes gaps, also those of the shape: an
      open cup may get a lid, and a plate without thickness has no surface. Parts far from all points are removed
      afterwards. Edges become round.
    - "ball_pivoting" makes triangles of the points themselves, where a rolling ball touches three of them. Open
      surfaces remain open, sparse regions have holes, and noise makes the surface rough.

    The orientation of normals is propagated between neighbouring points (Hoppe et al.); at the topmost point of a
    connected part, the normal points up. Both methods need points that are much closer to each other than the two sides
    of the shape. If a part is as thin as the distance between points, such as a chair's legs in 2,048 points, its sides
    are confused, and parts are lost or merged. It does not help to sample more points from a head than its autoencoder
    has, since they are between the other points.

    Args:
        points: (N, 3), y up, in any unit.
        method: one of `METHODS`.
        depth: of Poisson's octree, with 2^depth cells along the cloud; by default it depends on the number of points.

    Returns:
        Vertices in the points' unit, and triangles, counter-clockwise seen from outside.

    Raises:
        ValueError: points that are not (N, 3), a coordinate that is not finite, fewer than 50 different points, points
            on a line, an unknown method, a depth outside 2 to 12 or with ball pivoting, or no triangle was found.
        OSError: Open3D cannot be imported.

    References:
        Kazhdan, Hoppe (2013). Screened Poisson Surface Reconstruction.
        Bernardini, Mittleman, Rushmeier, Silva, Taubin (1999). The Ball-Pivoting Algorithm for Surface Reconstruction.
        Hoppe, DeRose, Duchamp, McDonald, Stuetzle (1992). Surface Reconstruction from Unorganized Points.
    """
    choose(method, METHODS, "method")
    if depth is not None and (method != "poisson" or not 2 <= depth <= 12):
        raise ValueError(f"depth: must be 2 to 12, and for poisson only, got {depth} for {method}; leave it out")
    cloud = _checked(points)
    o3d = _open3d()
    middle, size = cloud.mean(axis=0), float(np.abs(cloud - cloud.mean(axis=0)).max())
    own = (cloud - middle) / size
    distances, near = _neighbours(own)
    given = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(own))
    given.normals = o3d.utility.Vector3dVector(_oriented(own, _normals(own, near), near))
    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        if method == "poisson":
            made = _poisson(o3d, given, depth or _depth(len(own)))
        else:
            made = _pivoted(o3d, given, float(np.median(distances[:, 3])))
    vertices, faces = np.asarray(made.vertices), np.asarray(made.triangles)
    if not len(faces):
        raise ValueError(
            f"points: {method} made no triangle of {len(own)} points; use more points, or the other method"
        )
    return Mesh(vertices * size + middle, faces.astype(np.int64))


def _checked(points: Tensor | Floats) -> Floats:
    """The different points, (M, 3), checked."""
    array = points.detach().cpu().numpy() if isinstance(points, Tensor) else np.asarray(points)
    if array.ndim != 2 or array.shape[1] != 3:
        raise ValueError(f"points: must be one cloud, (N, 3), got {array.shape}")
    if bad := int((~np.isfinite(array)).any(axis=1).sum()):
        raise ValueError(
            f"points: must be finite, got NaN or infinity in {bad} of {len(array)}; leave these points out"
        )
    distinct = np.unique(array.astype(np.float64), axis=0)
    if len(distinct) < _LEAST:
        raise ValueError(
            f"points: must be {_LEAST} or more different ones to have a surface, got {len(distinct)} among "
            f"{len(array)}; take more points"
        )
    lengths = np.linalg.svd(distinct - distinct.mean(axis=0), compute_uv=False)
    if lengths[1] <= _LINE * lengths[0]:
        raise ValueError("points: all lie on a line, which has no surface")
    return distinct


def _open3d() -> Any:
    try:
        import open3d
    except (ImportError, OSError) as error:
        raise OSError(
            f"mesh: is made by Open3D, which cannot be imported here ({error}); pip install open3d, and on Linux "
            "apt-get install libusb-1.0-0 libgl1"
        ) from error
    return open3d


def _depth(count: int) -> int:
    """A depth with cells half as wide as the distance between points: 7 for 2,000 points, 10 for 100,000."""
    return int(np.clip(np.ceil(np.log2(count) / 2) + 1, 5, 10))


def _neighbours(points: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Distances and indices of the nearest other points, (N, k) each."""
    from scipy.spatial import KDTree

    distances, near = KDTree(points).query(points, _NEIGHBOURS + 1)
    return distances[:, 1:], near[:, 1:].astype(np.int64)


def _normals(points: Floats, near: NDArray[np.int64]) -> Floats:
    """Unit normals of the planes that best fit each point's neighbours, (N, 3), not oriented."""
    patch = np.concatenate([points[:, None], points[near]], axis=1)  # (N, k + 1, 3)
    patch = patch - patch.mean(axis=1, keepdims=True)
    _, axes = np.linalg.eigh(np.einsum("nki,nkj->nij", patch, patch))
    return np.asarray(axes[:, :, 0])  # the axis of least variance


def _oriented(points: Floats, normals: Floats, near: NDArray[np.int64]) -> Floats:
    """Oriented normals: signs are propagated along a minimum spanning tree of neighbours (Hoppe et al.)."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

    count, k = near.shape
    begin, end = np.repeat(np.arange(count), k), near.ravel()
    differ = 1 - np.abs((normals[begin] * normals[end]).sum(axis=1))
    graph = csr_array((differ + 1e-6, (begin, end)), shape=(count, count))  # 0 would be no edge
    tree = minimum_spanning_tree(graph)
    parts, part_of = connected_components(tree, directed=False)
    out = normals.copy()
    for part in range(parts):
        members = np.flatnonzero(part_of == part)
        top = members[points[members, 1].argmax()]
        if out[top, 1] < 0:
            out[top] *= -1
        order, before = breadth_first_order(tree, top, directed=False)
        for place in order[1:]:
            if out[place] @ out[before[place]] < 0:
                out[place] *= -1
    return out


def _poisson(o3d: Any, given: Any, depth: int) -> Any:
    """Poisson's surface, without parts far from all points."""
    made, densities = o3d.geometry.TriangleMesh.create_from_point_cloud_poisson(given, depth=depth, n_threads=1)
    levels = np.asarray(densities)
    if len(levels):
        made.remove_vertices_by_mask(levels < np.median(levels) - _LEVELS)
    return made


def _pivoted(o3d: Any, given: Any, spacing: float) -> Any:
    radii = o3d.utility.DoubleVector([ball * spacing for ball in _BALLS])
    return o3d.geometry.TriangleMesh.create_from_point_cloud_ball_pivoting(given, radii)
