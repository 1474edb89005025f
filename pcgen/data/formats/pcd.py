"""Clouds in the Point Cloud Library's format, .pcd, in text and plain binary."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pcgen.data.source import Raw, read_bytes

__all__ = ["read_pcd"]

_TYPES = {"F": "f", "I": "i", "U": "u"}


def read_pcd(path: Path, max_bytes: int) -> Raw:
    """The cloud of a .pcd file: x y z, and normal_x normal_y normal_z if it has them.

    Raises:
        ValueError: the header is no pcd header, the data are compressed, or they end before what it declares.
    """
    data = read_bytes(path, max_bytes)
    try:
        return _read(data)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        told = f"header has no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{path}: {told}; write the file again, as text or plain binary") from None


def _read(data: bytes) -> Raw:
    header: dict[str, list[str]] = {}
    at = 0
    while "DATA" not in header:
        end = data.find(b"\n", at)
        if end < 0:
            raise ValueError("has no whole header down to DATA")
        words = data[at:end].decode("ascii", errors="replace").partition("#")[0].split()
        at = end + 1
        if words:
            header[words[0].upper()] = words[1:]
    count = int(header["POINTS"][0]) if "POINTS" in header else int(header["WIDTH"][0]) * int(header["HEIGHT"][0])
    names = header["FIELDS"]
    sizes = [int(size) for size in header.get("COUNT", ["1"] * len(names))]
    formats = [f"<{_TYPES[kind]}{size}" for kind, size in zip(header["TYPE"], header["SIZE"], strict=True)]
    if not {"x", "y", "z"} <= set(names) or not len(names) == len(sizes) == len(formats):
        raise ValueError(f"must have fields x, y and z, each with size, type and count, got {' '.join(names)}")
    columns = _columns(data, at, header["DATA"][0], count, names, sizes, formats)
    points = np.stack([columns[axis] for axis in "xyz"], axis=-1)
    arrows = [f"normal_{axis}" for axis in "xyz"]
    if set(arrows) <= set(names):
        return Raw(points, np.stack([columns[name] for name in arrows], axis=-1))
    return Raw(points)


def _columns(
    data: bytes, at: int, kind: str, count: int, names: list[str], sizes: list[int], formats: list[str]
) -> dict[str, NDArray[np.generic]]:
    """The first value of every field of each point."""
    starts = np.cumsum([0, *sizes[:-1]])
    if kind == "ascii":
        lines = [words for words in (line.split() for line in data[at:].splitlines()) if words]
        if len(lines) != count or any(len(words) != sum(sizes) for words in lines):
            raise ValueError(
                f"declares {count} points of {sum(sizes)} numbers and has {len(lines)} lines, or other ones"
            )
        table = np.array(lines, dtype="S32").astype(np.float64).reshape(count, sum(sizes))
        return {name: table[:, start] for name, start in zip(names, starts, strict=True)}
    if kind != "binary":
        raise ValueError(f"data are {kind}, which is not read")
    # PCL pads with fields that are all called "_": numbered, so that a record has each name once.
    fields = [(f"{place}", kind, (size,)) for place, (kind, size) in enumerate(zip(formats, sizes, strict=True))]
    row = np.dtype(fields)
    if count < 0 or count * row.itemsize > len(data) - at:
        raise ValueError(
            f"declares {count} points, {count * row.itemsize} bytes from offset {at}, and ends after {len(data) - at}"
        )
    records = np.frombuffer(data, row, count=count, offset=at)
    return {name: records[f"{place}"][:, 0] for place, name in enumerate(names)}
