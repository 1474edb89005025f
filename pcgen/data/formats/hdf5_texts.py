"""Texts of varying length in HDF5 files, read from the bytes of the file.

The HDF5 library trusts references: it allocates memory for a text of 4 GiB that does not exist, and it loops forever in
a heap with an object of 0 bytes. Here both are errors.
"""

import mmap
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from pcgen.data.source import too_large

if TYPE_CHECKING:
    import h5py

__all__ = ["read_texts"]

_REFERENCE = struct.Struct("<IQI")  # bytes of the text, address of its heap, number of the object in it
_OBJECT = struct.Struct("<HHIQ")  # number, reference count, reserved, bytes
_HEAP = struct.Struct("<4s4sQ")  # signature, version, total bytes


def read_texts(data: "h5py.Dataset", name: str, path: Path, max_bytes: int) -> list[bytes]:
    """The texts of an array, row by row (HDF5 File Format Specification, III.E, Global Heap).

    Args:
        data: the array, of the open file.
        name: the file and the array, for messages.

    Raises:
        ValueError: a text is incomplete, the array is stored in chunks, or it needs more than `max_bytes`.
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
    """The heaps of a file that contain texts; each is parsed once."""

    def __init__(self, content: mmap.mmap, base: int) -> None:
        self.content, self.base = content, base
        self.left = len(content)  # bytes for further heaps, which do not overlap in a valid file
        self.known: dict[int, dict[int, tuple[int, int]]] = {}

    def text(self, place: int, number: int, length: int) -> bytes:
        """The first `length` bytes of an object; a LookupError if it does not exist or is shorter."""
        if place not in self.known:
            self.known[place] = self._objects(self.base + place)
        start, size = self.known[place][number]
        if length > size:
            raise LookupError
        return self.content[start : start + length]

    def _objects(self, start: int) -> dict[int, tuple[int, int]]:
        """Offset and size in bytes of each object of a heap."""
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
