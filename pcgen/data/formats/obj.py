"""Meshes in Wavefront's format, .obj: vertices and faces, whatever objects and materials they belong to."""

from pathlib import Path

import numpy as np

from pcgen.data.source import Raw, read_bytes
from pcgen.data.surface import Mesh, triangulate

__all__ = ["read_obj"]


def read_obj(path: Path, max_bytes: int) -> Mesh | Raw:
    """The mesh of an .obj file, or the cloud of its vertices if it has no faces at all.

    Faces of more than three sides are cut into fans of triangles. Material files are not opened.

    Raises:
        ValueError: a vertex or a face is none, or there is no vertex.
    """
    text = read_bytes(path, max_bytes).decode("utf-8", errors="replace").replace("\\\n", " ")
    vertices: list[list[float]] = []
    sides: list[int] = []
    corners: list[int] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words or words[0] not in ("v", "f"):
            continue
        try:
            if words[0] == "v":
                x, y, z = words[1:4]
                vertices.append([float(x), float(y), float(z)])
                continue
            face = [int(word.partition("/")[0]) for word in words[1:]]
        except ValueError:
            raise ValueError(f"{path}: line {number} is no vertex or face: {line.strip()[:80]!r}") from None
        # Counted from 1, or backwards from the last vertex so far; 0 is nothing, and stays outside as -1.
        corners += [corner - 1 if corner >= 0 else len(vertices) + corner for corner in face]
        sides.append(len(face))
    if not vertices:
        raise ValueError(f"{path}: has no vertices; it is no .obj file, or an empty one")
    points = np.array(vertices, dtype=np.float64)
    if not sides:
        return Raw(points)
    try:
        return Mesh(points, triangulate(np.array(sides, dtype=np.int64), np.array(corners, dtype=np.int64)))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
