"""Texts of varying length in HDF5 files, read from the bytes of the file.

The library believes what a reference says: it takes memory for a text of 4 GiB that is not there, and it never ends in
a heap with an object of no bytes. Here both are refused.
"""

import mmap
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from pcgen.data.source import too_large

if TYPE_CHECKING:
    import h5py

__all__ = ["read_texts"]

_REFERENCE = struct.Struct("<IQI")  # bytes of the text, place of its heap, number of the object in it
_OBJECT = struct.Struct("<HHIQ")  # number, times it is used, nothing, bytes
_HEAP = struct.Struct("<4s4sQ")  # mark, version, bytes of the whole


def read_texts(data: "h5py.Dataset", name: str, path: Path, max_bytes: int) -> list[bytes]:
    """The texts of an array, row after row (HDF5 File Format Specification, III.E, Global Heap).

    Args:
        data: the array, of the open file.
        name: the file and the array, for messages.

    Raises:
        ValueError: a text is not whole in the file, the array is stored in chunks, or it takes more than `max_bytes`.
    """
    start = data.id.get_offset()
    if data.size and (start is None or data.file.id.get_create_plist().get_sizes() != (8, 8)):
        raise ValueError(f"{name} holds texts in chunks; write them as an array of one type, NumPy's S")
    texts: list[bytes] = []
    total = 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        heaps = _Heaps(content, data.file.userblock_size)
        for row in range(data.size):
            try:
                length, place, number = _REFERENCE.unpack_from(content, start + row * _REFERENCE.size)
                total += length
                if total > max_bytes:
                    raise too_large(name, total, max_bytes)
                texts.append(heaps.text(place, number, length).partition(b"\0")[0] if length else b"")
            except struct.error:
                raise ValueError(f"{name} ends after {row} of {data.size} texts; the file is cut short") from None
            except LookupError:
                raise ValueError(f"{name} has no text {row} at its address; the file is damaged") from None
    return texts


class _Heaps:
    """The parts of a file that hold texts, each looked through once."""

    def __init__(self, content: mmap.mmap, base: int) -> None:
        self.content, self.base = content, base
        self.left = len(content)  # bytes of heaps yet to come: those of a whole file do not overlap
        self.known: dict[int, dict[int, tuple[int, int]]] = {}

    def text(self, place: int, number: int, length: int) -> bytes:
        """The first `length` bytes of an object; a LookupError if it is not there or shorter."""
        if place not in self.known:
            self.known[place] = self._objects(self.base + place)
        start, size = self.known[place][number]
        if length > size:
            raise LookupError
        return self.content[start : start + length]

    def _objects(self, start: int) -> dict[int, tuple[int, int]]:
        """Where each object of a heap begins, and how many bytes it has."""
        if start + _HEAP.size > len(self.content):
            raise LookupError
        mark, version, size = _HEAP.unpack_from(self.content, start)
        self.left -= size
        if mark != b"GCOL" or version[0] != 1 or start + size > len(self.content) or self.left < 0:
            raise LookupError
        objects: dict[int, tuple[int, int]] = {}
        at, end = start + _HEAP.size, start + size
        while at + _OBJECT.size <= end:
            number, _, _, length = _OBJECT.unpack_from(self.content, at)
            at += _OBJECT.size
            if number == 0 or at + length > end:  # 0 is the free space after the last
                break
            objects[number] = at, length
            at += -(-length // 8) * 8
        return objects
