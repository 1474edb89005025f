"""The built-in shapes: parametric families of closed solids, any number of each, determined by (family, index, seed).

Shapes are y up and face +z. Their bounding box is centred at the origin and has diagonal 1, so they are in the ball of
radius 1/2.
"""

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from pcgen.data.shapes.airplane import Airplane
from pcgen.data.shapes.car import Car
from pcgen.data.shapes.chair import Chair
from pcgen.data.shapes.draw import Draw
from pcgen.data.shapes.lamp import Lamp
from pcgen.data.shapes.mug import Mug
from pcgen.data.shapes.parts import Part
from pcgen.data.shapes.table import Table
from pcgen.data.surface import Mesh, Surface
from pcgen.errors import choose
from pcgen.seeds import stream

if TYPE_CHECKING:
    import trimesh

__all__ = ["FAMILIES", "cloud", "mesh", "shape", "split", "vertices"]

Floats = NDArray[np.float64]


class Family(Protocol):
    """The parameters of one shape; a frozen dataclass with at least ten fields."""

    @classmethod
    def draw(cls, draw: Draw) -> "Family":
        """Random parameters."""
        ...

    def parts(self) -> list[Part]:
        """The solids of the shape; they may overlap."""
        ...


FAMILIES: dict[str, type[Family]] = {
    "chair": Chair,
    "table": Table,
    "airplane": Airplane,
    "car": Car,
    "lamp": Lamp,
    "mug": Mug,
}

_EXTRA = 1.2  # points sampled for each missing point, since those inside another part are dropped


def shape(family: str, index: int, seed: int = 0) -> Family:
    """The parameters of shape number `index` of a family.

    Raises:
        ValueError: the family is unknown.
    """
    kind = FAMILIES[choose(family, FAMILIES, "family")]
    return kind.draw(Draw(stream("shape", family, index, seed)))


def split(index: int) -> str:
    """The split of shape number `index`: of every twenty, 17 are train, 1 is val and 2 are test."""
    return {1: "val", 2: "test", 12: "test"}.get(index % 20, "train")


def _placed(parts: list[Part]) -> tuple[Mesh, Floats, float]:
    """All triangles of the parts, and the offset and the scale factor that normalise the shape."""
    starts = np.cumsum([0] + [len(part.vertices) for part in parts[:-1]])
    vertices = np.concatenate([part.vertices for part in parts])
    faces = np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=True)])
    low, high = vertices.min(0), vertices.max(0)
    return Mesh(vertices, faces), (low + high) / 2, float(1 / np.linalg.norm(high - low))


def mesh(family: str, index: int, seed: int = 0) -> "trimesh.Trimesh":
    """Shape number `index` of a family as closed triangle meshes, which may overlap.

    Raises:
        ValueError: the family is unknown.
    """
    import trimesh

    whole, centre, factor = _placed(shape(family, index, seed).parts())
    return trimesh.Trimesh((whole.vertices - centre) * factor, whole.faces)


def vertices(family: str, index: int, seed: int = 0) -> Floats:
    """The vertices of shape number `index`'s meshes, (V, 3).

    Raises:
        ValueError: the family is unknown.
    """
    whole, centre, factor = _placed(shape(family, index, seed).parts())
    return (whole.vertices - centre) * factor


def cloud(family: str, index: int, points: int, seed: int = 0) -> tuple[Floats, Floats]:
    """Points sampled uniformly by area on the outside of shape number `index`, (points, 3), and their unit normals.

    Points of one part that are inside another are sampled again.

    Raises:
        ValueError: the family is unknown.
    """
    parts = shape(family, index, seed).parts()
    whole, centre, factor = _placed(parts)
    surface, generator = Surface(whole), stream("surface", family, index, seed)
    owner = np.repeat(np.arange(len(parts)), [len(part.faces) for part in parts])
    kept: list[tuple[Floats, Floats]] = []
    missing, share = points, 1.0
    while missing > 0:
        drawn, normals, face = surface.sample(int(_EXTRA * missing / share) + 16, generator)
        outside = ~_buried(parts, drawn, owner[face])
        kept.append((drawn[outside], normals[outside]))
        missing, share = missing - int(outside.sum()), max(float(outside.mean()), 0.1)
    drawn, normals = (np.concatenate(some)[:points] for some in zip(*kept, strict=True))
    return (drawn - centre) * factor, normals


def _buried(parts: list[Part], points: Floats, owner: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which points are inside a part other than their own."""
    buried = np.zeros(len(points), dtype=np.bool_)
    columns = np.ascontiguousarray(points.T)
    for number, part in enumerate(parts):
        near = (owner != number) & ~buried
        for column, low, high in zip(columns, part.vertices.min(0), part.vertices.max(0), strict=True):
            near &= (column > low) & (column < high)
        rows = np.flatnonzero(near)
        if len(rows):
            buried[rows] = part.inside(points[rows])
    return buried
