"""The result of every reader: a listing of clouds, each read when it is needed."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pcgen.data.origin import ZERO, Stored, Triple

__all__ = [
    "GIB",
    "Listing",
    "Raw",
    "decode",
    "in_short",
    "named",
    "printable",
    "read_bytes",
    "told",
    "too_large",
    "unreadable",
]

GIB = 2**30

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Raw:
    """A cloud as stored in its file, before any check."""

    points: NDArray[np.generic]  # (N, 3), or (N, 6) with normals, if the file is good
    normals: NDArray[np.generic] | None = None  # (N, 3)
    sampled: bool = False  # whether the points were sampled from a surface, which may have any number of points
    notes: tuple[str, ...] = ()  # parts of the file that were not read
    boxes: NDArray[np.generic] | None = None  # (K, 6), for the shapes in a scene: centre and size, NaN if there is none
    stored: Stored | None = None  # the coordinates in the file, if the points are others: sampled, or of another type
    # Of a surface, samples any number of points anew, (n, 3), always the same ones.
    surface: Callable[[int], NDArray[np.generic]] | None = None


@dataclass(frozen=True)
class Listing:
    """The clouds of a source in a stable order: their names, classes and splits are known before any is read.

    `read(row, surface_points)` returns one cloud: as stored, or `surface_points` points of a surface. It raises
    ValueError or OSError if the cloud cannot be read.
    """

    names: list[str]
    read: Callable[[int, int], Raw]
    labels: list[str] | None = None  # the class of each
    splits: list[str] | None = None  # train, val or test
    classes: tuple[str, ...] | None = None  # in the source's order, if it has one
    notes: tuple[str, ...] = ()
    drawn: bool = False  # the source has no splits, and these are random, by the keys
    places: list[str] | None = None  # the place of each, for messages: its file, or its file and row
    files: list[Path] | None = None  # the file of each, if each has its own; a place is printable, and cannot be opened
    # A digest of its points identifies a cloud whose name is only a row number or the file's name, since these change
    # if the source is renamed, cut or reordered.
    content: Callable[[int], str] | None = None
    up: str | None = None  # the up axis, if the source records it
    origin: Triple = ZERO  # the points are relative to it, in the source's axes

    def key(self, row: int) -> str:
        """The key of all random choices for a cloud: its name, if it has one, otherwise a digest of its content."""
        return self.content(row) if self.content else self.names[row]

    def place(self, row: int, source: str) -> str:
        """The place of a cloud of `source`, for messages; by default the source and the cloud's name."""
        return f"{source}: {self.names[row]}" if self.places is None else self.places[row]

    @property
    def order(self) -> tuple[str, ...]:
        """The classes in the source's order; sorted if it has none."""
        return self.classes if self.classes is not None else tuple(sorted(set(self.labels or ())))

    def narrow(self, rows: Sequence[int]) -> "Listing":
        """The clouds of the given rows; the list of classes does not change."""
        return replace(
            self,
            names=[self.names[row] for row in rows],
            read=lambda place, surface_points: self.read(rows[place], surface_points),
            labels=None if self.labels is None else [self.labels[row] for row in rows],
            splits=None if self.splits is None else [self.splits[row] for row in rows],
            classes=self.order,
            places=None if self.places is None else [self.places[row] for row in rows],
            files=None if self.files is None else [self.files[row] for row in rows],
            content=None if self.content is None else lambda place: self.key(rows[place]),
        )


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Context that adds the file's path to errors in its content."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{printable(path)}: {error}") from None


def in_short(text: object) -> str:
    """The beginning of a library's message, or of a file's text, in one line and without unprintable characters."""
    line = "".join(letter if letter.isprintable() else " " for letter in str(text)[:400])
    line = " ".join(line.split())
    return f"{line[:160]} ..." if len(line) > 160 else line


def printable(name: str | Path) -> str:
    r"""A name as text that can be printed: bytes of a file's name that are not UTF-8, and lone surrogates, are escaped.

    >>> printable("caf\udce9.ply \ud800")
    'caf\\xe9.ply \\ud800'
    """
    return _SURROGATE.sub(_escaped, str(name))


def _escaped(found: re.Match[str]) -> str:
    """A byte 0x80 to 0xff, for which Python has the surrogates from 0xdc80 on, or another surrogate."""
    number = ord(found[0])
    return f"\\x{number - 0xDC00:02x}" if 0xDC80 <= number <= 0xDCFF else f"\\u{number:04x}"


def unreadable(place: str | Path, error: OSError) -> PermissionError:
    """The error for a file or folder that may be intact, but cannot be read because of permissions or locks."""
    if error.errno is None:
        return PermissionError(str(error))  # already in this form
    return PermissionError(
        f"{printable(error.filename or place)}: cannot be read ({error.strerror}); allow it (chmod u+rX), or close the "
        "program that uses it, and try again"
    )


def told(place: str, error: Exception) -> str:
    """The error message for the cloud at a place, which begins with its file."""
    if isinstance(error, PermissionError):
        return str(unreadable(place, error))
    reason = printable(error.strerror if isinstance(error, OSError) and error.strerror else str(error))
    return reason if reason.startswith(place.partition(": ")[0] + ":") else f"{place}: {reason}"


def too_large(what: str, size: int, max_bytes: int) -> ValueError:
    """The error for data that would need more memory than the limit."""
    return ValueError(
        f"{what}: would take {_amount(size)} of memory, more than the {_amount(max_bytes)} allowed; "
        f"allow it with max_bytes={size} (--max-bytes {size}) if that is intended"
    )


def _amount(size: int) -> str:
    for unit, name in ((GIB, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size >= unit:
            return f"{size / unit:.2f} {name}"
    return f"{size} bytes"


def decode(values: NDArray[np.generic]) -> list[str]:
    """The texts of an array of texts, bytes or integers, as they can be printed and written."""
    return [
        value.decode(errors="backslashreplace") if isinstance(value, bytes) else printable(str(value))
        for value in values.tolist()
    ]


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """All bytes of a file.

    Raises:
        ValueError: it is empty, or larger than `max_bytes`.
    """
    size = path.stat().st_size
    if size > max_bytes:
        raise too_large(str(path), size, max_bytes)
    if size == 0:
        raise ValueError(f"{path}: is empty")
    return path.read_bytes()
