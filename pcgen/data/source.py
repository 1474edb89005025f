"""What every reader of files gives: a listing of clouds, each read when it is asked for."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pcgen.data.origin import ZERO, Triple

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


@dataclass(frozen=True)
class Raw:
    """A cloud as its file gave it; nothing is checked yet."""

    points: NDArray[np.generic]  # (N, 3), or (N, 6) with normals, if the file is good
    normals: NDArray[np.generic] | None = None  # (N, 3)
    sampled: bool = False  # drawn from a surface, which has any number of points
    notes: tuple[str, ...] = ()  # what of the file is left out
    boxes: NDArray[np.generic] | None = (
        None  # (K, 6) of the shapes in a scene: centre and size, NaN where there is none
    )


@dataclass(frozen=True)
class Listing:
    """The clouds of a source in a stable order: their names, classes and splits are known before any is read.

    `read(row, surface_points)` gives one cloud: as it is stored, or that many points of a surface. It raises ValueError
    or OSError if that one cannot be read.
    """

    names: list[str]
    read: Callable[[int, int], Raw]
    labels: list[str] | None = None  # the class of each
    splits: list[str] | None = None  # train, val or test
    classes: tuple[str, ...] | None = None  # in the source's order, if it has one
    notes: tuple[str, ...] = ()
    drawn: bool = False  # the source has no splits, and these follow from the keys
    places: list[str] | None = None  # where to find each, for messages: its file, or its file and row
    # What identifies a cloud whose name is no more than its row's number or the file's name, both of which change when
    # the source is renamed, cut or put in another order: a digest of its points.
    content: Callable[[int], str] | None = None
    up: str | None = None  # the up axis, where the source says it
    origin: Triple = ZERO  # what the points count from, in the source's axes

    def key(self, row: int) -> str:
        """The key of all random choices for a cloud: its name, if it has one, or else its content."""
        return self.content(row) if self.content else self.names[row]

    def place(self, row: int, source: str) -> str:
        """Where a cloud of `source` is to be found; the source and its name, unless the reader knows better."""
        return f"{source}: {self.names[row]}" if self.places is None else self.places[row]

    @property
    def order(self) -> tuple[str, ...]:
        """The classes in the source's order; sorted, if it has none."""
        return self.classes if self.classes is not None else tuple(sorted(set(self.labels or ())))

    def narrow(self, rows: Sequence[int]) -> "Listing":
        """The clouds of the given rows; the classes stay what they are."""
        return replace(
            self,
            names=[self.names[row] for row in rows],
            read=lambda place, surface_points: self.read(rows[place], surface_points),
            labels=None if self.labels is None else [self.labels[row] for row in rows],
            splits=None if self.splits is None else [self.splits[row] for row in rows],
            classes=self.order,
            places=None if self.places is None else [self.places[row] for row in rows],
            content=None if self.content is None else lambda place: self.key(rows[place]),
        )


@contextmanager
def named(path: Path) -> Iterator[None]:
    """An error in the content of a file, with its path."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{printable(path)}: {error}") from None


def in_short(text: object) -> str:
    """The beginning of what a library says, or of words of a file, in one line and without characters that are none."""
    line = "".join(letter if letter.isprintable() else " " for letter in str(text)[:400])
    line = " ".join(line.split())
    return f"{line[:160]} ..." if len(line) > 160 else line


def printable(name: str | Path) -> str:
    r"""A file's name as text that can be printed: bytes of it that are no UTF-8 are written out, as \xff.

    >>> printable("caf\udce9.ply")
    'caf\\xe9.ply'
    """
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def unreadable(place: str | Path, error: OSError) -> PermissionError:
    """The error for a file or folder that may be whole, but that the system does not let us read."""
    if error.errno is None:
        return PermissionError(str(error))  # told already
    return PermissionError(
        f"{printable(error.filename or place)}: cannot be read ({error.strerror}); allow it (chmod u+rX), or close the "
        "program that uses it, and try again"
    )


def told(place: str, error: Exception) -> str:
    """What is wrong with the cloud at a place; readers' errors begin with its file already."""
    if isinstance(error, PermissionError):
        return str(unreadable(place, error))
    reason = printable(error.strerror if isinstance(error, OSError) and error.strerror else str(error))
    return reason if reason.startswith(place.partition(": ")[0] + ":") else f"{place}: {reason}"


def too_large(what: str, size: int, max_bytes: int) -> ValueError:
    """The error for data that would take more memory than is allowed."""
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
    """Texts of an array of texts, bytes or whole numbers."""
    return [
        value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value) for value in values.tolist()
    ]


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """A whole file.

    Raises:
        ValueError: it is empty, or larger than `max_bytes`.
    """
    size = path.stat().st_size
    if size > max_bytes:
        raise too_large(str(path), size, max_bytes)
    if size == 0:
        raise ValueError(f"{path}: is empty")
    return path.read_bytes()
