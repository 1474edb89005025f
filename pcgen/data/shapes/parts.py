"""Closed solids as parts of shapes, with their triangles and a test of which points are inside."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pcgen.data.surface import cross

__all__ = ["Part", "bar", "beam", "box", "extrude", "hull", "lathe", "rotation", "tube"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

MARGIN = 1e-6  # minimum depth of a point that counts as inside; the surface itself is outside


@dataclass(frozen=True)
class Part:
    """A closed solid: triangles that face outwards, and `inside(points) -> mask` for points (n, 3)."""

    vertices: Floats  # (V, 3)
    faces: Ints  # (F, 3)
    inside: Callable[[Floats], Mask]

    def turn(self, matrix: Floats) -> "Part":
        """The part rotated about the origin by a rotation matrix (3, 3)."""
        return Part(self.vertices @ matrix.T, self.faces, lambda points: self.inside(points @ matrix))

    def move(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> "Part":
        """The part shifted."""
        offset = np.array([x, y, z])
        return Part(self.vertices + offset, self.faces, lambda points: self.inside(points - offset))

    def stretch(self, x: float = 1.0, y: float = 1.0, z: float = 1.0) -> "Part":
        """The part scaled along each axis by a positive factor, about the origin."""
        factors = np.array([x, y, z])
        return Part(self.vertices * factors, self.faces, lambda points: self.inside(points / factors))


def rotation(axis: str, degrees: float) -> Floats:
    """The rotation matrix (3, 3) about the axis x, y or z, by the right-hand rule."""
    a = "xyz".index(axis)
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(3)
    b, c = (a + 1) % 3, (a + 2) % 3
    matrix[b, b], matrix[b, c], matrix[c, b], matrix[c, c] = cosine, -sine, sine, cosine
    return matrix


def _convex(vertices: Floats, faces: Ints) -> Part:
    first = vertices[faces[:, 0]]
    normals = cross(vertices[faces[:, 1]] - first, vertices[faces[:, 2]] - first)
    lengths = np.sqrt((normals**2).sum(1))
    solid = lengths > 0
    planes = normals[solid] / lengths[solid, None]
    offsets = (planes * first[solid]).sum(1)[:, None] - MARGIN
    return Part(vertices, faces, lambda points: (planes @ points.T < offsets).all(0))


@cache
def _skin(rings: int, sides: int, closed: bool = False) -> Ints:
    """Faces of a stack of rings of `sides` vertices each; both ends are capped, or the last ring joins the first."""
    row, column = np.meshgrid(np.arange(rings if closed else rings - 1), np.arange(sides), indexing="ij")
    right, above = (column + 1) % sides, (row + 1) % rings
    a, b = row * sides + column, row * sides + right
    c, d = above * sides + column, above * sides + right
    wall = np.stack([np.stack([a, c, b], -1), np.stack([b, c, d], -1)], 2).reshape(-1, 3)
    if closed:
        return wall
    i = np.arange(1, sides - 1)
    bottom = np.stack([np.zeros_like(i), i, i + 1], -1)
    top = (rings - 1) * sides + bottom[:, ::-1]
    return np.concatenate([wall, bottom, top])


def hull(bottom: ArrayLike, top: ArrayLike) -> Part:
    """The solid between two convex polygons (k, 3) each, k corners joined to k corners; it must be convex.

    The corners run the same way round in both: counter-clockwise as seen from beyond `bottom`.
    """
    lower, upper = np.asarray(bottom, dtype=np.float64), np.asarray(top, dtype=np.float64)
    return _convex(np.concatenate([lower, upper]), _skin(2, len(lower)))


def box(low: Sequence[float], high: Sequence[float], top: float | tuple[float, float] = 1.0) -> Part:
    """A box from corner to corner; the x and z sizes of its upper face (+y) are `top` times those of the lower face."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    sx, sz = (top, top) if isinstance(top, int | float) else top
    middle = np.array([(x0 + x1) / 2, (z0 + z1) / 2])
    plan = np.array([[x0, z0], [x1, z0], [x1, z1], [x0, z1]])
    roof = middle + (plan - middle) * np.array([sx, sz])
    lower = np.insert(plan, 1, y0, axis=1)
    return hull(lower, np.insert(roof, 1, y1, axis=1))


def _frame(direction: Floats) -> tuple[Floats, Floats]:
    """Two unit vectors orthogonal to a direction, right-handed with it."""
    helper = np.eye(3)[np.abs(direction).argmin()]
    across = cross(direction, helper)
    across /= np.linalg.norm(across)
    return across, cross(direction, across)


def bar(start: ArrayLike, end: ArrayLike, radius: float, end_radius: float | None = None, sides: int = 16) -> Part:
    """A round bar (a cylinder or a truncated cone) between two points; `sides=4` makes it square."""
    a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    direction = (b - a) / np.linalg.norm(b - a)
    across, other = _frame(direction)
    # Corners are on the diagonals, so that a square bar is parallel to the axes.
    angle = (np.arange(sides) + 0.5) * (-2 * np.pi / sides)
    ring = np.cos(angle)[:, None] * across + np.sin(angle)[:, None] * other
    return hull(a + radius * ring, b + (radius if end_radius is None else end_radius) * ring)


def beam(start: ArrayLike, end: ArrayLike, width: float, height: float, up: Sequence[float] = (0.0, 1.0, 0.0)) -> Part:
    """A plank between two points: `width` across, `height` in the direction nearest to `up`."""
    a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    across = cross(b - a, np.asarray(up, dtype=np.float64))
    across /= np.linalg.norm(across)
    rise = cross(across, b - a)
    rise /= np.linalg.norm(rise)
    across, rise = across * width / 2, rise * height / 2
    ring = np.stack([-across - rise, across - rise, across + rise, -across + rise])
    return hull(a + ring, b + ring)


def _polygon_inside(outline: Floats) -> Callable[[Floats], Mask]:
    """A test by crossings of whether points (n, 2) are in a polygon (k, 2), at least the margin from its edges."""
    edge = np.roll(outline, -1, axis=0) - outline
    squared = (edge**2).sum(1)
    outline, edge, squared = outline[squared > 0], edge[squared > 0], squared[squared > 0]
    end = outline[:, 1] + edge[:, 1]
    slope = edge[:, 0] / np.where(edge[:, 1] == 0, 1, edge[:, 1])

    def inside(points: Floats) -> Mask:
        u, v = points[:, :1], points[:, 1:]
        crosses = (outline[:, 1] > v) != (end > v)
        right = u < outline[:, 0] + (v - outline[:, 1]) * slope
        odd = (crosses & right).sum(1) % 2 == 1
        along = np.clip(((u - outline[:, 0]) * edge[:, 0] + (v - outline[:, 1]) * edge[:, 1]) / squared, 0, 1)
        distance = np.hypot(u - outline[:, 0] - along * edge[:, 0], v - outline[:, 1] - along * edge[:, 1])
        mask: Mask = odd & (distance > MARGIN).all(1)
        return mask

    return inside


def lathe(profile: ArrayLike, sides: int = 32, closed: bool = False) -> Part:
    """The solid of revolution of a profile of (radius, y) points, (k, 2), radii positive, about the y axis.

    The order of the profile is that of a cup: up the outer wall from the foot, over the lip, down the inner wall to the
    floor. Flat discs at its first and last points close the solid. If `closed`, the last point is joined to the first
    instead, and the solid has a hole, like a lampshade.
    """
    outline = np.asarray(profile, dtype=np.float64)
    angle = np.arange(sides) * (2 * np.pi / sides)
    circle = np.stack([np.cos(angle), np.zeros(sides), np.sin(angle)], -1)
    vertices = outline[:, None, :1] * circle + outline[:, None, 1:] * np.array([0.0, 1.0, 0.0])
    vertices = vertices.reshape(-1, 3)
    if not closed:  # far beyond the axis, which is not a surface
        outline = np.concatenate([[[-1, outline[0, 1]]], outline, [[-1, outline[-1, 1]]]])
    test = _polygon_inside(outline)
    # The walls are flat between the vertices, where they are nearer to the axis than the circle by this factor.
    chord = np.cos(np.pi / sides)

    def inside(points: Floats) -> Mask:
        radius = np.hypot(points[:, 0], points[:, 2])
        return test(np.stack([radius / chord, points[:, 1]], -1)) & test(np.stack([radius, points[:, 1]], -1))

    return Part(vertices, _skin(len(vertices) // sides, sides, closed), inside)


def tube(path: ArrayLike, radius: float, flat: float = 1.0, sides: int = 12) -> Part:
    """A bent round bar along a path (k, 3) in a plane z = const; along z its radius is multiplied by `flat`."""
    line = np.asarray(path, dtype=np.float64)
    tangent = np.gradient(line, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    across = np.stack([-tangent[:, 1], tangent[:, 0], np.zeros(len(line))], -1)
    angle = np.arange(sides) * (-2 * np.pi / sides)
    ring = np.cos(angle)[:, None] * across[:, None] + np.sin(angle)[:, None] * np.array([0.0, 0.0, flat])
    vertices = (line[:, None] + radius * ring).reshape(-1, 3)
    squeeze = np.array([1.0, 1.0, 1 / flat])
    start, step = line[:-1] * squeeze, np.diff(line, axis=0) * squeeze

    def inside(points: Floats) -> Mask:
        offset = (points * squeeze)[:, None] - start  # (n, k-1, 3)
        along = (offset * step).sum(-1) / (step**2).sum(-1)
        gap = np.linalg.norm(offset - along.clip(0, 1)[..., None] * step, axis=-1)
        near = gap < radius * np.cos(np.pi / sides) - MARGIN
        # Bends are round; both ends are flat.
        near[:, 0] &= along[:, 0] > 0
        near[:, -1] &= along[:, -1] < 1
        mask: Mask = near.any(1)
        return mask

    return Part(vertices, _skin(len(line), sides), inside)


def extrude(outline: ArrayLike, low: float, high: float) -> Part:
    """A convex outline (k, 2) of (z, y) points, counter-clockwise with z right and y up, extruded along x."""
    plan = np.asarray(outline, dtype=np.float64)
    ring = np.stack([np.zeros(len(plan)), plan[:, 1], plan[:, 0]], -1)
    return hull(ring + np.array([low, 0, 0]), ring + np.array([high, 0, 0]))
