"""Meshes of polygons, which need not be convex, as meshes of triangles."""

import numpy as np
from mapbox_earcut import triangulate_float64

from pcgen.data.surface import Floats, Ints, Mesh, cross, triangulate

__all__ = ["polygon_mesh"]

_SHARE = 1e-6  # of a polygon's area: smaller triangles may be opposed to it because of rounding


def polygon_mesh(vertices: Floats, sides: Ints, corners: Ints) -> Mesh:
    """The triangles of planar polygons, from vertices (V, 3), and sides (P,) and corners (sum,) as for `triangulate`.

    Convex polygons become fans (`triangulate`). If a triangle of a fan is opposed to the polygon's normal, which is
    Newell's, the sum of the fan's, the polygon is not convex, and is divided by earcut. Of polygons that cross
    themselves the fans are kept, with a note.

    Raises:
        ValueError: a polygon has fewer than three corners.
    """
    triangles = triangulate(sides, corners)
    if not (sides > 3).any() or corners.min() < 0 or corners.max() >= len(vertices):
        return Mesh(vertices, triangles)  # a missing vertex is reported with the triangle that names it
    ends, triangle_ends = np.cumsum(sides), np.cumsum(sides - 2)
    left: list[int] = []  # polygons that cannot be divided
    for face, normal in _not_convex(vertices, sides, triangles):
        own = corners[ends[face] - sides[face] : ends[face]]
        ears = _ears(_flat(vertices[own], normal)) if normal.any() else None
        if ears is None:
            left.append(face)
        else:
            triangles[triangle_ends[face] - len(ears) : triangle_ends[face]] = own[ears]
    if not left:
        return Mesh(vertices, triangles)
    note = (
        f"{len(left)} of {len(sides)} faces, such as face {left[0]}, cross themselves: their points may lie beside the "
        "surface"
    )
    return Mesh(vertices, triangles, (note,))


def _not_convex(vertices: Floats, sides: Ints, triangles: Ints) -> list[tuple[int, Floats]]:
    """Each polygon with a triangle of its fan that is opposed to it, and its unit normal; 0 if it has none."""
    large = np.flatnonzero(sides > 3)
    count = sides[large] - 2
    first = np.cumsum(count) - count
    corners = vertices[triangles[np.repeat(sides > 3, sides - 2)]]  # (T, 3, 3)
    with np.errstate(over="ignore", invalid="ignore"):  # coordinates that are not finite are reported by the surface
        areas = cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals = np.add.reduceat(areas, first)  # (P, 3)
        least = _SHARE * np.add.reduceat(np.linalg.norm(areas, axis=1), first)
        length = np.linalg.norm(normals, axis=1)
        unit = normals / np.where(length > least, length, np.inf)[:, None]
        opposed = np.minimum.reduceat((areas * np.repeat(unit, count, axis=0)).sum(1), first) < -least
        found = np.flatnonzero(opposed | ((length <= least) & (least > 0)))
    return [(int(large[row]), unit[row]) for row in found]


def _flat(polygon: Floats, normal: Floats) -> Floats:
    """The polygon (n, 3) in the plane of its normal, (n, 2), counter-clockwise and of size 1."""
    across = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
    across /= np.linalg.norm(across)
    flat = (polygon - polygon[0]) @ np.stack([across, np.cross(normal, across)], axis=1)
    sized: Floats = flat / np.abs(flat).max()
    return sized


def _ears(flat: Floats) -> Ints | None:
    """The triangles (n - 2, 3) of a polygon in a plane, (n, 2), counter-clockwise; None if it crosses itself.

    Where corners on a straight side are not needed, there are triangles without an area in the place of theirs.
    """
    count = len(flat)
    found = triangulate_float64(flat, np.array([count], dtype=np.uint32)).astype(np.int64).reshape(-1, 3)[: count - 2]
    after = np.roll(flat, -1, axis=0)
    doubled = float((flat[:, 0] * after[:, 1] - flat[:, 1] * after[:, 0]).sum())
    first, second, third = (flat[found[:, corner]] for corner in range(3))
    one, other = second - first, third - first
    areas = np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0])
    if abs(areas.sum() - doubled) > _SHARE * doubled:
        return None
    return np.concatenate([found, np.zeros((count - 2 - len(found), 3), dtype=np.int64)])
