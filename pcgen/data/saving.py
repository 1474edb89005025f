"""Writing clouds as one .npz that `load` reads again."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pcgen.data.clouds import Clouds
from pcgen.files import write_whole

__all__ = ["save"]


def save(path: str | Path, clouds: Clouds | Tensor, *, overwrite: bool = False) -> Path:
    """Write clouds to an .npz: `points` (S, N, 3) and, where known, `normals`, `labels`, `classes`, `names`, `split`.

    The file is there whole or not at all.

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
    arrays = _arrays(clouds)
    write_whole(path, lambda file: np.savez(file, allow_pickle=False, **arrays))
    return path


def _arrays(clouds: Clouds) -> dict[str, NDArray[np.generic]]:
    arrays = {"points": clouds.points.numpy(), "names": np.array(clouds.names)}
    if clouds.normals is not None:
        arrays["normals"] = clouds.normals.numpy()
    if clouds.labels is not None:
        arrays["labels"], arrays["classes"] = clouds.labels.numpy(), np.array(clouds.classes)
    if clouds.splits is not None:
        arrays["split"] = np.array(clouds.splits)
    return arrays
