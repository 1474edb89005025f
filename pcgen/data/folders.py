"""Folders of clouds and meshes, one file each; subfolders may be classes and splits."""

from collections import Counter
from pathlib import Path

from pcgen.data.formats.arrays import SPLIT_NAMES
from pcgen.data.readers import READERS, read_cloud
from pcgen.data.source import Listing, Raw
from pcgen.data.synsets import class_names

__all__ = ["list_folder"]


def list_folder(root: Path, seed: int, max_bytes: int) -> Listing:
    """The clouds and meshes in a folder and all below it, sorted by their paths, which are their names.

    A folder called train, val or test, at any depth, is the split of what is in it. The first other folder on a file's
    path is its class; ShapeNet's synset numbers become names. This reads `<class>/*.ply`, `<class>/{train,test}/*.off`
    (ModelNet), `<synset>/{train,val,test}/*.npy` (PointFlow's PC15k), `<synset>/*.ply` (latent_3d_points) and
    `{train,test}/<class>/*` alike. Hidden files and folders are passed over.

    Raises:
        ValueError: no file is of a kind that is read, or some files are in the folder of a split and others in none.
    """
    paths = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    paths = sorted((path for path in paths if not any(part.startswith((".", "__")) for part in path.parts)), key=str)
    files = [path for path in paths if path.suffix.lower() in READERS]
    others = Counter(path.suffix.lower() or path.name for path in paths if path.suffix.lower() not in READERS)
    kinds = ", ".join(sorted(READERS))
    if not paths:
        raise ValueError(f"{root}: is empty; give a folder of clouds or meshes ({kinds})")
    if not files:
        held = ", ".join(f"{count} {ending}" for ending, count in others.most_common(5))
        raise ValueError(
            f"{root}: holds no clouds or meshes ({kinds}), but {held}; give another folder, or name a file in it"
        )
    splits = [next((SPLIT_NAMES[p.lower()] for p in path.parts[:-1] if p.lower() in SPLIT_NAMES), "") for path in files]
    labels = [next((p for p in path.parts[:-1] if p.lower() not in SPLIT_NAMES), "") for path in files]
    if any(splits) and not all(splits):
        stray = files[splits.index("")]
        raise ValueError(
            f"{root}: {splits.count('')} files, such as {stray}, are in no folder of a split, and others are; "
            "move them into train, val or test"
        )
    notes: tuple[str, ...] = ()
    if any(labels) and not all(labels):
        notes += (f"{root}: no classes, since {files[labels.index('')]} and others are in no subfolder",)
    if others:
        notes += (f"{root}: {sum(others.values())} files of other kinds passed over ({', '.join(sorted(others)[:5])})",)

    def read(row: int, surface_points: int) -> Raw:
        return read_cloud(root / files[row], surface_points, f"{files[row].as_posix()}", seed, max_bytes)

    return Listing(
        names=[path.as_posix() for path in files],
        read=read,
        labels=class_names(labels) if all(labels) else None,
        splits=splits if all(splits) else None,
        notes=notes,
        places=[str(root / path) for path in files],
    )
