"""Meshes in the stereolithography format, .stl, binary and text."""

from array import array
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pcgen.data.formats.lines import floats, lines, text_of, unmarked
from pcgen.data.origin import stored
from pcgen.data.source import named, read_bytes
from pcgen.data.surface import Mesh

__all__ = ["read_stl"]

_HEADER = 84  # 80 bytes of comment and the number of triangles
_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def read_stl(path: Path, max_bytes: int) -> Mesh:
    """The triangles of an .stl file; they share no vertices.

    Raises:
        ValueError: it is neither a complete binary nor a complete text .stl file.
    """
    data = read_bytes(path, max_bytes)
    with named(path):
        corners = _corners(data)
    vertices = corners.reshape(-1, 3)
    faces = np.arange(len(vertices)).reshape(-1, 3)
    return Mesh(vertices.astype(np.float64), faces, stored=stored(vertices) if len(vertices) else None)


def _corners(data: bytes) -> NDArray[np.floating]:
    """The corners of all triangles, (F, 3, 3), float32 in a binary file."""
    declared = int.from_bytes(data[80:_HEADER], "little") if len(data) >= _HEADER else 0
    if len(data) >= _HEADER and len(data) == _HEADER + declared * _TRIANGLE.itemsize:
        return np.frombuffer(data, _TRIANGLE, offset=_HEADER)["corners"]
    text = unmarked(data)
    # A binary file may also begin with "solid", but it has zero bytes in its header.
    if text[:80].lstrip()[:5].lower() == b"solid" and b"\0" not in text[:_HEADER]:
        return _text(text_of(text))
    raise ValueError(
        f"declares {declared} triangles, {_HEADER + declared * _TRIANGLE.itemsize} bytes, and has {len(data)}; it is "
        "cut short, damaged, or not an .stl file"
    )


def _text(data: bytes) -> NDArray[np.float64]:
    """The corners from a text: three vertices per loop."""
    values, loops, last = array("d"), 0, b""
    for number, words in lines(data):
        last = words[0].lower()
        if last == b"vertex":
            if len(words) != 4:
                raise ValueError(f"line {number}: a vertex has 3 numbers, and this one {len(words) - 1}")
            values.extend(floats(words[1:], number))
        elif last == b"endloop":
            loops += 1
        if (last == b"endloop" and len(values) != 9 * loops) or len(values) > 9 * (loops + 1):
            raise ValueError(f"line {number}: facet {loops} of the text has not three vertices; the file is damaged")
    if last != b"endsolid" or len(values) != 9 * loops:
        raise ValueError(f"ends within a solid, after {len(values) // 3} vertices; the file is cut short")
    return np.array(values).reshape(-1, 3, 3)
