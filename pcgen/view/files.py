"""Pictures and pages: never over another by accident, whole or not at all."""

import os
from pathlib import Path

from pcgen.files import write_whole

__all__ = ["target", "write"]


def target(path: str | os.PathLike[str], overwrite: bool, *suffixes: str) -> Path:
    """The path of a picture, a film or a page to be written, checked before any work is done for it.

    Args:
        path: the file.
        overwrite: whether one that exists may be replaced.
        suffixes: what it may end in; .png if none is given.

    Raises:
        ValueError: the path ends in none of the suffixes.
        FileExistsError: it exists and `overwrite` is false.
    """
    path, suffixes = Path(path), suffixes or (".png",)
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"path: must end in {' or '.join(suffixes)}, got {str(path)!r}")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path}: exists already; choose another name or pass overwrite=True (--overwrite)")
    return path


def write(path: Path, data: bytes) -> None:
    """Write a file at once, making the folders it stands in.

    Raises:
        OSError: it could not be written; nothing is left over.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{path}: could not be written ({error.strerror or error}); choose another folder") from error
    write_whole(path, data)
