"""The rows of a .ply file, element by element, as columns of numbers."""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcgen.data.formats.lines import floats, rest_of, split_lines, text_of, whole, wholes

__all__ = ["Columns", "Element", "Property", "binary_rows", "lengths_of", "text_rows"]

_END = 2  # bytes after binary rows that say nothing: the end of a line

Columns = dict[str, NDArray[Any]]  # for a list: all items concatenated, and the lengths under `lengths_of(name)`


@dataclass(frozen=True)
class Property:
    """One number of a row, or a list of numbers after a counter."""

    name: str
    kind: str  # the type, in NumPy's notation
    counter: str | None


@dataclass
class Element:
    """The header's declaration of one kind of row."""

    name: str
    count: int
    properties: list[Property] = field(default_factory=list)

    def add(self, new: Property) -> None:
        """Add a property; if its name exists already, it gets a name that no file can contain."""
        if any(new.name == old.name for old in self.properties):
            new = Property(f"{new.name} {len(self.properties)}", new.kind, new.counter)
        self.properties.append(new)


def lengths_of(name: str) -> str:
    """The name of the column of a list's lengths; names in the file contain no blank."""
    return f"{name} lengths"


def binary_rows(
    data: bytes, start: int, elements: Sequence[Element], order: str
) -> tuple[dict[str, Columns], tuple[str, ...]]:
    """The rows of a binary body in byte order "<" or ">", and a note on what follows them.

    Raises:
        ValueError: the file ends before its rows, or a list has a negative length.
    """
    rows: dict[str, Columns] = {}
    for element in elements:
        least = element.count * sum(np.dtype(each.counter or each.kind).itemsize for each in element.properties)
        if least > len(data) - start:
            raise ValueError(
                f"declares {element.count} rows of {element.name!r}, at least {least} bytes from offset {start}, and "
                f"has {len(data) - start}"
            )
        table = _equal_rows(data, start, element, order)
        rows[element.name], start = table if table is not None else _ragged_rows(data, start, element, order)
    rest = len(data) - start
    return rows, rest_of(rest, "bytes") if rest > _END else ()


def _equal_rows(data: bytes, start: int, element: Element, order: str) -> tuple[Columns, int] | None:
    """All rows at once, and the offset of their end; None if lists differ in length between rows."""
    if not element.count:
        return None  # it may have no properties
    first, _ = _ragged_rows(data, start, Element(element.name, min(element.count, 1), element.properties), order)
    fields: list[Any] = []
    for each in element.properties:
        size: tuple[int, ...] = ()
        if each.counter:
            fields.append((lengths_of(each.name), order + each.counter))
            size = (len(first[each.name]),)
        fields.append((each.name, order + each.kind, size))
    row = np.dtype(fields)
    end = start + element.count * row.itemsize
    if end > len(data):
        return None
    table = np.frombuffer(data[start:end], row)
    for each in element.properties:
        if each.counter and (table[lengths_of(each.name)] != len(first[each.name])).any():
            return None
    return {name: table[name].reshape(-1) for name in row.names or ()}, end


def _ragged_rows(data: bytes, at: int, element: Element, order: str) -> tuple[Columns, int]:
    """The rows one by one, and the offset of their end."""
    values = {each.name: bytearray() for each in element.properties}
    lengths = {each.name: array("q") for each in element.properties if each.counter}
    for row in range(element.count):
        for each in element.properties:
            size = 1
            if each.counter:
                end = at + int(each.counter[1])
                size = int.from_bytes(data[at:end], _ENDIAN[order], signed=each.counter[0] == "i")
                lengths[each.name].append(size)
                at = end
            end = at + size * int(each.kind[1])
            if size < 0 or end > len(data):
                raise ValueError(
                    f"row {row} of {element.name!r} has {size} numbers {each.name!r} at offset {at}, and the file ends "
                    f"at {len(data)}"
                )
            values[each.name] += data[at:end]
            at = end
    columns: Columns = {each.name: np.frombuffer(values[each.name], order + each.kind) for each in element.properties}
    return columns | {lengths_of(name): np.array(counts, dtype=np.int64) for name, counts in lengths.items()}, at


_ENDIAN: dict[str, Any] = {"<": "little", ">": "big"}


def text_rows(data: bytes, start: int, elements: Sequence[Element]) -> tuple[dict[str, Columns], tuple[str, ...]]:
    """The rows of a text body, one per line, and a note on what follows them.

    Raises:
        ValueError: there are too few lines, or one does not agree with its element.
    """
    text_of(data)
    before = len(data[:start].splitlines())
    body = enumerate(split_lines(data[start:]), start=before + 1)
    lines = ((number, words) for number, line in body if (words := line.split()))
    rows = {element.name: _text_element(lines, element) for element in elements}
    return rows, rest_of(sum(1 for _ in lines), "lines")


def _text_element(lines: Iterator[tuple[int, list[bytes]]], element: Element) -> Columns:
    exact = {each.name for each in element.properties if each.counter and each.kind[0] in "iu"}  # corners of faces
    values = {each.name: array("q" if each.name in exact else "d") for each in element.properties}
    lengths = {each.name: array("q") for each in element.properties if each.counter}
    for row in range(element.count):
        number, words = next(lines, (0, []))
        if not words:
            raise ValueError(f"declares {element.count} rows of {element.name!r} and has {row} lines of them")
        at = 0
        for each in element.properties:
            size = 1
            if each.counter and at < len(words):
                size = whole(words[at], number)
                lengths[each.name].append(size)
                at += 1
            if size < 0 or at + size > len(words):
                raise ValueError(f"line {number}: row {row} of {element.name!r} ends before its {each.name!r}")
            mine = words[at : at + size]
            column: array[Any] = values[each.name]
            column.extend(wholes(mine, number) if each.name in exact else floats(mine, number))
            at += size
        if at < len(words):
            raise ValueError(
                f"line {number}: row {row} of {element.name!r} has {len(words)} numbers, and {at} are declared"
            )
    columns: Columns = {name: np.array(numbers) for name, numbers in values.items()}
    return columns | {lengths_of(name): np.array(counts, dtype=np.int64) for name, counts in lengths.items()}
