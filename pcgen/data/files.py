"""Which reader reads a path, by its ending."""

from pathlib import Path

from pcgen.data.numpy_files import listing_of, read_npy, read_npz
from pcgen.data.source import Listing

__all__ = ["list_path"]


def list_path(path: Path, seed: int, max_bytes: int) -> Listing:
    """List the clouds of a file or folder.

    Raises:
        ValueError: it is of no kind that is known, empty, or damaged.
    """
    ending = path.suffix.lower()
    if ending == ".npz":
        return read_npz(path, max_bytes)
    if ending == ".npy":
        return listing_of({"points": read_npy(path, max_bytes)}, path)
    raise ValueError(f"{path}: no reader for files ending in {ending!r}")
