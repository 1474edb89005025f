"""Meshes in Wavefront's format, .obj: vertices and faces; objects and materials are ignored."""

from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pcgen.data.formats.lines import floats, shown, split_lines, text_of, wholes
from pcgen.data.polygons import polygon_mesh
from pcgen.data.source import Raw, named, read_bytes
from pcgen.data.surface import Mesh

__all__ = ["read_obj"]

_CURVED = (b"surf", b"bsp", b"bzp", b"cdp")  # free-form surfaces, and the patches of older versions
_READ = (b"v", b"f", b"fo", *_CURVED)  # fo is an older name of f


def read_obj(path: Path, max_bytes: int) -> Mesh | Raw:
    """The mesh of an .obj file, or the cloud of its vertices if it has no surface at all.

    Faces of more than three sides are divided into triangles. Material files are not opened.

    Raises:
        ValueError: a vertex or a face is not valid, there is no vertex, or there is a curved surface.
    """
    data = read_bytes(path, max_bytes)
    with named(path):
        return _read(text_of(data))


def _read(data: bytes) -> Mesh | Raw:
    vertices, sides, corners = array("d"), array("q"), array("q")
    for number, words in _statements(data):
        if words[0] == b"v":
            if len(words) < 4:
                raise ValueError(f"line {number}: {shown(b' '.join(words))} is not a vertex; write v x y z")
            vertices.extend(floats(words[1:4], number))
            continue
        if words[0] in _CURVED:
            told = words[0].decode()
            raise ValueError(
                f"line {number}: holds a curved surface ({told}), which is not supported; export triangles"
            )
        there = len(vertices) // 3
        face = wholes([word.partition(b"/")[0] for word in words[1:]], number)
        # Counted from 1, or backwards from the last vertex so far; 0 is not valid, and becomes -1, out of range.
        corners.extend([corner - 1 if corner >= 0 else there + corner for corner in face])
        sides.append(len(words) - 1)
    if not vertices:
        raise ValueError("has no vertices; it is empty or not an .obj file")
    points = np.array(vertices).reshape(-1, 3)
    if not sides:
        return Raw(points)
    return polygon_mesh(points, np.array(sides, dtype=np.int64), np.array(corners, dtype=np.int64))


def _statements(data: bytes) -> Iterator[tuple[int, list[bytes]]]:
    r"""The words of every vertex and face, with the number of its first line; a \ at the end of a line continues it."""
    begun: list[bytes] = []
    first = 0
    for number, line in enumerate(split_lines(data), start=1):
        text = line.partition(b"#")[0].rstrip()
        words = text.removesuffix(b"\\").split()
        if not begun:
            first = number
        begun += words
        if not begun or begun[0] not in _READ:
            begun = []  # names of materials and files may also end in \, but continue no vertex
        elif not text.endswith(b"\\"):
            yield first, begun
            begun = []
    if begun:
        raise ValueError(f"line {first}: {shown(b' '.join(begun))} continues on the next line, but there is none")
