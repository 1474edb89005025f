"""Folders of published datasets that need more than the names of their subfolders."""

import json
from pathlib import Path

import numpy as np

from pcgen.data.formats.arrays import listing_of
from pcgen.data.formats.hdf5 import read_arrays
from pcgen.data.formats.text import read_table
from pcgen.data.source import Listing, Raw, too_large
from pcgen.data.synsets import class_names

__all__ = ["list_modelnet40", "list_shapenet_part"]


def list_modelnet40(root: Path, max_bytes: int) -> Listing | None:
    """ModelNet40 as HDF5: `{train,test}_files.txt` name files with `data` (S, 2048, 3) and `label`, in this folder.

    None where the folder holds no such list. Wu et al., 2015, 3D ShapeNets: a deep representation for volumetric
    shapes.

    Raises:
        ValueError: a file that is listed is missing or damaged, or they hold more than `max_bytes`.
    """
    lists = {split: root / f"{split}_files.txt" for split in ("train", "test")}
    if not all(path.is_file() for path in lists.values()):
        return None
    parts: dict[str, list[np.ndarray]] = {"points": [], "labels": [], "split": []}
    for split, path in lists.items():
        for line in path.read_text().split():
            # The lists give paths from the folder of the code they were made for.
            file = root / line.replace("\\", "/").rpartition("/")[2]
            if not file.is_file():
                raise ValueError(f"{file}: is missing, and {path} lists it; download the dataset again")
            arrays = read_arrays(file, max_bytes)
            parts["points"].append(arrays["points"])
            parts["labels"].append(arrays["labels"].reshape(-1))
            parts["split"].append(np.full(len(arrays["points"]), split))
            if (size := sum(array.nbytes for array in parts["points"])) > max_bytes:
                raise too_large(str(root), size, max_bytes)
    whole = {key: np.concatenate(arrays) for key, arrays in parts.items()}
    if (names := root / "shape_names.txt").is_file():
        whole["classes"] = np.array(names.read_text().split())
    return listing_of(whole, root)


def list_shapenet_part(root: Path, max_bytes: int) -> Listing | None:
    """ShapeNetPart: `<synset>/<id>.txt` of x y z nx ny nz part, and `train_test_split/shuffled_*_file_list.json`.

    None where the folder holds no such list. Yi et al., 2016, A scalable active framework for region annotation in 3D
    shape collections.

    Raises:
        ValueError: a list is no JSON list of paths.
    """
    lists = {
        split: root / "train_test_split" / f"shuffled_{split}_file_list.json" for split in ("train", "val", "test")
    }
    if not all(path.is_file() for path in lists.values()):
        return None
    rows: list[tuple[str, str]] = []
    for split, path in lists.items():
        try:
            rows += [(split, "/".join(str(entry).split("/")[-2:])) for entry in json.loads(path.read_text())]
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: must be a JSON list of shape_data/<synset>/<id>: {error}") from None
    rows.sort(key=lambda row: row[1])

    def read(row: int, surface_points: int) -> Raw:
        table = read_table(root / f"{rows[row][1]}.txt", max_bytes, columns=(7,)).points
        return Raw(table[:, :6])

    return Listing(
        names=[name for _, name in rows],
        read=read,
        labels=class_names(name.partition("/")[0] for _, name in rows),
        splits=[split for split, _ in rows],
        places=[str(root / f"{name}.txt") for _, name in rows],
    )
