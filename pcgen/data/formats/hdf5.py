"""Clouds in HDF5 files: one set under `points` or `data`, or a set for every class and split."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pcgen.data.formats.arrays import check_count, listing_of, split_names
from pcgen.data.formats.hdf5_texts import read_texts
from pcgen.data.source import Listing, Raw, in_short, told, too_large, unreadable
from pcgen.data.synsets import class_names

if TYPE_CHECKING:
    import h5py

__all__ = ["read_arrays", "read_h5"]

_DAMAGE = (OSError, RuntimeError, KeyError, TypeError, UnicodeError)  # errors of h5py for damaged files
_NAMES = {
    "points": ("points", "data"),
    "normals": ("normals", "normal"),
    "labels": ("labels", "label"),
    "classes": ("classes",),
    "names": ("names",),
    "split": ("split", "splits"),
}


def read_h5(path: Path, max_bytes: int) -> Listing:
    """The clouds of an HDF5 file.

    A single set is in `points` or `data`, (S, N, 3), optionally with `normals`, `labels`, `classes`, `names` and
    `split`. Otherwise there is a group for each class, with a set (S, N, 3) for each split, as in the files of
    diffusion-point-cloud; each set is read when it is needed.

    Raises:
        ValueError: it is damaged, has neither form, refers to other files, or needs more than `max_bytes`.
    """
    with _opened(path) as file:
        keys = list(file)
        if any(name in keys for name in _NAMES["points"]):
            return listing_of(_arrays(file, path, max_bytes), path, max_bytes)
        sets = _sets(file, path, max_bytes)
    if not sets:
        raise ValueError(
            f"{path}: has no 'points' or 'data', nor groups CLASS/SPLIT; it has {_told(keys)}; "
            "write the clouds as 'points' (S, N, 3)"
        )
    return _by_class(path, sets, max_bytes)


def read_arrays(path: Path, max_bytes: int) -> dict[str, NDArray[Any]]:
    """The arrays of a file with a single set of clouds, by the names of .npz files.

    Raises:
        ValueError: as `read_h5`.
    """
    with _opened(path) as file:
        return _arrays(file, path, max_bytes)


@contextmanager
def _opened(path: Path) -> "Iterator[h5py.File]":
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield file
    except (PermissionError, BlockingIOError) as error:  # the latter if another program has it open for writing
        raise unreadable(path, error) from None
    except _DAMAGE as error:
        raise ValueError(f"{path}: is not a complete HDF5 file: {in_short(error)}; write it again") from None
    except ValueError as error:  # also from the library, for types that NumPy does not have
        raise ValueError(told(str(path), error)) from None


def _arrays(file: "h5py.File", path: Path, max_bytes: int) -> dict[str, NDArray[Any]]:
    found = {key: next((name for name in names if name in file), None) for key, names in _NAMES.items()}
    arrays = {key: _read(file, name, path, max_bytes) for key, name in found.items() if name is not None}
    if "points" not in arrays:
        raise ValueError(f"{path}: has no 'points' or 'data', it has {_told(list(file))}")
    return arrays


def _told(keys: list[str]) -> str:
    return in_short(", ".join(map(str, keys))) or "nothing"


def _read(file: "h5py.File", name: str, path: Path, max_bytes: int) -> NDArray[Any]:
    """One array, if its bytes are in this file and within the limit."""
    import h5py

    place = ""
    for part in name.split("/"):
        place = f"{place}/{part}"
        if not isinstance(file.get(place, getlink=True), h5py.HardLink):
            raise ValueError(f"{path}: {name} is a link, which could lead to another file; copy the data into this one")
    data = file[name]
    if not isinstance(data, h5py.Dataset):
        raise ValueError(f"{path}: {name} is a group; it must be an array")
    if data.is_virtual or data.external:
        raise ValueError(f"{path}: {name} keeps its data in other files, which are not opened; copy them into this one")
    # The library unpacks whole chunks, which may be larger than the array.
    size = max(data.nbytes, math.prod(data.chunks or (0,)) * data.dtype.itemsize)
    if size > max_bytes:
        raise too_large(f"{path}: {name}", size, max_bytes)
    if data.dtype.kind != "O":
        return np.asarray(data[()])
    if h5py.check_string_dtype(data.dtype) is None:
        raise ValueError(f"{path}: {name} holds objects of varying size; it must be an array of numbers")
    return np.array(read_texts(data, f"{path}: {name}", path, max_bytes), dtype=object).reshape(data.shape)


def _sets(file: "h5py.File", path: Path, max_bytes: int) -> list[tuple[str, str, int]]:
    """Class, split and number of clouds of each set, in order."""
    import h5py

    sets = []
    for group in sorted(file):
        if not isinstance(file.get(group, getlink=True), h5py.HardLink) or not isinstance(file[group], h5py.Group):
            continue
        for split in sorted(file[group]):
            link = file[group].get(split, getlink=True)
            data = file[group][split] if isinstance(link, h5py.HardLink) else None
            if isinstance(data, h5py.Dataset) and data.ndim == 3:
                if not data.shape[1]:
                    raise ValueError(f"{path}: {group}/{split} must be (S, N, 3) with N >= 1, got {data.shape}")
                if data.nbytes > max_bytes:
                    raise too_large(f"{path}: {group}/{split}", data.nbytes, max_bytes)
                sets.append((group, split, len(data)))
    check_count(sum(count for _, _, count in sets), path, max_bytes)
    return sets


def _by_class(path: Path, sets: list[tuple[str, str, int]], max_bytes: int) -> Listing:
    places = [(number, row) for number, (_, _, count) in enumerate(sets) for row in range(count)]
    arrays: dict[int, NDArray[Any]] = {}

    def read(row: int, surface_points: int) -> Raw:
        number, place = places[row]
        if number not in arrays:
            label, split, _ = sets[number]
            arrays.clear()  # rows are read in order, so one set at a time is sufficient
            with _opened(path) as file:
                arrays[number] = _read(file, f"{label}/{split}", path, max_bytes)
        return Raw(arrays[number][place])

    splits = split_names([split for _, split, _ in sets], path)
    return Listing(
        names=[f"{sets[number][0]}/{sets[number][1]}/{row}" for number, row in places],
        read=read,
        labels=class_names(sets[number][0] for number, _ in places),
        splits=[splits[number] for number, _ in places],
        places=[f"{path}: {sets[number][0]}/{sets[number][1]}: cloud {row}" for number, row in places],
    )
