"""Finished tiles on disk, named by the hash of their inputs, so that a killed evaluation goes on."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import pcgen

__all__ = ["TileStore", "digests"]


def digests(clouds: Tensor) -> list[str]:
    """A hash of each cloud's points, type and shape: equal for equal clouds alone."""
    rows = clouds.detach().cpu().contiguous().numpy()
    kind = f"{rows.dtype} {rows.shape[1:]}".encode()
    return [hashlib.sha256(kind + row.tobytes()).hexdigest() for row in rows]


class TileStore:
    """A folder of tiles; each file's name is the hash of the distance, the library's version and the clouds."""

    def __init__(self, folder: Path | str) -> None:
        """Make the folder if it is not there.

        Raises:
            ValueError: there is something of that name that is no folder.
        """
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"{self.folder}: must be a folder to keep finished tiles in, is a file; name another one")
        self.folder.mkdir(parents=True, exist_ok=True)

    def get(self, distance: str, clouds: Sequence[str]) -> Tensor | None:
        """The tile of these clouds, (rows, columns) float64, or None where it has not been computed.

        Raises:
            ValueError: the file is not a whole tile.
        """
        path = self._path(distance, clouds)
        try:
            return torch.from_numpy(np.load(path, allow_pickle=False))
        except FileNotFoundError:
            return None
        except (ValueError, EOFError) as error:
            raise ValueError(f"{path}: must be a tile of distances, is damaged ({error}); delete it") from error

    def put(self, distance: str, clouds: Sequence[str], values: Tensor) -> None:
        """Write a tile whole or not at all."""
        path = self._path(distance, clouds)
        part = path.with_suffix(f".part{os.getpid()}")
        with part.open("wb") as file:
            np.save(file, values.numpy())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)

    def _path(self, distance: str, clouds: Sequence[str]) -> Path:
        text = "\n".join((pcgen.__version__, distance, *clouds))
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npy"
