"""Clouds as tables of numbers in text, .xyz, .pts and .txt: one point per line."""

from array import array
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pcgen.data.formats.lines import floats, is_number, shown, split_lines, text_of, whole
from pcgen.data.source import Raw, named, read_bytes

__all__ = ["LEICA", "PLAIN", "begins_as_table", "begins_as_words", "read_table"]

# Number of columns to read from a table without names, by the number that it has. With six, the last three may be
# normals or colours.
PLAIN = {3: 3, 6: 6}
LEICA = {3: 3, 4: 3, 6: 6, 7: 3}  # x y z, intensity, red green blue

_NORMALS = (("nx", "ny", "nz"), ("normal_x", "normal_y", "normal_z"))
# What a comment that begins with other words than x y z must consist of, to be the names of columns.
_COLUMNS = {
    *("x", "y", "z", *(name for three in _NORMALS for name in three)),
    *("r", "g", "b", "a", "red", "green", "blue", "alpha", "rgb", "i", "intensity", "reflectance", "curvature"),
    *("id", "index", "point", "time", "t", "gps_time", "ring", "row", "column", "u", "v", "scalar", "confidence"),
    *("label", "class", "classification", "category", "part", "segment", "semantic", "instance", "object"),
}


def read_table(path: Path, max_bytes: int, columns: Mapping[int, int] = PLAIN) -> Raw:
    """The cloud of a text with x y z, or x y z nx ny nz, per line, separated by blanks or commas; # starts a comment.

    A line of names before the numbers, such as `x y z intensity` or `//X Y Z`, names the columns; a comment, only if it
    begins with x y z or all of its words are usual names of columns. A line with one integer before them is the number
    of points, as in .pts files. Decimal commas are an error.

    Args:
        columns: number of columns to read, by the number that the table has, if no line names them.

    Raises:
        ValueError: it is not a table of numbers, has another number of columns, or another number of lines than it
            declares.
    """
    data = read_bytes(path, max_bytes)
    with named(path):
        names, values = _table(text_of(data))
        if names is not None:
            return _by_name(values, names)
        width = values.shape[1]
        if width not in columns:
            raise ValueError(
                f"has {width} columns; must have {' or '.join(map(str, columns))}, x y z first, or a line of names "
                "before them, such as x y z intensity"
            )
        left = width - columns[width]
        notes = (f"{left} of {width} columns left out: they are not coordinates or normals",) if left else ()
        return Raw(values[:, : columns[width]], notes=notes)


def begins_as_table(start: bytes) -> bool:
    """Whether a text is a table of points, from its start, such as its first 4096 bytes."""
    try:
        names, _, first, _ = _opening(text_of(start))
    except ValueError:
        return False
    return names is not None or len(first) >= 3


def begins_as_words(start: bytes) -> bool:
    """Whether a text has a first line that is neither a comment nor, for the most part, several numbers."""
    try:
        lines = (line.strip() for line in split_lines(text_of(start)))
    except ValueError:
        return False
    line = next((line for line in lines if line and not line.startswith((b"#", b"//"))), None)
    if line is None:
        return bool(start.strip())  # comments alone
    words = line.replace(b",", b" ").replace(b";", b" ").split()
    return len(words) < 2 or sum(map(is_number, words)) <= len(words) / 2


def _table(data: bytes) -> tuple[list[str] | None, NDArray[np.float64]]:
    """The names of the columns, if a line gives them, and all numbers, (N, width)."""
    names, declared, first, rows = _opening(data)
    values, count, width, commas, points = array("d"), 0, len(first), False, False
    for number, line in rows:
        fields = _fields(line, number)
        if len(fields) != width:
            raise ValueError(f"line {number}: has {len(fields)} columns, and the lines before it have {width}")
        values.extend(floats(fields, number))
        count += 1
        commas, points = commas or b"," in line, points or b"." in line
    if declared not in (None, count):
        raise ValueError(f"declares {declared} points and has {count}; the file is cut short or damaged")
    if not count:
        raise ValueError("has no line of numbers; write x y z in every line")
    if names is None and commas and not points and width >= 4 and width % 2 == 0:
        raise ValueError(
            f"has {width} whole numbers a line with commas between them, which could be {width // 2} numbers with "
            "decimal commas; write decimal points, or blanks between the numbers"
        )
    if names is not None and len(names) != width:
        raise ValueError(f"names {len(names)} columns and has {width}; name each of them")
    return names, np.frombuffer(values).reshape(count, width)


def _opening(data: bytes) -> tuple[list[str] | None, int | None, list[bytes], Iterator[tuple[int, bytes]]]:
    """Names of columns and number of points, from the lines before the numbers; the first row; all rows."""
    lines = enumerate((line.strip() for line in split_lines(data)), start=1)
    names: list[str] | None = None
    declared: int | None = None
    first: list[bytes] = []
    remark: list[str] = []  # a comment that may contain names
    begun: list[tuple[int, bytes]] = []  # the line of the first row
    for number, line in lines:
        if line.startswith((b"#", b"//")):
            remark = remark or _remarked(line.lstrip(b"#/").replace(b",", b" ").split())
        elif line.isdigit() and declared is None:
            declared = whole(line, number)
        elif fields := _fields(line.partition(b"#")[0].strip(), number):
            if names is None and (found := _names(fields)):
                names = found
                continue
            floats(fields, number)  # raises an error with the line, if these are neither names nor numbers
            first, begun = fields, [(number, line)]
            break
    if names is None and len(remark) == len(first):
        names = remark or None
    rows = ((number, text) for number, line in chain(begun, lines) if (text := line.partition(b"#")[0].strip()))
    return names, declared, first, rows


def _names(words: list[bytes]) -> list[str]:
    """The words in lower case if x, y and z are among them, otherwise nothing."""
    names = [word.decode("utf-8", errors="replace").lower() for word in words]
    return names if {"x", "y", "z"} <= set(names) else []


def _remarked(words: list[bytes]) -> list[str]:
    """The names of columns that a comment has, if it has nothing else; otherwise nothing."""
    names = _names(words)
    return names if names[:3] == ["x", "y", "z"] or set(names) <= _COLUMNS else []


def _by_name(values: NDArray[np.float64], names: list[str]) -> Raw:
    """Points and normals of a table whose columns have names."""
    normals = next((three for three in _NORMALS if set(three) <= set(names)), ())
    left = [name for name in names if name not in {"x", "y", "z", *normals}]
    return Raw(
        values[:, [names.index(axis) for axis in "xyz"]],
        values[:, [names.index(name) for name in normals]] if normals else None,
        notes=(f"columns left out: {' '.join(left)}",) if left else (),
    )


def _fields(line: bytes, number: int) -> list[bytes]:
    """The fields of a line, separated by blanks, or by commas with or without blanks.

    Raises:
        ValueError: some are separated by blanks and others by commas, which may be decimal commas.
    """
    if b"," not in line:
        return line.split()
    parts = line.removesuffix(b",").split(b",")
    fields = [part.strip() for part in parts]
    even = len({part[:1].isspace() for part in parts[1:]}) < 2 or all(b"." in field for field in fields)
    if not even or any(len(field.split()) != 1 for field in fields):
        raise ValueError(
            f"line {number}: {shown(line)} has both commas and blanks between its numbers, or decimal commas; write "
            "decimal points, and either commas or blanks between the numbers"
        )
    return fields
