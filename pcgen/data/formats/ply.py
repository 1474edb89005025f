"""Clouds and meshes in the Polygon File Format, .ply, in text and binary of either byte order."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from pcgen.data.formats.lines import line_end, shown, unmarked
from pcgen.data.formats.ply_rows import Columns, Element, Property, binary_rows, lengths_of, text_rows
from pcgen.data.polygons import polygon_mesh
from pcgen.data.source import Raw, in_short, named, read_bytes
from pcgen.data.surface import Mesh, stored_corners

__all__ = ["read_ply"]

_TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}
_COUNTERS = {name: kind for name, kind in _TYPES.items() if kind[0] in "iu"}
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_NORMALS = ("nx", "ny", "nz")
_CORNERS = ("vertex_indices", "vertex_index")
_NO_SURFACES = ("vertex", "face", "edge", "range_grid")  # a grid of the points is read as these points


def read_ply(path: Path, max_bytes: int) -> Raw | Mesh:
    """The mesh of a .ply file with faces, or the cloud of one without, with its normals nx ny nz if it has them.

    Faces of more than three sides are divided into triangles. Of two properties with one name, the first is used.

    Raises:
        ValueError: the header is not a ply header, the file is shorter than it declares, there are no x, y and z, or
            there is a surface in another form than faces of corners.
    """
    data = read_bytes(path, max_bytes)
    with named(path):
        data = unmarked(data)
        order, elements, start = _header(data)
        rows, notes = binary_rows(data, start, elements, order) if order else text_rows(data, start, elements)
        _refuse_other_surfaces(elements)
        content = _content(rows)
        return replace(content, notes=(*content.notes, *notes))


def _header(data: bytes) -> tuple[str, list[Element], int]:
    """The byte order (empty for text), the elements, and the offset of the body."""
    newline = line_end(data)
    end = data.find(newline + b"end_header")  # at the begin of a line: a comment may have the word
    stop = data.find(newline, end + 1)
    if not data.startswith(b"ply") or end < 0 or stop < 0:
        raise ValueError("has no whole header from 'ply' to 'end_header'")
    order: str | None = None
    elements: list[Element] = []
    for line in data[:end].splitlines()[1:]:
        match line.decode("ascii", errors="replace").split():
            case [] | ["comment" | "obj_info", *_]:
                continue
            case ["format", name, _] if name in _ORDERS:
                order = _ORDERS[name]
            case ["element", name, count] if count.isdecimal() and len(count) < 19:
                elements.append(Element(name, int(count)))
            case ["property", "list", counter, kind, name] if elements and counter in _COUNTERS and kind in _TYPES:
                elements[-1].add(Property(name, _TYPES[kind], _COUNTERS[counter]))
            case ["property", kind, name] if elements and kind in _TYPES:
                elements[-1].add(Property(name, _TYPES[kind], None))
            case _:
                raise ValueError(f"header line {shown(line)} is not valid")
    if order is None:
        raise ValueError("header has no format")
    names = [element.name for element in elements]
    for element in elements:
        if names.count(element.name) > 1 or (element.count and not element.properties):
            raise ValueError(f"header: element {element.name!r} must be there once and have properties")
    return order, elements, stop + 1


def _refuse_other_surfaces(elements: list[Element]) -> None:
    """Check that no other element than faces with corners may be a surface: has lists of whole numbers, as strips have.

    Raises:
        ValueError: one may be, so that the cloud of the vertices would not be what the file shows.
    """
    for element in elements:
        # Lists of bytes are texts.
        lists = [each for each in element.properties if each.counter and each.kind[0] in "iu" and each.kind[1] != "1"]
        if element.count and element.name not in _NO_SURFACES and lists:
            name = in_short(element.name)
            raise ValueError(f"holds {element.count} {name}, which are not supported; save it with faces")
        if element.count and element.name == "face" and not any(each.name in _CORNERS for each in element.properties):
            names = in_short(", ".join(each.name for each in element.properties))
            raise ValueError(f"holds {element.count} faces without a list vertex_indices, with {names}; save it again")


def _content(rows: dict[str, Columns]) -> Raw | Mesh:
    vertex = rows.get("vertex", {})
    if any(axis not in vertex or lengths_of(axis) in vertex for axis in "xyz"):
        raise ValueError(f"must have vertices with numbers x, y and z, got {', '.join(vertex) or 'no vertices'}")
    points = np.stack([vertex[axis] for axis in "xyz"], axis=-1)
    face = rows.get("face", {})
    corners = next((name for name in _CORNERS if name in face), None)
    if corners is not None and len(face.get(lengths_of(corners), face[corners])):
        if lengths_of(corners) not in face or face[corners].dtype.kind not in "iu":
            raise ValueError(f"header: {corners} of a face must be a list of whole numbers")
        sides = face[lengths_of(corners)].astype(np.int64)
        named = face[corners].astype(np.int64)
        return replace(polygon_mesh(points.astype(np.float64), sides, named), stored=stored_corners(points, named))
    if all(name in vertex and lengths_of(name) not in vertex for name in _NORMALS):
        return Raw(points, np.stack([vertex[name] for name in _NORMALS], axis=-1))
    return Raw(points)
