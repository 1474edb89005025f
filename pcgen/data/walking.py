"""The files in a folder and its subfolders; links are followed, and omissions are noted."""

import os
import stat
from pathlib import Path

from pcgen.data.source import printable, unreadable

__all__ = ["walk"]


def walk(root: Path) -> tuple[list[Path], tuple[str, ...]]:
    """The files in a folder and its subfolders, by relative path, sorted; and notes for the user.

    Links to files and folders are followed, except links to the folder itself or to one above it, which are noted.
    Hidden files and folders, and everything that is not a regular file, are ignored.

    Raises:
        PermissionError: a folder or a file's entry cannot be read.
        ValueError: a link is broken.
    """
    found: list[Path] = []
    notes: tuple[str, ...] = ()
    trails = {str(root): {_identity(os.stat(root))}}  # for each folder: itself and those above it
    for folder, folders, files in os.walk(root, followlinks=True, onerror=_refuse):
        trail = trails.pop(folder)
        visible = sorted(name for name in folders if not _hidden(name))
        folders.clear()  # folders that remain in this list are visited
        for name in visible:
            path = os.path.join(folder, name)
            identity = _identity(_status(path))
            if identity in trail:
                notes += (f"{printable(path)}: a link back to a folder above it, ignored",)
                continue
            trails[path] = trail | {identity}
            folders.append(name)
        for name in files:
            path = os.path.join(folder, name)
            if not _hidden(name) and stat.S_ISREG(_status(path).st_mode):
                found.append(Path(path).relative_to(root))
    return sorted(found, key=str), notes


def _hidden(name: str) -> bool:
    return name.startswith((".", "__"))


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _status(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except PermissionError as error:
        raise unreadable(path, error) from None
    except OSError as error:
        if os.path.islink(path):
            where = f"{printable(path)}: is a link to {printable(os.readlink(path))}, which is not there"
            raise ValueError(f"{where}; repair the link or remove it") from None
        raise ValueError(
            f"{printable(path)}: cannot be read ({error.strerror}); is its disk or network there?"
        ) from None


def _refuse(error: OSError) -> None:
    raise unreadable(str(error.filename), error) from None
