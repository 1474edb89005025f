"""Meshes and clouds in the Object File Format, .off."""

import re
from array import array
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from pcgen.data.formats.lines import floats, lines, rest_of, shown, text_of, whole, wholes
from pcgen.data.polygons import polygon_mesh
from pcgen.data.source import Raw, named, read_bytes
from pcgen.data.surface import Ints, Mesh

__all__ = ["read_off"]

# Some files of ModelNet have the counts on the first line, directly after the magic word.
_MAGIC = re.compile(rb"(?:ST)?C?(N?)OFF")

Line = tuple[int, list[bytes]]


def read_off(path: Path, max_bytes: int) -> Mesh | Raw:
    """The mesh of a text .off file, or the cloud of one without faces, with the normals of an NOFF file.

    Faces of more than three sides are divided into triangles.

    Raises:
        ValueError: it is not a text .off file, or has fewer lines than it declares.
    """
    data = read_bytes(path, max_bytes)
    with named(path):
        return _read(text_of(data))


def _read(data: bytes) -> Mesh | Raw:
    rows = lines(data)
    number, words = next(rows, (0, [b""]))
    magic = _MAGIC.match(words[0])
    if magic is None:
        raise ValueError("does not begin with OFF; it is not a text .off file")
    glued = words[0][magic.end() :]
    vertices, faces, rows = _counts(chain([(number, [glued, *words[1:]] if glued else words[1:])], rows))
    width = 6 if magic[1] else 3
    table = array("d")
    for row in range(vertices):
        number, words = next(rows, (0, []))
        if not words:
            raise _short(vertices, faces, row)
        if len(words) < width:
            raise ValueError(f"line {number}: has {len(words)} numbers; a vertex has at least {width}")
        table.extend(floats(words[:width], number))
    values = np.array(table).reshape(vertices, width)
    sides, corners = _faces(rows, vertices, faces)
    notes = rest_of(sum(1 for _ in rows), "lines")
    if not faces:
        return Raw(values[:, :3], values[:, 3:] if magic[1] else None, notes=notes)
    mesh = polygon_mesh(values[:, :3], sides, corners)
    return replace(mesh, notes=(*mesh.notes, *notes))


def _short(vertices: int, faces: int, found: int) -> ValueError:
    return ValueError(f"declares {vertices} vertices and {faces} faces and has {found} lines of them; it is cut short")


def _counts(rows: Iterator[Line]) -> tuple[int, int, Iterator[Line]]:
    """Numbers of vertices and faces, and the rows after them; the number of edges may be missing."""
    counts: list[int] = []
    for number, words in rows:
        # A line with one number after these two is the number of edges, since a vertex has three numbers.
        if len(counts) >= 2 and not (len(counts) == 2 and len(words) == 1):
            return counts[0], counts[1], chain([(number, words)], rows)
        counts += wholes(words, number)
        if min(counts, default=0) < 0 or len(counts) > 3:
            told = shown(b" ".join(words))
            raise ValueError(f"line {number}: must be the numbers of vertices, faces and edges, got {told}")
    if len(counts) < 2:
        raise ValueError("ends before the numbers of its vertices and faces; the file is cut short")
    return counts[0], counts[1], rows


def _faces(rows: Iterator[Line], vertices: int, faces: int) -> tuple[Ints, Ints]:
    """Numbers of corners, and the corners, from lines of both; colours after them are ignored."""
    sides, corners = array("q"), array("q")
    for face in range(faces):
        number, words = next(rows, (0, []))
        if not words:
            raise _short(vertices, faces, vertices + face)
        count = whole(words[0], number)
        if count < 0 or count > len(words) - 1:
            raise ValueError(f"line {number}: face {face} declares {count} corners and has {len(words) - 1}")
        corners.extend(wholes(words[1 : count + 1], number))
        sides.append(count)
    return np.array(sides, dtype=np.int64), np.array(corners, dtype=np.int64)
