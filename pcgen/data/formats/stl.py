"""Meshes in the stereolithography format, .stl, binary and text."""

import re
from pathlib import Path

import numpy as np

from pcgen.data.source import read_bytes
from pcgen.data.surface import Mesh

__all__ = ["read_stl"]

_HEADER = 84  # 80 bytes of remark and the number of triangles
_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_VERTEX = re.compile(rb"\bvertex\s+(\S+)\s+(\S+)\s+(\S+)", re.IGNORECASE)


def read_stl(path: Path, max_bytes: int) -> Mesh:
    """The triangles of an .stl file, with three vertices of their own each.

    Raises:
        ValueError: it is neither a whole binary nor a whole text .stl file.
    """
    data = read_bytes(path, max_bytes)
    declared = int.from_bytes(data[80:_HEADER], "little") if len(data) >= _HEADER else 0
    if len(data) >= _HEADER and len(data) == _HEADER + declared * _TRIANGLE.itemsize:
        corners = np.frombuffer(data, _TRIANGLE, offset=_HEADER)["corners"].astype(np.float64)
    elif data[:5].lower() == b"solid" and b"\0" not in data:  # some binary files begin with this word too
        try:
            words = np.array([found.groups() for found in _VERTEX.finditer(data)], dtype="S32").astype(np.float64)
        except ValueError as error:
            raise ValueError(f"{path}: {error}; a vertex is three numbers") from None
        if len(words) % 3 or b"endsolid" not in data[-2000:].lower():
            raise ValueError(f"{path}: ends within a solid, after {len(words)} vertices; the file is cut short")
        corners = words.reshape(-1, 3, 3)
    else:
        raise ValueError(
            f"{path}: declares {declared} triangles, {_HEADER + declared * _TRIANGLE.itemsize} bytes, and has "
            f"{len(data)}; it is cut short, damaged, or no .stl file"
        )
    return Mesh(corners.reshape(-1, 3), np.arange(3 * len(corners)).reshape(-1, 3))
