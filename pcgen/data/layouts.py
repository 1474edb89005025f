"""Folders of published datasets that need more than the names of their subfolders."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from pcgen.data.clouds import SPLITS
from pcgen.data.formats.arrays import listing_of, npy_shape
from pcgen.data.formats.hdf5 import read_arrays
from pcgen.data.formats.lines import text_of
from pcgen.data.formats.text import read_table
from pcgen.data.source import Listing, Raw, in_short, named, printable, too_large
from pcgen.data.synsets import class_names

__all__ = ["as_pc15k", "list_hdf5_files", "list_modelnet_text", "list_shapenet_part"]

_PC15K = (15000, 3)
_TRAIN = 10000  # of these points are for training


def list_hdf5_files(root: Path, max_bytes: int) -> Listing | None:
    """Datasets as lists of HDF5 files with `data` (S, 2048, 3), `label` and `normal`; None if there are no lists.

    ModelNet40 has `{train,test}_files.txt`, and the classes in `shape_names.txt`. ShapeNetPart has
    `{train,val,test}_hdf5_file_list.txt`, and `all_object_categories.txt` with a class and its synset per line.
    Wu et al., 2015, 3D ShapeNets: a deep representation for volumetric shapes. Yi et al., 2016, A scalable active
    framework for region annotation in 3D shape collections. Normals are kept if every file has them.

    Raises:
        ValueError: a listed file is missing, damaged or without labels, or they need more than `max_bytes`.
    """
    for ending, needed in (("_files.txt", ("train", "test")), ("_hdf5_file_list.txt", SPLITS)):
        lists = {split: root / f"{split}{ending}" for split in needed}
        if all(path.is_file() for path in lists.values()):
            break
    else:
        return None
    files = [(split, line.replace("\\", "/").rpartition("/")[2]) for split in lists for line in _entries(lists[split])]
    _check_lists(root, files)
    parts: dict[str, list[np.ndarray]] = {"points": [], "labels": [], "split": []}
    normals: list[tuple[Path, np.ndarray | None]] = []
    for split, path in lists.items():
        for line in _entries(path):
            # The paths in the lists are relative to the folder of the original code.
            file = root / line.replace("\\", "/").rpartition("/")[2]
            if not file.is_file():
                raise ValueError(f"{file}: is missing, and {path} lists it; download the dataset again")
            arrays = read_arrays(file, max_bytes)
            if "labels" not in arrays or len(arrays["labels"]) != len(arrays["points"]):
                raise ValueError(f"{file}: must have a label for each cloud; download the dataset again")
            parts["points"].append(arrays["points"])
            parts["labels"].append(arrays["labels"].reshape(-1))
            parts["split"].append(np.full(len(arrays["points"]), split))
            normals.append((file, arrays.get("normals")))
            held = [*parts["points"], *(array for _, array in normals if array is not None)]
            if (size := sum(array.nbytes for array in held)) > max_bytes:
                raise too_large(str(root), size, max_bytes)
    if not parts["points"]:
        raise ValueError(f"{root}: its lists, such as {lists['train']}, name no files; download the dataset again")
    if len(shapes := {array.shape[1:] for array in parts["points"]}) > 1:
        raise ValueError(f"{root}: its files hold clouds of different shapes, {shapes}; download the dataset again")
    pairs = zip(normals, parts["points"], strict=True)
    bare = [file for (file, array), points in pairs if not _fit(array, points)]
    notes: tuple[str, ...] = ()
    if not bare:
        parts["normals"] = [array for _, array in normals if array is not None]
    elif any(array is not None for _, array in normals):
        which = f"{len(bare)} of {len(normals)} files, such as {bare[0].name}"
        notes = (f"{root}: normals left out: {which}, have no finite one for each point",)
    whole = {key: np.concatenate(arrays) for key, arrays in parts.items()}
    if (names := root / "shape_names.txt").is_file():
        whole["classes"] = np.array(_entries(names))
    elif (names := root / "all_object_categories.txt").is_file():
        # By the synset, so that classes have the same names in both forms of ShapeNetPart, and in ShapeNet.
        whole["classes"] = np.array([line.split()[-1] for line in _entries(names)])
    return replace(listing_of(whole, root, max_bytes), notes=notes)


def _fit(normals: np.ndarray | None, points: np.ndarray) -> bool:
    """Whether a file has a finite normal for each point; the points can be used without."""
    if normals is None or normals.shape != points.shape or normals.dtype.kind not in "fiu":
        return False
    return bool(np.isfinite(normals).all())


def list_modelnet_text(root: Path, max_bytes: int) -> Listing | None:
    """ModelNet as text with normals: `<class>/<class>_<number>.txt` and `modelnet{10,40}_{train,test}.txt`.

    The lists have names of clouds, `bed_0001`; None if the folder has no lists. Qi et al., 2017, PointNet++: deep
    hierarchical feature learning on point sets in a metric space.
    """
    for number in (40, 10):
        lists = {split: root / f"modelnet{number}_{split}.txt" for split in ("train", "test")}
        if all(path.is_file() for path in lists.values()):
            break
    else:
        return None
    rows = sorted(
        (f"{name.rpartition('_')[0]}/{name}.txt", split) for split in lists for name in _entries(lists[split])
    )
    _check_lists(root, [(split, name) for name, split in rows])
    return Listing(
        names=[name for name, _ in rows],
        read=lambda row, surface_points: read_table(root / rows[row][0], max_bytes),
        labels=[name.partition("/")[0] for name, _ in rows],
        splits=[split for _, split in rows],
        places=[str(root / name) for name, _ in rows],
    )


def _check_lists(root: Path, entries: Iterable[tuple[str, str]]) -> None:
    """Check what the lists of a dataset name for each split.

    Raises:
        ValueError: a path that leads out of the dataset's folder, or that is in the lists of two splits.
    """
    found: dict[str, str] = {}
    for split, name in entries:
        if {"", ".", ".."} & set(name.replace("\\", "/").split("/")):
            raise ValueError(f"{root}: its list of {split} names {in_short(name)!r}; repair it or download it again")
        if (other := found.setdefault(name, split)) != split:
            both = " and ".join(sorted((split, other), key=SPLITS.index))
            raise ValueError(
                f"{root}: {in_short(name)} is in its lists of {both}, so that a model would be "
                "tested on what it learned; leave it out of one of them"
            )


def _entries(path: Path) -> list[str]:
    """The lines of a list that are not empty."""
    with named(path):
        return [line.strip() for line in text_of(path.read_bytes()).decode().splitlines() if line.strip()]


def list_shapenet_part(root: Path, max_bytes: int) -> Listing | None:
    """ShapeNetPart: `<synset>/<id>.txt` with x y z nx ny nz part, and `train_test_split/shuffled_*_file_list.json`.

    None if the folder has no such list. Yi et al., 2016, A scalable active framework for region annotation in 3D
    shape collections.

    Raises:
        ValueError: a list is not a JSON list of paths.
    """
    lists = {
        split: root / "train_test_split" / f"shuffled_{split}_file_list.json" for split in ("train", "val", "test")
    }
    if not all(path.is_file() for path in lists.values()):
        return None
    rows: list[tuple[str, str]] = []
    for split, path in lists.items():
        try:
            entries = json.loads(path.read_text())
            if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
                raise ValueError(f"it holds {in_short(repr(entries))}")
        except (ValueError, RecursionError) as error:
            told = in_short(error)
            raise ValueError(f"{path}: must be a JSON list of shape_data/<synset>/<id>: {told}") from None
        rows += [(split, "/".join(printable(entry).split("/")[-2:])) for entry in entries]
    _check_lists(root, rows)
    rows.sort(key=lambda row: row[1])

    def read(row: int, surface_points: int) -> Raw:
        # The seventh column is the number of each point's part.
        return replace(read_table(root / f"{rows[row][1]}.txt", max_bytes, {7: 6}), notes=())

    return Listing(
        names=[name for _, name in rows],
        read=read,
        labels=class_names(name.partition("/")[0] for _, name in rows),
        splits=[split for split, _ in rows],
        places=[str(root / f"{name}.txt") for _, name in rows],
    )


def as_pc15k(listing: Listing) -> Listing:
    """A folder's listing, as PC15k if it is that of PointFlow: points 0 to 9999 of train clouds, the rest of others.

    It is PC15k if every file is an .npy in the folder of a split, and the first that is not damaged or empty is
    (15000, 3); other listings are not changed. So training points and reference points are disjoint, as for published
    numbers. Yang et al., 2019, PointFlow: 3D point cloud generation with continuous normalizing flows.
    """
    splits, files = listing.splits, listing.files
    if not splits or not files or not all(name.lower().endswith(".npy") for name in listing.names):
        return listing
    # One damaged file, perhaps of another class than the one asked for, must not hide what the others are.
    if next((shape for file in files if (shape := _shape(file)) is not None), None) != _PC15K:
        return listing

    def read(row: int, surface_points: int) -> Raw:
        raw = listing.read(row, surface_points)
        if raw.points.shape != _PC15K:
            raise ValueError(
                f"{printable(files[row])}: must be {_PC15K} as the first good file of its folder is, got "
                f"{raw.points.shape}"
            )
        return replace(raw, points=raw.points[:_TRAIN] if splits[row] == "train" else raw.points[_TRAIN:])

    note = "PC15k: points 0 to 9999 of train clouds and 10000 to 14999 of val and test clouds, as PointFlow reads them"
    return replace(listing, read=read, notes=(*listing.notes, note))


def _shape(file: Path) -> tuple[int, ...] | None:
    """The shape that an .npy file declares; None if it has no points or cannot be read, which its reading reports."""
    try:
        shape = npy_shape(file)
    except (ValueError, OSError):
        return None
    return None if 0 in shape else shape
