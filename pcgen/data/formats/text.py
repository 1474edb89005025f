"""Clouds as tables of numbers in text, .xyz and .pts: one point a line."""

from pathlib import Path

import numpy as np

from pcgen.data.source import Raw, read_bytes

__all__ = ["read_table"]


def read_table(path: Path, max_bytes: int, columns: tuple[int, ...] = (3, 6)) -> Raw:
    """The cloud of a text of x y z, or x y z nx ny nz, a line, parted by blanks or commas; # starts a comment.

    A first line of one whole number is the number of points that follow, as .pts files have it.

    Raises:
        ValueError: it is no table of numbers, has another number of columns, or fewer lines than it declares.
    """
    text = read_bytes(path, max_bytes).decode("utf-8", errors="replace").replace(",", " ")
    lines = [line for line in (line.partition("#")[0].split() for line in text.splitlines()) if line]
    declared = None
    if lines and len(lines[0]) == 1 and lines[0][0].isdecimal():
        declared, lines = int(lines[0][0]), lines[1:]
    if declared not in (None, len(lines)):
        raise ValueError(f"{path}: declares {declared} points and has {len(lines)}; the file is cut short or damaged")
    found = sorted({len(line) for line in lines})
    if len(found) != 1 or found[0] not in columns:
        raise ValueError(
            f"{path}: must have {' or '.join(map(str, columns))} columns in every line, got {found or 'no line'}; "
            "write x y z, or x y z and the normal"
        )
    try:
        return Raw(np.array(lines, dtype=np.float64))
    except ValueError as error:
        raise ValueError(f"{path}: {error}; a cloud's lines hold numbers alone") from None
