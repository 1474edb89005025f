"""Recognition of a path: a file of many clouds, a file of one, a folder of files, or a known dataset."""

from pathlib import Path

from pcgen.data.folders import list_folder
from pcgen.data.formats.arrays import listing_of, read_npy, read_npz
from pcgen.data.formats.hdf5 import read_h5
from pcgen.data.layouts import as_pc15k, list_hdf5_files, list_modelnet_text, list_shapenet_part
from pcgen.data.readers import READERS, read_cloud
from pcgen.data.source import Listing, printable

__all__ = ["list_path"]

_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".joblib")


def list_path(path: Path, seed: int, max_bytes: int) -> Listing:
    """List the clouds of a file or folder.

    Raises:
        PermissionError: it cannot be read.
        ValueError: it is of an unknown kind, empty, or damaged.
    """
    if path.is_dir():
        for layout in (list_hdf5_files, list_modelnet_text, list_shapenet_part):
            if (known := layout(path, max_bytes)) is not None:
                return known
        return as_pc15k(list_folder(path, seed, max_bytes))
    if not path.is_file():
        raise ValueError(f"{printable(path)}: is neither a file nor a folder; write its content into a file first")
    with path.open("rb"):
        pass  # report a missing permission before a reader could report damage
    ending = path.suffix.lower()
    if ending == ".npz":
        return read_npz(path, max_bytes)
    if ending in (".h5", ".hdf5"):
        return read_h5(path, max_bytes)
    if ending == ".npy":
        return listing_of({"points": read_npy(path, max_bytes)}, path, max_bytes)
    if ending in READERS:
        # The only name is that of the file, which may be renamed, so random choices depend on the seed only.
        return Listing(
            names=[printable(path.name)],
            read=lambda _, points: read_cloud(path, points, "", seed, max_bytes),
            places=[printable(path)],
            content=lambda _: "",
        )
    if ending in _PICKLES:
        raise ValueError(
            f"{path}: is a pickle, which can run code when it is opened, so pcgen never opens it; if you trust it, "
            "open it yourself, save its numbers with numpy.save as (S, N, 3) float32, and pack them with `pcgen data "
            "convert`"
        )
    kinds = ", ".join([".npz", ".h5", *READERS])
    raise ValueError(
        f"{path}: files ending in {ending or 'nothing'!r} are not supported; give one of {kinds}, or a folder"
    )
