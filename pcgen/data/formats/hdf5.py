"""Clouds in HDF5 files: one set under `points` or `data`, or a set for every class and split."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pcgen.data.formats.arrays import ALIASES, check_count, left_out, listing_of, named_arrays, split_names
from pcgen.data.formats.hdf5_texts import read_texts
from pcgen.data.source import Listing, Raw, in_short, told, too_large, unreadable
from pcgen.data.synsets import class_names

if TYPE_CHECKING:
    import h5py

__all__ = ["read_arrays", "read_h5"]

_DAMAGE = (OSError, RuntimeError, KeyError, TypeError, UnicodeError)  # errors of h5py for damaged files


def read_h5(path: Path, max_bytes: int) -> Listing:
    """The clouds of an HDF5 file.

    A single set is in `points` or `data`, (S, N, 3), optionally with the other arrays of an .npz file. Otherwise there
    is a group for each class, with a set (S, N, 3) for each split, as in the files of diffusion-point-cloud; each set
    is read when it is needed. A note names everything else.

    Raises:
        ValueError: it is damaged, has neither form, refers to other files, or needs more than `max_bytes`.
    """
    with _opened(path) as file:
        keys = list(file)
        if any(name in keys for name in ALIASES["points"]):
            unread = set(keys) - set(named_arrays(keys).values())
            return left_out(listing_of(_arrays(file, path, max_bytes), path, max_bytes), unread, path)
        sets, others = _sets(file, path, max_bytes)
    if not sets:
        raise ValueError(
            f"{path}: has no 'points' or 'data', nor groups CLASS/SPLIT; it has {_told(keys)}; "
            "write the clouds as 'points' (S, N, 3)"
        )
    return left_out(_by_class(path, sets, max_bytes), others, path, "parts that are not CLASS/SPLIT (S, N, 3)")


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
    arrays = {key: _read(file, name, path, max_bytes) for key, name in named_arrays(list(file)).items()}
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
        _refuse_link(file, place, path)
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


def _refuse_link(file: "h5py.File", name: str, path: Path) -> None:
    import h5py

    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        told = in_short(name.removeprefix("/"))
        raise ValueError(f"{path}: {told} is a link, which could lead to another file; copy the data into this one")


def _sets(file: "h5py.File", path: Path, max_bytes: int) -> tuple[list[tuple[str, str, int]], list[str]]:
    """Class, split and number of clouds of each set, in order; and the names of all other parts."""
    import h5py

    sets: list[tuple[str, str, int]] = []
    others: list[str] = []
    for group in sorted(file):
        _refuse_link(file, group, path)
        if not isinstance(file[group], h5py.Group):
            others.append(group)
            continue
        for split in sorted(file[group]):
            name = f"{group}/{split}"
            _refuse_link(file, name, path)
            data = file[name]
            if not isinstance(data, h5py.Dataset) or data.ndim != 3:
                others.append(name)
                continue
            if not data.shape[1]:
                raise ValueError(f"{path}: {name} must be (S, N, 3) with N >= 1, got {data.shape}")
            if data.nbytes > max_bytes:
                raise too_large(f"{path}: {name}", data.nbytes, max_bytes)
            sets.append((group, split, len(data)))
    check_count(sum(count for _, _, count in sets), path, max_bytes)
    return sets, others


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
