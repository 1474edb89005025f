"""The binary form of the GL Transmission Format: its JSON, and the arrays (accessors) that its JSON describes."""

import base64
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Glb", "Json"]

Json = dict[str, Any]

_COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC3": 3}  # of the elements that positions and corners use
_INLINE = "base64,"


class Glb:
    """The parts of a .glb file: `json`, and arrays by the number of their accessor.

    Raises:
        ValueError: it is truncated or not a .glb file of version 2.
    """

    def __init__(self, data: bytes) -> None:
        version, length, size = (int.from_bytes(data[at : at + 4], "little") for at in (4, 8, 12))
        if data[:4] != b"glTF" or version != 2 or length != len(data) or 20 + size > len(data):
            raise ValueError(
                f"declares {length} bytes and has {len(data)}; it is cut short or not a .glb file of version 2"
            )
        self.json: Json = json.loads(data[20 : 20 + size])
        if not isinstance(self.json, dict):
            raise ValueError("has no JSON object as its first part")
        self.blob = b""
        if (start := 28 + size) <= len(data):
            stop = start + int.from_bytes(data[start - 8 : start - 4], "little")
            if stop > len(data) or data[start - 4 : start] != b"BIN\0":
                raise ValueError(f"declares arrays up to offset {stop} and ends at {len(data)}; it is damaged")
            self.blob = data[start:stop]

    def item(self, key: str, index: Any) -> Json:
        """Entry number `index` of the JSON's list `key`.

        Raises:
            ValueError: there is no such entry.
        """
        entries = self.json.get(key, [])
        if type(index) is not int or not 0 <= index < len(entries) or not isinstance(entries[index], dict):
            raise ValueError(f"names {key}[{index}], and there are {len(entries)}")
        entry: Json = entries[index]
        return entry

    def count(self, index: Any) -> int:
        """Number of elements of an accessor; no numbers are read."""
        return _size(self.item("accessors", index), "count")

    def array(self, index: Any) -> NDArray[Any]:
        """The numbers of an accessor, (count, width); float64 if integers encode fractions (normalized).

        Raises:
            ValueError: it extends beyond its data, or is of a type that positions and corners cannot have.
        """
        accessor = self.item("accessors", index)
        count, width = _size(accessor, "count"), _WIDTHS.get(accessor.get("type", ""), 0)
        kind = np.dtype(_COMPONENTS.get(accessor.get("componentType", 0), "V"))
        if not width or not kind.itemsize:
            raise ValueError(f"accessors[{index}] is of a type that positions and corners are not")
        values: NDArray[Any] = np.zeros((count, width), dtype=kind)
        if "bufferView" in accessor:
            values = self._elements(accessor, count, width, kind)
        if (sparse := accessor.get("sparse")) is not None:
            places, few = sparse["indices"], _size(sparse, "count")
            rows = self._elements(places, few, 1, np.dtype(_COMPONENTS[places["componentType"]]))[:, 0]
            if len(rows) and int(rows.max()) >= count:
                raise ValueError(f"accessors[{index}] replaces element {int(rows.max())} of {count}")
            values = values.copy()
            values[rows] = self._elements(sparse["values"], few, width, kind)
        if accessor.get("normalized") and kind.kind in "iu":
            return np.maximum(values / np.iinfo(kind).max, -1.0)
        return values

    def _elements(self, place: Json, count: int, width: int, kind: np.dtype[Any]) -> NDArray[Any]:
        """Elements of a part of a buffer (bufferView); other data may be between them."""
        view = self.item("bufferViews", place["bufferView"])
        if names := ", ".join(view.get("extensions", {})):
            raise ValueError(f"keeps arrays in the form of {names}, which is not supported; export it without")
        buffer = self._buffer(view.get("buffer"))
        begin, length = _size(view, "byteOffset", 0), _size(view, "byteLength")
        size = width * kind.itemsize
        stride, offset = _size(view, "byteStride", size), _size(place, "byteOffset", 0)
        if stride < size or begin + length > len(buffer) or (count and offset + stride * (count - 1) + size > length):
            raise ValueError(f"declares {count} elements of {size} bytes beyond the end of their data; it is damaged")
        return np.ndarray((count, width), kind, buffer, begin + offset, (stride, kind.itemsize))

    def _buffer(self, index: Any) -> bytes:
        uri = self.item("buffers", index).get("uri")
        if uri is None and index == 0:
            return self.blob
        if uri is None or not uri.startswith("data:") or _INLINE not in uri:
            raise ValueError(
                f"keeps its numbers in another file, {str(uri)[:60]!r}, which is not opened; export one file"
            )
        return base64.b64decode(uri.partition(_INLINE)[2])


def _size(entry: Json, key: str, default: int | None = None) -> int:
    """A number of the JSON that counts bytes or elements."""
    value = entry.get(key, default)
    if type(value) is not int or not 0 <= value < 2**53:
        raise ValueError(f"{key} must be a whole number of 0 or more, got {value!r:.60}")
    return value
