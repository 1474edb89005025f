"""Writing clouds: a set as one .npz that `load` reads again, one cloud as .ply or .xyz, or a folder of .ply files."""

import os
import shutil
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pcgen.data.clouds import Clouds
from pcgen.data.origin import ZERO
from pcgen.data.readers import READERS
from pcgen.data.writing import WRITERS
from pcgen.files import write_whole

__all__ = ["check_target", "save"]


def save(path: str | Path, clouds: Clouds | Tensor, *, overwrite: bool = False) -> Path:
    """Write clouds as what the path's ending says; a file is there whole or not at all.

    - `.npz`: the set as it is: `points` (S, N, 3), `names`, `up` (y) and, where known, `normals`, `labels`, `classes`,
      `split`, `boxes` (S, K, 6) and `counts` (S,) of scenes, and `origin` where that is not 0.
    - `.ply` (binary, little endian) or `.xyz` (text): a set of one cloud, in true coordinates, with its normals.
    - a folder, whose name ends in `/`: one .ply for each cloud, by its name, in folders of its split and class where
      these are known. The folder must be new or empty.

    Boxes of scenes are kept by .npz alone.

    Args:
        path: the file; a folder's name as text ending in `/`.
        clouds: the set; or true coordinates (S, N, 3), float32 or float64.
        overwrite: replace a file that is there; a folder is never replaced.

    Raises:
        ValueError: the path has another ending, a file of one cloud is asked for of more, a tensor is no (S, N, 3), or
            a cloud's name is no name of a file within the folder.
        FileNotFoundError: the folder to write in is not there.
        FileExistsError: the file is there and `overwrite` is False, or the folder is there and not empty.
        OSError: it could not be written; what was there before is whole.
    """
    target = check_target(path, overwrite)
    clouds = Clouds.of(clouds.detach().cpu()) if isinstance(clouds, Tensor) else clouds
    if _is_folder(path):
        _save_folder(target, clouds)
        return target
    if target.suffix == ".npz":
        arrays = _arrays(clouds)
        write_whole(target, lambda file: np.savez(file, allow_pickle=False, **arrays))
        return target
    if len(clouds) != 1:
        folder = f"{target.with_suffix('')}/"
        raise ValueError(
            f"{target}: a {target.suffix} file holds one cloud, got {len(clouds)}; "
            f"name it {target.with_suffix('.npz')}, or {folder} for a folder of .ply files"
        )
    write_whole(target, _file(clouds, 0, target.suffix))
    return target


def check_target(path: str | Path, overwrite: bool, make_folder: bool = False) -> Path:
    """The path, if `save` can write to it.

    Args:
        path: as for `save`.
        overwrite: whether a file that is there may be replaced.
        make_folder: make the folder to write in, if it is not there.

    Raises:
        ValueError: it has another ending.
        FileNotFoundError: the folder to write in is not there.
        FileExistsError: it is there and must not be replaced.
        PermissionError: the folder to write in cannot be made or written to.
    """
    target = Path(path)
    folder = _is_folder(path)
    if not folder and target.suffix not in (".npz", *WRITERS):
        raise ValueError(
            f"{target}: must end in .npz, in {' or '.join(WRITERS)} for one cloud, or in / for a folder of .ply files, "
            f"got {target.suffix or 'no ending'!r}; name it {target.with_suffix('.npz')}"
        )
    if make_folder:
        _make(target.parent)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target}: there is no folder {target.parent}; make it first")
    if folder and target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(f"{target}: exists and is no empty folder; choose another name")
    if not folder and target.exists() and not overwrite:
        raise FileExistsError(f"{target}: exists; choose another name, or replace it with overwrite=True (--overwrite)")
    return target


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise PermissionError(f"{folder}: is no folder that can be written to; choose another one")


def _is_folder(path: str | Path) -> bool:
    return str(path).endswith(("/", os.sep)) or Path(path).is_dir()


def _arrays(clouds: Clouds) -> dict[str, NDArray[np.generic]]:
    arrays = {"points": clouds.points.numpy(), "names": np.array(clouds.names), "up": np.array("y")}
    if clouds.normals is not None:
        arrays["normals"] = clouds.normals.numpy()
    if clouds.labels is not None:
        arrays["labels"], arrays["classes"] = clouds.labels.numpy(), np.array(clouds.classes)
    if clouds.boxes is not None and clouds.counts is not None:
        arrays["boxes"], arrays["counts"] = clouds.boxes.numpy(), clouds.counts.numpy()
    if clouds.splits is not None:
        arrays["split"] = np.array(clouds.splits)
    if clouds.origin != ZERO:
        arrays["origin"] = np.array(clouds.origin)
    return arrays


def _file(clouds: Clouds, row: int, ending: str) -> bytes:
    points = clouds.select([row]).coordinates[0].numpy()
    return WRITERS[ending](points, None if clouds.normals is None else clouds.normals[row].numpy())


def _save_folder(target: Path, clouds: Clouds) -> None:
    """Write every cloud below a folder beside the target, and give that its name when it is whole."""
    places = [_place(clouds, row) for row in range(len(clouds))]
    if len(set(places)) < len(places):
        twice = next(place for row, place in enumerate(places) if place in places[:row])
        raise ValueError(f"{target}: two clouds would be {twice}; give the clouds different names, or write an .npz")
    temporary = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir()
        for row, place in enumerate(places):
            file = temporary / place
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(_file(clouds, row, ".ply"))
        if target.exists():
            target.rmdir()
        os.replace(temporary, target)
    except OSError as error:
        raise OSError(
            f"{target}: could not be written ({error.strerror or error}); nothing was written; free some space or "
            "choose another folder"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _place(clouds: Clouds, row: int) -> PurePosixPath:
    """Where a cloud's file stands in the folder: by split and class, where they are known, and name."""
    name = PurePosixPath(clouds.names[row])
    name = name.with_suffix("") if name.suffix.lower() in READERS else name
    label = None if clouds.labels is None else clouds.classes[int(clouds.labels[row])]
    above = [clouds.splits[row]] if clouds.splits is not None else []
    above += [label] if label is not None else []
    inner = [part for part in name.parts[:-1] if part not in above]
    parts = [*above, *inner, f"{name.name or row}.ply"]
    if any(part in ("..", ".") or part.startswith((".", "__", "/")) or "/" in part or "\0" in part for part in parts):
        raise ValueError(
            f"names: {clouds.names[row]!r} is no name of a file within a folder; rename the cloud, or write an .npz"
        )
    return PurePosixPath(*parts)
