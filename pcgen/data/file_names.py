"""The path of each cloud of a set in a folder of files, and atomic writing of such a folder."""

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath

from pcgen.data.clouds import Clouds
from pcgen.data.readers import READERS
from pcgen.data.source import printable
from pcgen.files import temporary_beside

__all__ = ["file_name", "place_of", "write_folder"]

_LONGEST = 200  # bytes of a name; file systems allow 255, and temporary names are longer
_REFUSED = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{kind}{k}" for kind in ("COM", "LPT") for k in range(1, 10))}


def write_folder(target: Path, files: Iterable[tuple[PurePosixPath, bytes]]) -> None:
    """Write files by their paths into a temporary folder, which is renamed to the target when it is complete.

    Raises:
        ValueError: two files have the same path.
        OSError: it could not be written; no partial folder remains.
    """
    temporary = temporary_beside(target)
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with _writing(target):
            temporary.mkdir()
        for place, content in files:  # each may be computed here, and errors of that are not of writing
            with _writing(target):
                file = temporary / place
                if file.exists():
                    raise ValueError(
                        f"{target}: two clouds would be {place}; give the clouds different names, or write an .npz"
                    )
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
        with _writing(target):
            if target.exists():
                target.rmdir()
            os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Context in which an error of the file system says that the target could not be written."""
    try:
        yield
    except OSError as error:
        raise OSError(
            f"{target}: could not be written ({error.strerror or error}); nothing was written; free some space or "
            "choose another folder"
        ) from error


def place_of(clouds: Clouds, row: int, ending: str) -> PurePosixPath:
    """The path of a cloud's file in the folder: split and class, if known, and name.

    Raises:
        ValueError: its name, or that of its class, is not a valid file name, or two classes would have the same folder.
    """
    name = PurePosixPath(clouds.names[row])
    name = name.with_suffix("") if name.suffix.lower() in READERS else name
    label = None if clouds.labels is None else clouds.classes[int(clouds.labels[row])]
    above = [clouds.splits[row]] if clouds.splits is not None else []
    above += [label] if label is not None else []
    inner = [part for part in name.parts[:-1] if part not in above]
    if label is not None:
        _check_class(label, clouds.classes)
    parts = [*above, *inner, name.name or str(row)]
    if any(map(_is_refused, parts)):
        raise ValueError(f"names: {clouds.names[row]!r} is not a valid file name; rename the cloud, or write an .npz")
    *folders, stem = map(file_name, parts)
    return PurePosixPath(*folders, f"{stem}{ending}")


def _is_refused(part: str) -> bool:
    return part in ("..", ".") or part.startswith((".", "__", "/")) or "/" in part or "\0" in part


@lru_cache
def _check_class(label: str, classes: tuple[str, ...]) -> None:
    if _is_refused(label):
        raise ValueError(f"classes: {label!r} is not a valid folder name; rename the class, or write an .npz")
    if same := [other for other in classes if other != label and file_name(other) == file_name(label)]:
        raise ValueError(
            f"classes: {label!r} and {same[0]!r} would be one folder, {file_name(label)}; rename one, or write an .npz"
        )


def file_name(text: str) -> str:
    """The text as a name that every file system allows: other characters become `_`.

    >>> file_name('chair "A": 4/5?')
    'chair _A__ 4_5_'
    """
    clean = _REFUSED.sub("_", printable(text)).rstrip(". ") or "_"
    clean = f"_{clean}" if clean.partition(".")[0].upper() in _DEVICES else clean
    # The limit is in bytes, not letters, and leaves room for an ending.
    return clean.encode()[:_LONGEST].decode(errors="ignore")
