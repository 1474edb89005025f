"""Triangle meshes, and sampling of points on them uniformly by area."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pcgen.data.origin import Stored, stored

__all__ = ["Mesh", "Surface", "cross", "stored_corners", "triangulate"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Mesh:
    """Triangles as stored in a file, before any check."""

    vertices: Floats  # (V, 3)
    faces: Ints  # (F, 3)
    notes: tuple[str, ...] = ()  # parts of the file that may not be as it means them
    stored: Stored | None = None  # its coordinates in the file, if these are not float64


def stored_corners(vertices: NDArray[np.generic], corners: Ints) -> Stored | None:
    """The vertices (V, 3) of a file that corners name, in the file's type; None if they name none."""
    named = np.zeros(len(vertices), dtype=np.bool_)
    named[corners[(corners >= 0) & (corners < len(vertices))]] = True
    return stored(vertices[named]) if named.any() else None


def triangulate(sides: Ints, corners: Ints) -> Ints:
    """Triangles of convex polygons, (F, 3), from their numbers of sides, (P,), and corners one after another, (sum,).

    All triangles of a polygon share its first corner, so a polygon that is not convex is not covered correctly;
    `polygon_mesh` corrects that.

    Raises:
        ValueError: a polygon has fewer than three corners.

    >>> triangulate(np.array([4, 3]), np.array([7, 8, 9, 4, 0, 1, 2])).tolist()
    [[7, 8, 9], [7, 9, 4], [0, 1, 2]]
    """
    if len(sides) and sides.min() < 3:
        raise ValueError(f"face {int(sides.argmin())} has {int(sides.min())} corners; a face needs three")
    triangles = sides - 2
    first = np.repeat(np.cumsum(sides) - sides, triangles)
    within = np.arange(triangles.sum()) - np.repeat(np.cumsum(triangles) - triangles, triangles)
    return np.stack([corners[first], corners[first + within + 1], corners[first + within + 2]], axis=-1)


def cross(a: Floats, b: Floats) -> Floats:
    """Cross products of vectors (n, 3) or (3,); for few vectors, numpy.cross needs several times as long."""
    (ax, ay, az), (bx, by, bz) = a.T, b.T
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


class Surface:
    """A mesh prepared for sampling: the probability of a triangle is proportional to its area.

    Raises:
        ValueError: no faces, a face with a missing vertex, coordinates that are not finite, or no area.
    """

    def __init__(self, mesh: Mesh) -> None:
        vertices, faces = mesh.vertices, mesh.faces
        if len(faces) == 0:
            raise ValueError(f"has no faces ({len(vertices)} vertices): a mesh needs triangles to sample")
        if faces.min() < 0 or faces.max() >= len(vertices):
            bad = int(((faces < 0) | (faces >= len(vertices))).any(1).argmax())
            raise ValueError(
                f"face {bad} names vertices {faces[bad].tolist()}, but there are {len(vertices)}, counted from 0"
            )
        corners = vertices[faces]  # (F, 3, 3)
        if not np.isfinite(corners).all():
            raise ValueError("has faces whose coordinates are NaN or infinite")
        self.origin = corners[:, 0]
        self.edges = corners[:, 1:] - corners[:, :1]  # (F, 2, 3)
        normals = cross(self.edges[:, 0], self.edges[:, 1])
        doubled = np.linalg.norm(normals, axis=1)
        if not 0 < doubled.sum() < np.inf:
            raise ValueError(f"has no area: all {len(faces)} faces are points or lines")
        self.normals = normals / np.where(doubled > 0, doubled, 1)[:, None]
        self.cumulative = np.cumsum(doubled / doubled.sum())

    def sample(self, n: int, generator: torch.Generator) -> tuple[Floats, Floats, Ints]:
        """Sample n points, (n, 3), with the unit normals, (n, 3), and the indices, (n,), of their triangles."""
        which, u, v = torch.rand(3, n, generator=generator, dtype=torch.float64).numpy()
        face = np.searchsorted(self.cumulative, which * self.cumulative[-1], side="right")
        # A product that is rounded up to the whole sum would select a face after the last one with area.
        face = np.minimum(face, np.searchsorted(self.cumulative, self.cumulative[-1]))
        fold = u + v > 1  # the other half of the parallelogram, reflected onto the triangle
        u, v = np.where(fold, 1 - u, u), np.where(fold, 1 - v, v)
        points = self.origin[face] + u[:, None] * self.edges[face, 0] + v[:, None] * self.edges[face, 1]
        return points, self.normals[face], face
