"""Writing of clouds: a set as one .npz that `load` can read, one cloud as .ply, .xyz or .obj, or a folder of those."""

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pcgen.data.clouds import Clouds, refuse_not_finite
from pcgen.data.file_names import place_of, write_folder
from pcgen.data.origin import ZERO
from pcgen.data.surface import Mesh
from pcgen.data.writing import MESH_WRITERS, WRITERS
from pcgen.errors import choose
from pcgen.files import write_whole

__all__ = ["FORMATS", "check_mesh_target", "check_target", "save", "save_meshes"]

FORMATS = tuple(ending[1:] for ending in WRITERS)
"""Formats of files of one cloud in a folder."""


def save(path: str | Path, clouds: Clouds | Tensor, *, format: str | None = None, overwrite: bool = False) -> Path:
    """Write clouds in the format of the path's ending, atomically.

    - `.npz`: the whole set: `points` (S, N, 3), `names`, `up` (y) and, if known, `normals`, `labels`, `classes`,
      `split`, `boxes` (S, K, 6) and `counts` (S,) of scenes, `origin` if it is not 0, and `keys` (S,) of the random
      choices for each cloud if they are not its name, so that these stay the same.
    - `.ply` (binary, little endian), `.xyz` (text) or `.obj` (vertices without faces): a set of one cloud, in true
      coordinates, with its normals.
    - a folder, whose name ends in `/`: one such file for each cloud, by its name, in folders of its split and class if
      these are known. The folder must be new or empty. Characters that file systems do not allow become `_`.

    Only .npz stores boxes of scenes, and `load` does not read the normals of an .obj.

    Args:
        path: the file; a folder's name as text ending in `/`.
        clouds: the set; or true coordinates (S, N, 3), float32 or float64.
        format: of the files of a folder, "ply" (default), "xyz" or "obj".
        overwrite: whether to replace an existing file; a folder is never replaced.

    Raises:
        ValueError: the path has another ending, a file for one cloud is given for several clouds, a tensor is not
            (S, N, 3), a coordinate is NaN or infinite, a format is given for one file, or the name of a cloud or class
            is not a valid file name.
        FileNotFoundError: the parent folder does not exist.
        FileExistsError: the file exists and `overwrite` is False, or the folder exists and is not empty.
        OSError: it could not be written; an older file is intact.
    """
    clouds = Clouds.of(clouds) if isinstance(clouds, Tensor) else clouds
    refuse_not_finite(clouds.points, clouds.names)
    # Clouds may be on a GPU, or have a gradient.
    held: dict[str, Any] = {name: x.detach().cpu() for name, x in vars(clouds).items() if isinstance(x, Tensor)}
    clouds = replace(clouds, **held)
    target = check_target(path, overwrite, format=format, count=len(clouds))
    if _is_folder(path):
        ending = f".{format or 'ply'}"
        # An invalid name is reported before the first file is written.
        places = [place_of(clouds, row, ending) for row in range(len(clouds))]
        write_folder(target, ((place, _file(clouds, row, ending)) for row, place in enumerate(places)))
    elif target.suffix == ".npz":
        arrays = _arrays(clouds)
        write_whole(target, lambda file: np.savez(file, allow_pickle=False, **arrays))
    else:
        write_whole(target, _file(clouds, 0, target.suffix))
    return target


def check_target(
    path: str | Path,
    overwrite: bool,
    make_folder: bool = False,
    format: str | None = None,
    count: int | None = None,
) -> Path:
    """The path, if `save` can write to it.

    Args:
        path: as for `save`.
        overwrite: whether an existing file may be replaced.
        make_folder: whether to create the parent folder if it does not exist.
        format: as for `save`.
        count: number of clouds that will be written, if known.

    Raises:
        ValueError: it has another ending, or is for one cloud but `count` is not 1; or the format is unknown, or given
            for one file.
        FileNotFoundError: the parent folder does not exist.
        FileExistsError: it exists and must not be replaced.
        PermissionError: the parent folder cannot be created or written.
    """
    target = Path(path)
    folder = _is_folder(path)
    if format is not None:
        choose(format, FORMATS, "format")
        _check_format_of_folder(target, folder, format)
    if not folder and target.suffix not in (".npz", *WRITERS):
        raise ValueError(
            f"{target}: must end in .npz, in {' or '.join(WRITERS)} for one cloud, or in / for a folder of such files, "
            f"got {target.suffix or 'no ending'!r}; name it {target.with_suffix('.npz')}"
        )
    if not folder and target.suffix != ".npz" and count not in (None, 1):
        stem = target.with_suffix("")
        raise ValueError(
            f"{target}: a {target.suffix} file holds one cloud, got {count}; name it {target.with_suffix('.npz')}, or "
            f"{stem}/ for a folder of files, with format {target.suffix[1:]} (--format)"
        )
    return _free(target, folder, overwrite, make_folder)


def save_meshes(
    path: str | Path, meshes: Iterable[tuple[Clouds, Mesh]], *, format: str | None = None, overwrite: bool = False
) -> Path:
    """Write meshes of clouds: one as .ply or .obj, or a folder of such files, with names as in `save`.

    Args:
        path: the file; a folder's name as text ending in `/`.
        meshes: each with its cloud, a set of one.
        format: of the files of a folder, "ply" (default) or "obj".
        overwrite: whether to replace an existing file; a folder is never replaced.

    Raises:
        ValueError: as `check_mesh_target`; or the path is one file, but there is not exactly one mesh.
        FileNotFoundError: the parent folder does not exist.
        FileExistsError: the file exists and `overwrite` is False, or the folder exists and is not empty.
        OSError: it could not be written; an older file is intact.
    """
    target = check_mesh_target(path, overwrite, format=format)
    ending = f".{format or 'ply'}"
    if _is_folder(path):
        files = ((place_of(cloud, 0, ending), MESH_WRITERS[ending](mesh)) for cloud, mesh in meshes)
        write_folder(target, files)
        return target
    made = [mesh for _, mesh in meshes]
    check_mesh_target(path, overwrite, count=len(made))
    write_whole(target, MESH_WRITERS[target.suffix](made[0]))
    return target


def check_mesh_target(
    path: str | Path,
    overwrite: bool,
    make_folder: bool = False,
    format: str | None = None,
    count: int | None = None,
) -> Path:
    """The path, if `save_meshes` can write to it; arguments and errors are those of `check_target`.

    Raises:
        ValueError: it has another ending than .ply or .obj, or is for one mesh but `count` is not 1; or the format is
            unknown, or given for one file.
    """
    target, folder = Path(path), _is_folder(path)
    if format is not None:
        choose(format, [ending[1:] for ending in MESH_WRITERS], "format")
        _check_format_of_folder(target, folder, format)
    if not folder and target.suffix not in MESH_WRITERS:
        raise ValueError(
            f"{target}: must end in {' or '.join(MESH_WRITERS)} for one mesh, or in / for a folder of them, got "
            f"{target.suffix or 'no ending'!r}"
        )
    if not folder and count not in (None, 1):
        raise ValueError(f"{target}: holds one mesh, got {count}; name a folder, {target.with_suffix('')}/")
    return _free(target, folder, overwrite, make_folder)


def _check_format_of_folder(target: Path, folder: bool, format: str) -> None:
    if not folder:
        raise ValueError(
            f"format: is for the files of a folder, got {format!r} for {target}; name a folder, {target}/, or leave it "
            "out"
        )


def _free(target: Path, folder: bool, overwrite: bool, make_folder: bool) -> Path:
    """The target, if it can be written."""
    if make_folder:
        _make(target.parent)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target}: there is no folder {target.parent}; make it first")
    if folder and target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(f"{target}: exists and is not an empty folder; choose another name")
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
        raise PermissionError(f"{folder}: is not a folder that can be written to; choose another one")


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
    if clouds.keys != clouds.names:
        arrays["keys"] = np.array(clouds.keys)
    if clouds.origin != ZERO:
        arrays["origin"] = np.array(clouds.origin)
    return arrays


def _file(clouds: Clouds, row: int, ending: str) -> bytes:
    points = clouds.select([row]).coordinates[0].numpy()
    return WRITERS[ending](points, None if clouds.normals is None else clouds.normals[row].numpy())
