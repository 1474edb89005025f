"""Folders of clouds and meshes, one per file; subfolders may be classes and splits."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from pcgen.data.formats.arrays import SPLIT_NAMES
from pcgen.data.readers import READERS, begins_damaged, holds_cloud, read_cloud
from pcgen.data.source import Listing, Raw, printable
from pcgen.data.synsets import class_names
from pcgen.data.walking import walk

__all__ = ["list_folder"]

# From so many folders on, of which this share holds one file each, folders are those of objects and not of classes.
_OBJECTS, _SHARE = 10, 0.9


def list_folder(root: Path, seed: int, max_bytes: int) -> Listing:
    """The clouds and meshes in a folder and its subfolders, sorted by path; their names are their paths.

    A folder called train, val or test, at any depth, is the split of the files in it. The first other folder on a
    file's path is its class; ShapeNet's synset numbers become names. So it reads `<class>/*.ply`,
    `<class>/{train,test}/*.off` (ModelNet), `<synset>/{train,val,test}/*.npy` (PointFlow's PC15k), `<synset>/*.ply`
    (latent_3d_points) and `{train,test}/<class>/*`. If `train` is beside other classes, it is a class (railway trains).
    If there are ten or more such folders and nine of ten hold one file, each is of one object, and there are no
    classes. Links are followed. Hidden files and folders are ignored; so are .txt files of words, but not one that is
    empty or damaged beside other clouds in .txt files.

    Raises:
        PermissionError: a folder or file in it cannot be read.
        ValueError: no file is of a supported kind, only some of the files are in folders of splits, or a link is
            broken.
    """
    where = printable(root)
    paths, notes = walk(root)
    clouds = {path for path in paths if holds_cloud(root / path)}
    tables = {path.parent for path in clouds if path.suffix.lower() == ".txt"}
    # Their reading reports the damage.
    clouds |= {path for path in paths if path.parent in tables and begins_damaged(root / path)}
    files = [path for path in paths if path in clouds]
    others = Counter(printable(path.suffix.lower() or path.name) for path in paths if path not in clouds)
    kinds = ", ".join(sorted(READERS))
    if not paths:
        raise ValueError(f"{where}: is empty; give a folder of clouds or meshes ({kinds})")
    if not files:
        there = ", ".join(f"{count} {ending}" for ending, count in others.most_common(5))
        raise ValueError(
            f"{where}: holds no clouds or meshes ({kinds}), but {there}; give another folder, or name a file in it"
        )
    names = [printable(path.as_posix()) for path in files]
    parents = [tuple(map(printable, path.parts[:-1])) for path in files]
    labels, splits = _labels_and_splits(parents)
    if any(splits) and not all(splits):
        raise ValueError(
            f"{where}: {splits.count('')} files, such as {names[splits.index('')]}, are in no folder of a split, and "
            f"others, such as {names[next(row for row, split in enumerate(splits) if split)]}, are; move them into "
            "train, val or test, or rename the folder if it is not a split"
        )
    if not any(splits) and any(_is_train(label) for label in labels):
        notes += (f"{where}: train is read as a class, since there are other classes beside it",)
    if any(labels) and not all(labels):
        notes += (f"{where}: no classes, since {names[labels.index('')]} and others are in no subfolder",)
    objects = all(labels) and _are_objects(labels)
    if objects:
        held = f"{len(set(labels))} folders hold {len(files)} files, nearly all one each"
        notes += (f"{where}: no classes, since {held}",)
    if others:
        notes += (f"{where}: {sum(others.values())} files of other kinds ignored ({', '.join(sorted(others)[:5])})",)

    def read(row: int, surface_points: int) -> Raw:
        return read_cloud(root / files[row], surface_points, names[row], seed, max_bytes)

    return Listing(
        names=names,
        read=read,
        labels=class_names(labels) if all(labels) and not objects else None,
        splits=splits if all(splits) else None,
        notes=notes,
        places=[printable(root / path) for path in files],
        files=[root / path for path in files],
    )


def _are_objects(labels: Sequence[str]) -> bool:
    """Whether the folders, of which one is given for each file, are those of single objects."""
    sizes = Counter(labels).values()
    single = sum(size == 1 for size in sizes)
    return len(sizes) >= _OBJECTS and single >= _SHARE * len(sizes) and 2 * single > len(labels)


def _labels_and_splits(parents: Sequence[tuple[str, ...]]) -> tuple[list[str], list[str]]:
    """The class and the split of each file from its folders, from the top; "" if there is none."""
    if _has_a_class_called_train(parents):
        return [next(iter(parts), "") for parts in parents], [_split(parts[1:]) for parts in parents]
    splits = [_split(parts) for parts in parents]
    if all(
        _is_split(parts[0]) for parts in parents if parts
    ):  # a folder in the folder of a split is a class, even train
        return [parts[1] if len(parts) > 1 else "" for parts in parents], splits
    return [next((part for part in parts if not _is_split(part)), "") for parts in parents], splits


def _has_a_class_called_train(parents: Sequence[tuple[str, ...]]) -> bool:
    """Whether the outermost folders are classes and one is `train`.

    Either it is the only folder with the name of a split, beside others; or each class contains folders of splits.
    """
    first = {parts[0] for parts in parents if parts}
    second = {parts[1] for parts in parents if len(parts) > 1}
    named = {part for part in first if _is_split(part)}
    if not any(_is_train(part) for part in named):
        return False
    if named != first and all(_is_train(part) for part in named):
        return True
    split_within = all(len(parts) > 1 and _is_split(parts[1]) for parts in parents)
    return split_within and (named != first or len(_kinds(second)) > len(_kinds(first)))


def _kinds(parts: Iterable[str]) -> set[str]:
    return {SPLIT_NAMES[part.lower()] for part in parts}


def _is_split(part: str) -> bool:
    return part.lower() in SPLIT_NAMES


def _is_train(part: str) -> bool:
    return part.lower() == "train"


def _split(parts: Sequence[str]) -> str:
    """The split of a file: its first folder with the name of a split."""
    return next((SPLIT_NAMES[part.lower()] for part in parts if _is_split(part)), "")
