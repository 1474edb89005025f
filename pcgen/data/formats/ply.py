"""Clouds and meshes in the Polygon File Format, .ply, in text and binary of either byte order."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcgen.data.source import Raw, read_bytes
from pcgen.data.surface import Mesh, triangulate

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
_ORDERS = {"ascii": "=", "binary_little_endian": "<", "binary_big_endian": ">"}


@dataclass
class _Element:
    """What the header says of one kind of row; a property with a counter is a list."""

    name: str
    count: int
    properties: list[tuple[str, str, str | None]] = field(default_factory=list)  # name, type, type of the counter

    @property
    def lists(self) -> bool:
        return any(counter for _, _, counter in self.properties)


Columns = dict[str, NDArray[Any]]  # of a list: its lengths under "#name", and its items one after another under "name"


def read_ply(path: Path, max_bytes: int) -> Raw | Mesh:
    """The mesh of a .ply file with faces, or the cloud of one without, with its normals nx ny nz if it has them.

    Faces of more than three sides are cut into fans of triangles.

    Raises:
        ValueError: the header is no ply header, the file ends before what it declares, or there are no x, y and z.
    """
    data = read_bytes(path, max_bytes)
    try:
        order, elements, start = _header(data)
        read = _Text(data[start:]) if order == "=" else _Binary(data, start, order)
        columns: dict[str, Columns] = {}
        for element in elements:
            columns[element.name] = read.rows(element)
        return _content(columns)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; write the file again") from None


def _header(data: bytes) -> tuple[str, list[_Element], int]:
    """The byte order ("=" for text), the elements, and where the body begins."""
    end = data.find(b"end_header")
    newline = data.find(b"\n", end)
    if not data.startswith(b"ply") or end < 0 or newline < 0:
        raise ValueError("has no whole header from 'ply' to 'end_header'")
    order, elements = "", list[_Element]()
    for line in data[:end].decode("ascii", errors="replace").splitlines()[1:]:
        match line.split():
            case [] | ["comment" | "obj_info", *_]:
                continue
            case ["format", name, _] if name in _ORDERS:
                order = _ORDERS[name]
            case ["element", name, count] if count.isdecimal():
                elements.append(_Element(name, int(count)))
            case ["property", "list", counter, kind, name] if elements and {counter, kind} <= set(_TYPES):
                elements[-1].properties.append((name, _TYPES[kind], _TYPES[counter]))
            case ["property", kind, name] if elements and kind in _TYPES:
                elements[-1].properties.append((name, _TYPES[kind], None))
            case _:
                raise ValueError(f"header line {line[:80]!r} is none")
    if not order:
        raise ValueError("header has no format")
    return order, elements, newline + 1


def _content(columns: dict[str, Columns]) -> Raw | Mesh:
    vertex = columns.get("vertex", {})
    if not {"x", "y", "z"} <= set(vertex):
        raise ValueError(f"must have vertices with x, y and z, got {', '.join(vertex) or 'no vertices'}")
    points = np.stack([vertex[axis] for axis in "xyz"], axis=-1)
    if len(columns.get("tristrips", {}).get("vertex_indices", ())):
        raise ValueError("holds strips of triangles, which are not read; save it with faces")
    face = columns.get("face", {})
    corners = next((name for name in ("vertex_indices", "vertex_index") if name in face), None)
    if corners is not None and len(face[f"#{corners}"]):
        sides = face[f"#{corners}"].astype(np.int64)
        return Mesh(points.astype(np.float64), triangulate(sides, face[corners].astype(np.int64)))
    if {"nx", "ny", "nz"} <= set(vertex):
        return Raw(points, np.stack([vertex[axis] for axis in ("nx", "ny", "nz")], axis=-1))
    return Raw(points)


class _Binary:
    """Rows of a binary body, element after element."""

    def __init__(self, data: bytes, start: int, order: str) -> None:
        self.data, self.at, self.order = data, start, order

    def rows(self, element: _Element) -> Columns:
        least = sum(np.dtype(counter or kind).itemsize for _, kind, counter in element.properties)
        self._need(element, element.count * least)
        if not element.lists:
            return self._table(element, {})
        if element.count == 0:
            return {key: np.zeros(0) for name, _, _ in element.properties for key in (name, f"#{name}")}
        lengths = self._row(element, self.at)[1]
        return self._table(element, lengths) or self._ragged(element)

    def _need(self, element: _Element, size: int) -> None:
        left = len(self.data) - self.at
        if size > left:
            raise ValueError(
                f"declares {element.count} rows of {element.name!r}, at least {size} bytes from offset {self.at}, and "
                f"ends after {left}"
            )

    def _table(self, element: _Element, lengths: dict[str, int]) -> Columns:
        """All rows at once if every list is as long as the first row's, else nothing."""
        fields: list[Any] = []
        for name, kind, counter in element.properties:
            if counter:
                fields += [(f"#{name}", self.order + counter), (name, self.order + kind, (lengths[name],))]
            else:
                fields.append((name, self.order + kind))
        row = np.dtype(fields)
        if lengths and element.count * row.itemsize > len(self.data) - self.at:
            return {}
        table = np.frombuffer(self.data, row, count=element.count, offset=self.at)
        if any((table[f"#{name}"] != length).any() for name, length in lengths.items()):
            return {}
        self.at += element.count * row.itemsize
        return {name: table[name].reshape(-1) for name in row.names or ()}

    def _row(self, element: _Element, at: int) -> tuple[dict[str, NDArray[Any]], dict[str, int], int]:
        """One row from an offset: its values, the lengths of its lists, and where it ends."""
        values: dict[str, NDArray[Any]] = {}
        lengths: dict[str, int] = {}
        for name, kind, counter in element.properties:
            size = 1
            if counter:
                size = lengths[name] = int(self._take(element, counter, 1, at)[0])
                at += np.dtype(counter).itemsize
            values[name] = self._take(element, kind, size, at)
            at += values[name].nbytes
        return values, lengths, at

    def _take(self, element: _Element, kind: str, size: int, at: int) -> NDArray[Any]:
        dtype = np.dtype(self.order + kind)
        if size < 0 or at + size * dtype.itemsize > len(self.data):
            raise ValueError(f"ends within the rows of {element.name!r}, at offset {len(self.data)}")
        return np.frombuffer(self.data, dtype, count=size, offset=at)

    def _ragged(self, element: _Element) -> Columns:
        rows: dict[str, list[NDArray[Any]]] = {name: [] for name, _, _ in element.properties}
        counts: dict[str, list[int]] = {f"#{name}": [] for name, _, counter in element.properties if counter}
        for _ in range(element.count):
            values, lengths, self.at = self._row(element, self.at)
            for name, value in values.items():
                rows[name].append(value)
            for name, length in lengths.items():
                counts[f"#{name}"].append(length)
        columns: Columns = {name: np.concatenate(parts) for name, parts in rows.items()}
        return columns | {name: np.array(lengths) for name, lengths in counts.items()}


class _Text:
    """Rows of a text body, element after element."""

    def __init__(self, body: bytes) -> None:
        self.lines = [words for words in (line.split() for line in body.splitlines()) if words]
        self.at = 0

    def rows(self, element: _Element) -> Columns:
        lines = self.lines[self.at : self.at + element.count]
        if len(lines) < element.count:
            raise ValueError(f"declares {element.count} rows of {element.name!r} and has {len(lines)} lines of them")
        self.at += element.count
        columns: dict[str, list[bytes]] = {name: [] for name, _, _ in element.properties}
        counts: dict[str, list[int]] = {f"#{name}": [] for name, _, counter in element.properties if counter}
        for number, words in enumerate(lines):
            at = 0
            for name, _, counter in element.properties:
                size = 1
                if counter:
                    size = int(words[at]) if at < len(words) else -1
                    counts[f"#{name}"].append(size)
                    at += 1
                if size < 0 or at + size > len(words):
                    raise ValueError(f"row {number} of {element.name!r} ends too early")
                columns[name] += words[at : at + size]
                at += size
        types = {name: kind for name, kind, _ in element.properties}
        numbers: Columns = {name: _numbers(words, types[name]) for name, words in columns.items()}
        return numbers | {name: np.array(lengths, dtype=np.int64) for name, lengths in counts.items()}


def _numbers(words: list[bytes], kind: str) -> NDArray[Any]:
    wide = np.array([float(word) for word in words], dtype=np.float64)
    return wide if kind.startswith("f") else wide.astype(np.int64)
