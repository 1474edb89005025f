"""Clouds in the Point Cloud Library's format, .pcd, in text and plain binary."""

from array import array
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pcgen.data.formats.lines import floats, line_end, rest_of, shown, split_lines, text_of, unmarked
from pcgen.data.source import Raw, named, read_bytes

__all__ = ["read_pcd"]

_TYPES = {
    **{("F", size): f"<f{size}" for size in ("4", "8")},
    **{(kind, size): f"<{kind.lower()}{size}" for kind in "IU" for size in "1248"},
}

Columns = dict[str, NDArray[np.generic]]


def read_pcd(path: Path, max_bytes: int) -> Raw:
    """The cloud of a .pcd file: x y z, and normal_x normal_y normal_z if it has them.

    The points of an organised cloud, WIDTH x HEIGHT, are in order of rows; missing measurements are NaN.

    Raises:
        ValueError: the header is not a pcd header, the data are compressed, or they do not agree with the header.
    """
    data = read_bytes(path, max_bytes)
    with named(path):
        data = unmarked(data)
        header, start = _header(data)
        columns, notes = _columns(data, start, header)
    points = np.stack([columns[axis] for axis in "xyz"], axis=-1)
    arrows = [f"normal_{axis}" for axis in "xyz"]
    known = set(arrows) <= set(columns)
    return Raw(points, np.stack([columns[name] for name in arrows], axis=-1) if known else None, notes=notes)


def _header(data: bytes) -> tuple[dict[str, list[str]], int]:
    """The words after each key of the header, and the offset at which the data begin."""
    header: dict[str, list[str]] = {}
    end, at = line_end(data), 0
    while "DATA" not in header:
        stop = data.find(end, at)
        if stop < 0:
            raise ValueError("has no whole header down to DATA; the file is cut short or not a .pcd file")
        words = data[at:stop].decode("ascii", errors="replace").partition("#")[0].split()
        at = stop + 1
        if words:
            header[words[0].upper()] = words[1:]
    for key in ("FIELDS", "SIZE", "TYPE"):
        if key not in header:
            raise ValueError(f"header has no {key}; write the file again")
    return header, at


def _count(header: dict[str, list[str]]) -> int:
    """The number of points that the header declares."""
    numbers = {}
    for key in ("WIDTH", "HEIGHT", "POINTS"):
        words = header.get(key)
        if words is not None and (len(words) != 1 or not words[0].isdecimal() or len(words[0]) > 18):
            raise ValueError(f"header: {key} must be one whole number, got {' '.join(words)[:60]!r}")
        numbers[key] = int(words[0]) if words else None
    width, height, points = numbers.values()
    cells = None if width is None or height is None else width * height
    count = cells if points is None else points
    if count is None:
        raise ValueError("header has neither POINTS nor WIDTH and HEIGHT; write the file again")
    if cells not in (None, count):
        raise ValueError(f"header declares {width} x {height} and {points} points; make them agree")
    return count


def _fields(header: dict[str, list[str]]) -> list[tuple[str, str, int]]:
    """Name, type and number of values of each field that has values; PCL pads with fields that are all called "_"."""
    names = header["FIELDS"]
    counts = header.get("COUNT", ["1"] * len(names))
    formats = [_TYPES.get(pair) for pair in zip(header["TYPE"], header["SIZE"], strict=False)]
    if not len(names) == len(counts) == len(formats) or not all(word.isdecimal() and len(word) < 7 for word in counts):
        raise ValueError("header: FIELDS, SIZE, TYPE and COUNT must have one word for each field")
    fields = []
    for name, kind, count in zip(names, formats, map(int, counts), strict=True):
        if kind is None:
            raise ValueError(f"header: field {name!r} must be of type F, I or U and of a size that these have")
        if count:  # a field without values has no bytes
            fields.append((name, kind, count))
    if not {"x", "y", "z"} <= {name for name, _, _ in fields}:
        raise ValueError(f"must have fields x, y and z, got {' '.join(names)[:80]}")
    return fields


def _columns(data: bytes, at: int, header: dict[str, list[str]]) -> tuple[Columns, tuple[str, ...]]:
    """The first value of every field of each point; of several fields with one name, the first. And notes."""
    count, fields = _count(header), _fields(header)
    names = [name for name, _, _ in fields]
    places = {name: names.index(name) for name in names}
    match header["DATA"]:
        case ["ascii"]:
            table = _text(data, at, count, sum(size for _, _, size in fields))
            starts = np.cumsum([0, *(size for _, _, size in fields)])
            return {name: table[:, starts[place]] for name, place in places.items()}, ()
        case ["binary"]:
            row = np.dtype([(f"{place}", kind, (size,)) for place, (_, kind, size) in enumerate(fields)])
            if count * row.itemsize > len(data) - at:
                raise ValueError(
                    f"declares {count} points, {count * row.itemsize} bytes from offset {at}, and has "
                    f"{len(data) - at}; the file is cut short"
                )
            records = np.frombuffer(data, row, count=count, offset=at)
            rest = len(data) - at - records.nbytes
            notes = rest_of(rest // row.itemsize, "points of their size")
            return {name: records[f"{place}"][:, 0] for name, place in places.items()}, notes
        case kind:
            raise ValueError(f"data are {' '.join(kind)!r}, which is not supported; write the file as ascii or binary")


def _text(data: bytes, at: int, count: int, width: int) -> NDArray[np.float64]:
    """All numbers of a text body, (count, width)."""
    text_of(data)
    values, found = array("d"), 0
    before = data[:at].count(line_end(data))
    for number, line in enumerate(split_lines(data[at:]), start=before + 1):
        if not (words := line.split()):
            continue
        if len(words) != width:
            raise ValueError(f"line {number}: has {len(words)} numbers, and a point has {width}: {shown(line)}")
        values.extend(floats(words, number))
        found += 1
    if found != count:
        raise ValueError(f"declares {count} points and has {found} lines of them; the file is cut short or damaged")
    return np.array(values).reshape(count, width)
