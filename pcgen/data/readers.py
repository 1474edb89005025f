"""The readers of files with one cloud or mesh, by the file's ending."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pcgen.data.formats.arrays import read_npy
from pcgen.data.formats.glb import read_glb
from pcgen.data.formats.obj import read_obj
from pcgen.data.formats.off import read_off
from pcgen.data.formats.pcd import read_pcd
from pcgen.data.formats.ply import read_ply
from pcgen.data.formats.stl import read_stl
from pcgen.data.formats.text import LEICA, PLAIN, begins_as_table, begins_as_words, read_table
from pcgen.data.source import Raw, too_large
from pcgen.data.surface import Mesh, Surface
from pcgen.seeds import stream

__all__ = ["READERS", "begins_damaged", "holds_cloud", "read_cloud"]

_START = 4096  # bytes, enough for the first lines of a text

READERS: dict[str, Callable[[Path, int], Raw | Mesh]] = {
    ".npy": lambda path, max_bytes: Raw(read_npy(path, max_bytes)),
    ".ply": read_ply,
    ".xyz": read_table,
    ".pts": lambda path, max_bytes: read_table(path, max_bytes, LEICA),
    ".txt": lambda path, max_bytes: read_table(path, max_bytes, {**PLAIN, 7: 6}),  # 7: a part
    ".pcd": read_pcd,
    ".off": read_off,
    ".obj": read_obj,
    ".stl": read_stl,
    ".glb": read_glb,
}


def holds_cloud(path: Path) -> bool:
    """Whether a file of a folder is a cloud or mesh, by its ending, and for .txt also by its first lines."""
    ending = path.suffix.lower()
    if ending != ".txt":
        return ending in READERS
    with path.open("rb") as file:
        return begins_as_table(file.read(_START))


def begins_damaged(path: Path) -> bool:
    """Whether a .txt file is no table of points, but no text of words either: it is empty, binary, or odd numbers.

    Beside clouds in the same form, it is one of them that is damaged.
    """
    if path.suffix.lower() != ".txt" or holds_cloud(path):
        return False
    with path.open("rb") as file:
        return not begins_as_words(file.read(_START))


def read_cloud(path: Path, surface_points: int, name: str, seed: int, max_bytes: int) -> Raw:
    """The cloud of a file: as stored, or `surface_points` points that are sampled by area, with name and seed.

    Raises:
        ValueError: the file is damaged, its mesh has no area, no faces, or faces with missing vertices, or it needs
            more than `max_bytes`.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # numbers that are not finite give errors, not warnings
        content = READERS[path.suffix.lower()](path, max_bytes)
        if isinstance(content, Raw):
            return content
        # Each corner of a large polygon is a few bytes in the file, but a whole triangle here.
        if (size := content.vertices.nbytes + content.faces.nbytes) > max_bytes:
            raise too_large(f"{path}: its {len(content.faces)} triangles", size, max_bytes)
        try:
            surface = Surface(content)
            points, normals, _ = surface.sample(surface_points, stream("surface", name, seed))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def again(count: int) -> NDArray[np.float64]:
        return surface.sample(count, stream("surface", name, seed))[0]

    return Raw(points, normals, sampled=True, notes=content.notes, stored=content.stored, surface=again)
