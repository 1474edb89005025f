"""Balls of triangles, with the light in the colours of their vertices: every engine shows the same light."""

from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pcgen.view.colors import lit
from pcgen.view.inputs import Array

__all__ = ["Triangles", "balls", "icosphere", "mesh_of_balls"]

Triangles: TypeAlias = npt.NDArray[np.int32]


def icosphere(level: int) -> tuple[Array, Triangles]:
    """Vertices on the unit sphere (10 * 4**level + 2, 3) and outward triangles (20 * 4**level, 3)."""
    golden = (1 + 5**0.5) / 2
    vertices = np.array([[0, s, t * golden] for s in (-1, 1) for t in (-1, 1)])
    vertices = np.concatenate([np.roll(vertices, k, axis=1) for k in range(3)])
    vertices /= np.linalg.norm(vertices, axis=1, keepdims=True)
    # The faces of the icosahedron are its triples of mutual neighbours.
    near = vertices @ vertices.T > 0.4
    triples = [(i, j, k) for i, j, k in combinations(range(12), 3) if near[i, j] and near[j, k] and near[i, k]]
    triangles = np.array(triples)
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    inward = (np.cross(b - a, c - a) * a).sum(axis=1) < 0
    triangles[inward] = triangles[inward][:, ::-1]
    for _ in range(level):
        edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
        unique, place = np.unique(edges, axis=0, return_inverse=True)
        middles = vertices[unique].sum(axis=1)
        ab, bc, ca = np.split(place.reshape(-1) + len(vertices), 3)
        vertices = np.concatenate([vertices, middles / np.linalg.norm(middles, axis=1, keepdims=True)])
        i, j, k = triangles.T
        corners = [(i, ab, ca), (j, bc, ab), (k, ca, bc), (ab, bc, ca)]
        triangles = np.concatenate([np.stack(corner, axis=1) for corner in corners])
    return vertices, triangles.astype(np.int32)


def balls(points: Array, colors: Array, radius: float, level: int) -> tuple[Array, Array, Triangles]:
    """One lit ball for each point: vertices (N * V, 3), their colours (N * V, 3) and triangles (N * F, 3)."""
    vertices, triangles = icosphere(level)
    factor, gloss = lit(vertices)
    positions = points[:, None] + radius * vertices  # (N, V, 3)
    shades = np.clip(colors[:, None] * factor[:, None] + gloss[:, None], 0.0, 1.0)  # (N, V, 3)
    faces = triangles + len(vertices) * np.arange(len(points), dtype=np.int32)[:, None, None]  # (N, F, 3)
    return positions.reshape(-1, 3), shades.reshape(-1, 3), faces.reshape(-1, 3)


def mesh_of_balls(points: Array, colors: Array, radius: float, level: int) -> Any:
    """The `balls` as one Open3D mesh."""
    import open3d as o3d

    vertices, shades, triangles = balls(points, colors, radius, level)
    mesh = o3d.geometry.TriangleMesh(o3d.utility.Vector3dVector(vertices), o3d.utility.Vector3iVector(triangles))
    mesh.vertex_colors = o3d.utility.Vector3dVector(shades)
    return mesh
