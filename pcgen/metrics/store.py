"""Finished parts of matrices on disk, named by the hash of their inputs, so that a killed evaluation can continue."""

import contextlib
import hashlib
import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import pcgen

__all__ = ["TileStore", "digests"]

_TILE = re.compile(r"[0-9a-f]{32}\.(npz|part\d+)")


def digests(clouds: Tensor) -> list[str]:
    """A hash of each cloud's points, type and shape."""
    rows = clouds.detach().cpu().contiguous().numpy()
    kind = f"{rows.dtype} {rows.shape[1:]}".encode()
    return [hashlib.sha256(kind + row.tobytes()).hexdigest() for row in rows]


class TileStore:
    """A folder of tiles; each file's name is the hash of the distance, the library's version and the clouds.

    A tile consists of tensors by name. The folder is created with the first tile.
    """

    def __init__(self, folder: Path | str) -> None:
        """Set the folder.

        Raises:
            ValueError: the path exists and is not a folder.
        """
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"{self.folder}: must be a folder for finished tiles, but is a file; choose another name")

    def get(self, distance: str, clouds: Sequence[str]) -> dict[str, Tensor] | None:
        """The tile of these clouds, or None if it is not stored.

        Raises:
            ValueError: the file is damaged.
        """
        path = self._path(distance, clouds)
        try:
            with np.load(path, allow_pickle=False) as file:
                return {name: torch.from_numpy(file[name]) for name in file}
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path}: must be a tile of distances, but is damaged ({error}); delete it") from error

    def put(self, distance: str, clouds: Sequence[str], values: Mapping[str, Tensor]) -> None:
        """Write a tile atomically, replacing an older one.

        Raises:
            OSError: it cannot be written; no partial file remains.
        """
        path = self._path(distance, clouds)
        part = path.with_suffix(f".part{os.getpid()}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                np.savez(file, allow_pickle=False, **{name: value.numpy() for name, value in values.items()})
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink()
            raise OSError(
                f"{self.folder}: finished tiles cannot be written there ({error.strerror or error}); free some space "
                "or choose another folder; older tiles are intact"
            ) from error

    def clear(self) -> None:
        """Delete all tiles, and the folder if nothing else is in it."""
        if not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            if _TILE.fullmatch(path.name):
                path.unlink()
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _path(self, distance: str, clouds: Sequence[str]) -> Path:
        text = "\n".join((pcgen.__version__, distance, *clouds))
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npz"
