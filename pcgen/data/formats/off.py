"""Meshes in the Object File Format, .off."""

import re
from pathlib import Path

import numpy as np

from pcgen.data.source import read_bytes
from pcgen.data.surface import Mesh, triangulate

__all__ = ["read_off"]

# ModelNet writes some files with the counts on the first line, glued to the magic word.
_MAGIC = re.compile(r"^(?:ST|C|N)*OFF")


def read_off(path: Path, max_bytes: int) -> Mesh:
    """The mesh of a text .off file; faces of more than three sides are cut into fans of triangles.

    Raises:
        ValueError: it is no text .off file, or has fewer lines than it declares.
    """
    text = read_bytes(path, max_bytes).decode("utf-8", errors="replace")
    lines = [line for line in (line.partition("#")[0].strip() for line in text.splitlines()) if line]
    magic = _MAGIC.match(lines[0]) if lines else None
    if not lines or not magic:
        raise ValueError(f"{path}: does not begin with OFF; it is no text .off file")
    rest = lines[0][magic.end() :].strip()
    lines = ([rest] if rest else []) + lines[1:]
    try:
        vertices, faces = (int(word) for word in lines[0].split()[:2])
        body = lines[1 : 1 + vertices + faces]
        if min(vertices, faces) < 0 or len(body) < vertices + faces:
            raise ValueError(
                f"declares {vertices} vertices and {faces} faces and has {len(body)} lines of them; it is cut short"
            )
        points = np.array([line.split()[:3] for line in body[:vertices]], dtype=np.float64).reshape(vertices, 3)
        words = [[int(word) for word in line.split()[: 1 + int(line.split(maxsplit=1)[0])]] for line in body[vertices:]]
    except (ValueError, IndexError) as error:
        raise ValueError(f"{path}: {error}; write the file again") from None
    for number, face in enumerate(words):
        if len(face) != face[0] + 1:
            raise ValueError(f"{path}: face {number} declares {face[0]} corners and has {len(face) - 1}")
    try:
        corners = np.array([corner for face in words for corner in face[1:]], dtype=np.int64)
        return Mesh(points, triangulate(np.array([face[0] for face in words], dtype=np.int64), corners))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
