"""Clouds in NumPy's files: .npy with one array, .npz with the array `points` and properties of each cloud."""

import errno
import hashlib
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pcgen.data.axes import UP_AXES
from pcgen.data.boxes import check_boxes
from pcgen.data.clouds import SPLITS
from pcgen.data.origin import ZERO, Triple
from pcgen.data.source import Listing, Raw, decode, in_short, printable, too_large, unreadable
from pcgen.data.synsets import class_names
from pcgen.errors import choose

__all__ = [
    "ALIASES",
    "SPLIT_NAMES",
    "check_count",
    "left_out",
    "listing_of",
    "named_arrays",
    "npy_shape",
    "read_npy",
    "read_npz",
    "split_names",
]

# The names of splits in datasets.
SPLIT_NAMES = {
    **{split: split for split in SPLITS},
    "training": "train",
    "valid": "val",
    "validation": "val",
    "testing": "test",
}

# What zipfile raises for damaged files, and for unknown compression.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, UnicodeError)
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

# The names of arrays in files, of any format, of which the first that is there counts.
ALIASES = {
    "points": ("points", "data"),
    "normals": ("normals", "normal"),
    "labels": ("labels", "label"),
    "classes": ("classes",),
    "names": ("names",),
    "keys": ("keys",),
    "split": ("split", "splits"),
    "origin": ("origin",),
    "up": ("up",),
    "boxes": ("boxes",),
    "counts": ("counts",),
}
_TEXTS = [name for key in ("labels", "classes", "names", "keys", "split", "up") for name in ALIASES[key]]

_NAMED = 300  # bytes of a cloud's name, place, class and split in lists


def _header(file: IO[bytes], what: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and type that an .npy stream declares."""
    try:
        version = np.lib.format.read_magic(file)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, _, dtype = header(file)
    except Exception as error:  # the header is Python text: damage may raise any error of the parser
        told = in_short(error)
        raise ValueError(f"{what}: is not a NumPy array: {told}; write it with numpy.save or numpy.savez") from None
    return shape, dtype


def _array(file: IO[bytes], size: int, what: str, max_bytes: int) -> NDArray[Any]:
    """The array of an .npy stream of `size` bytes; the header is checked against this size before numbers are read."""
    shape, dtype = _header(file, what)
    if dtype.hasobject:
        raise ValueError(
            f"{what}: holds pickled objects, which can run code when they are opened, so pcgen never opens them; if "
            f"you trust the file, open it yourself and {_instead(what.rpartition(': ')[2])}"
        )
    declared = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if declared > max_bytes:
        raise too_large(what, declared, max_bytes)
    if declared != size - file.tell():
        raise ValueError(
            f"{what}: declares {'x'.join(map(str, shape))} {dtype}, {declared} bytes, and has {size - file.tell()}; "
            "the file is damaged or was not written to its end: write it again"
        )
    file.seek(0)
    try:
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    except ValueError as error:
        raise ValueError(f"{what}: is damaged: {in_short(error)}; write it again") from None
    return array


def _instead(key: str) -> str:
    """What to do with an array of objects, by its name in its file."""
    if key in _TEXTS:
        return f"save them as text: {key}={key}.astype(str)"
    return "save its numbers with numpy.save as (S, N, 3) float32, and pack them with `pcgen data convert`"


def npy_shape(path: Path) -> tuple[int, ...]:
    """The shape that an .npy file declares; its numbers are not read.

    Raises:
        ValueError: the header is damaged.
    """
    with path.open("rb") as file:
        return _header(file, str(path))[0]


def read_npy(path: Path, max_bytes: int) -> NDArray[Any]:
    """The array of an .npy file.

    Raises:
        ValueError: it is damaged, holds objects, or is larger than `max_bytes`.
    """
    with path.open("rb") as file:
        return _array(file, path.stat().st_size, str(path), max_bytes)


def read_npz(path: Path, max_bytes: int) -> Listing:
    """The clouds of an .npz file: `points` (S, N, 3), and `normals`, `labels`, `classes`, `names`, `split` if there.

    `data`, `normal`, `label` and `splits` are other names of these; a note names all other arrays. The points are
    relative to `origin` (3,); `up` is the name of the axis that points up. Scenes have `boxes` (S, K, 6), the centre
    and size of each shape, NaN if there is none; `counts` (S,) are the numbers of boxes. `keys` (S,), which `save`
    writes, are the keys of the clouds' random choices if these are not the names.

    Raises:
        ValueError: it is damaged, has no `points`, holds objects, or is larger than `max_bytes` when unpacked.
    """
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist()}
            named = named_arrays(members)
            if "points" not in named:
                raise ValueError(
                    f"{path}: has no array 'points', it has {in_short(', '.join(sorted(members))) or 'none'}; "
                    "save the clouds with numpy.savez(path, points=...) as (S, N, 3)"
                )
            infos = {key: archive.getinfo(members[name]) for key, name in named.items()}
            if (total := sum(info.file_size for info in infos.values())) > max_bytes:
                raise too_large(str(path), total, max_bytes)
            for key, info in infos.items():
                if info.compress_type not in _PACKINGS:  # others may need gigabytes to unpack a few bytes
                    raise ValueError(
                        f"{path}: {named[key]} is packed in a way that NumPy does not use; write it with numpy.savez"
                    )
                with archive.open(info) as member:
                    arrays[key] = _array(member, info.file_size, f"{path}: {named[key]}", max_bytes)
    except _DAMAGE as error:
        # Wrong offsets in an archive give EINVAL; all other system errors are of the disk, not of the file's content.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise unreadable(path, error) from None
        raise ValueError(
            f"{path}: is not a complete .npz file: {in_short(error)}; write it again with numpy.savez"
        ) from None
    return left_out(listing_of(arrays, path, max_bytes), set(members) - set(named.values()), path)


def named_arrays(there: Collection[str]) -> dict[str, str]:
    """The names in a file, by what they are names of."""
    found = {key: next((name for name in names if name in there), None) for key, names in ALIASES.items()}
    return {key: name for key, name in found.items() if name is not None}


def left_out(listing: Listing, names: Collection[str], path: Path, what: str = "arrays") -> Listing:
    """The listing with a note of the parts of its file that were not read, if there are any."""
    if not names:
        return listing
    note = f"{printable(path)}: {what} left out: {in_short(', '.join(sorted(map(printable, names))))}"
    return replace(listing, notes=(*listing.notes, note))


def listing_of(arrays: dict[str, NDArray[Any]], path: Path, max_bytes: int) -> Listing:
    """The clouds from a table of arrays, of any file format, by the first of their names in `ALIASES`.

    Raises:
        ValueError: `points` is not (S, N, 3) or (S, N, 6), another array does not fit it, or the names would need more
            than `max_bytes`.
    """
    points, normals = arrays["points"], arrays.get("normals")
    alone = points.ndim == 2
    if alone and points.shape[1] in (3, 6):
        points, normals = points[None], None if normals is None else normals[None]
    if points.ndim != 3 or points.shape[2] not in (3, 6):
        raise ValueError(
            f"{path}: points must be clouds (S, N, 3), or (S, N, 6) with normals, got {tuple(points.shape)}; "
            "transpose or cut the array"
        )
    count = len(points)
    if count and not points.shape[1]:
        raise ValueError(f"{path}: points must be clouds (S, N, 3) with N >= 1, got {tuple(points.shape)}")
    check_count(count, path, max_bytes)
    if normals is not None and normals.shape != (*points.shape[:2], 3):
        raise ValueError(f"{path}: normals must be {(*points.shape[:2], 3)} as points are, got {normals.shape}")
    for key in ("labels", "split", "keys"):
        if key in arrays and arrays[key].size != count:
            raise ValueError(f"{path}: {key} must be one for each of {count} clouds, got {arrays[key].shape}")
    boxes = arrays.get("boxes")
    if boxes is not None:
        boxes = boxes[None] if alone and boxes.ndim == 2 else boxes
        check_boxes(boxes, arrays.get("counts"), count, path)
    names, classes = arrays.get("names"), arrays.get("classes")
    if names is not None and names.size != count:
        if classes is not None or "labels" not in arrays:
            raise ValueError(f"{path}: names must be one for each of {count} clouds, got {names.shape}")
        names, classes = None, names  # in some datasets, these are the names of the classes
    labels, order = _labels(arrays.get("labels"), classes, path)
    if order is not None and (twice := [name for name, count in Counter(class_names(order)).items() if count > 1]):
        raise ValueError(f"{path}: classes must be different, got {in_short(twice[0])!r} twice; rename or merge them")
    splits = arrays.get("split")
    named = None if names is None else decode(names.reshape(-1))
    keys = decode(arrays["keys"].reshape(-1)) if "keys" in arrays else None

    def read(row: int, surface_points: int) -> Raw:
        own = None if boxes is None else boxes[row]
        return Raw(points[row], None if normals is None else normals[row], boxes=own)

    def content(row: int) -> str:
        return _digest(points[row, :, :3]) if keys is None else keys[row]

    own = points.dtype.kind not in "fiu" or (named is not None and named != [str(row) for row in range(count)])
    return Listing(
        names=[f"{printable(path.stem)}/{row}" for row in range(count)] if named is None else named,
        read=read,
        labels=None if labels is None else class_names(labels),
        classes=None if order is None else tuple(class_names(order)),
        splits=None if splits is None else split_names(decode(splits.reshape(-1)), path),
        places=[printable(path) if alone else f"{printable(path)}: cloud {row}" for row in range(count)],
        content=None if own and keys is None else content,
        up=_up(arrays.get("up"), path),
        origin=_origin(arrays.get("origin"), path),
    )


def check_count(count: int, path: Path | str, max_bytes: int) -> None:
    """Refuse more clouds than there is memory for; to be asked before names are made, of which there may be a billion.

    Raises:
        ValueError: their names and properties would need more than `max_bytes`.
    """
    if (size := _NAMED * count) > max_bytes:
        raise too_large(f"{path}: the names of {count} clouds", size, max_bytes)


def _digest(points: NDArray[Any]) -> str:
    """A digest of a cloud, which does not depend on the type in which its numbers are stored."""
    with np.errstate(over="ignore", invalid="ignore"):  # numbers beyond float32 are reported when the cloud is read
        return hashlib.blake2b(points.astype("<f4").tobytes(), digest_size=16).hexdigest()


def _up(up: NDArray[Any] | None, path: Path) -> str | None:
    return None if up is None else choose("".join(decode(up.reshape(-1))), UP_AXES, f"{path}: up")


def _origin(origin: NDArray[Any] | None, path: Path) -> Triple:
    if origin is None:
        return ZERO
    if origin.shape != (3,) or origin.dtype.kind not in "fiu" or not np.isfinite(origin).all():
        raise ValueError(f"{path}: origin must be three finite numbers, got {origin.tolist()}; write x, y and z")
    x, y, z = (float(value) for value in origin)
    return x, y, z


def _labels(
    labels: NDArray[Any] | None, classes: NDArray[Any] | None, path: Path
) -> tuple[list[str] | None, tuple[str, ...] | None]:
    """The class of each cloud by name, and the order of the classes if the file gives one."""
    if labels is None:
        return None, None
    labels = labels.reshape(-1)
    order = None if classes is None else tuple(decode(classes.reshape(-1)))
    if labels.dtype.kind not in "iu":
        texts = decode(labels)
        if order is not None and (unknown := sorted(set(texts) - set(order))):
            raise ValueError(f"{path}: labels must be among its {len(order)} classes, got {unknown[0]!r}")
        return texts, order
    if order is None:
        return decode(labels), tuple(str(label) for label in sorted(set(labels.tolist())))
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(order):
        raise ValueError(
            f"{path}: labels must be indices into the {len(order)} classes, got {labels.min()}..{labels.max()}"
        )
    return [order[label] for label in labels.tolist()], order


def split_names(splits: Sequence[str], path: Path) -> list[str]:
    """The splits by pcgen's names.

    Raises:
        ValueError: one is neither train, val or test, nor another name of these.
    """
    if unknown := sorted({split for split in splits if split.lower() not in SPLIT_NAMES}):
        raise ValueError(f"{path}: a split must be {', '.join(SPLITS)}, got {unknown[0]!r}; write those names")
    return [SPLIT_NAMES[split.lower()] for split in splits]
