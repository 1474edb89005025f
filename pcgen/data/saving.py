"""Writing clouds as one .npz that `load` reads again."""

import contextlib
import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pcgen.data.clouds import Clouds

__all__ = ["save"]


def save(path: str | Path, clouds: Clouds | Tensor, *, overwrite: bool = False) -> Path:
    """Write clouds to an .npz: `points` (S, N, 3) and, where known, `normals`, `labels`, `classes`, `names`, `split`.

    The file is there whole or not at all: it is written beside its place and moved there.

    Raises:
        ValueError: the path does not end in .npz, or a tensor is no float32 (S, N, 3).
        FileNotFoundError: the folder is not there.
        FileExistsError: the file is there and `overwrite` is False.
        OSError: it could not be written; what was there before is whole.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"{path}: must end in .npz, got {path.suffix!r}; name it {path.with_suffix('.npz')}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}; make it first")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path}: exists; choose another name, or replace it with overwrite=True (--overwrite)")
    if isinstance(clouds, Tensor):
        clouds = Clouds(clouds.detach().cpu())
    try:
        _write(path, _arrays(clouds))
    except OSError as error:  # its own text names the draft, which the user never sees
        reason = error.strerror or error
        raise OSError(f"{path}: could not be written ({reason}); choose another folder") from error
    return path


def _write(path: Path, arrays: dict[str, NDArray[np.generic]]) -> None:
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(draft, 0o666 & ~_umask())
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)
        raise


def _arrays(clouds: Clouds) -> dict[str, NDArray[np.generic]]:
    arrays = {"points": clouds.points.numpy(), "names": np.array(clouds.names)}
    if clouds.normals is not None:
        arrays["normals"] = clouds.normals.numpy()
    if clouds.labels is not None:
        arrays["labels"], arrays["classes"] = clouds.labels.numpy(), np.array(clouds.classes)
    if clouds.splits is not None:
        arrays["split"] = np.array(clouds.splits)
    return arrays


def _umask() -> int:
    """The process's mask for new files, which temporary files do not follow."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
