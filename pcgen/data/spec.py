"""Specs of data: SOURCE[:CLASS[,CLASS...]][@SPLIT[,SPLIT...]]."""

import os.path
import re
from dataclasses import dataclass, replace
from pathlib import Path

from pcgen.data.clouds import SPLITS
from pcgen.errors import choose

__all__ = ["Spec", "absolute", "default_split", "parse", "short"]

_SPLIT = re.compile(r"^(?P<rest>.+)@(?P<names>[\w,-]+)$")
_CLASS = re.compile(r"^(?P<rest>.+):(?P<names>[^:/\\@]+)$")
_DRIVE = re.compile(r"^[A-Za-z]$")


@dataclass(frozen=True)
class Spec:
    """A source, its selected classes (empty: all), and its selected splits (empty: the whole set)."""

    source: str
    classes: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()

    def __str__(self) -> str:
        classes = f":{','.join(self.classes)}" if self.classes else ""
        return f"{self.source}{classes}" + (f"@{','.join(self.splits)}" if self.splits else "")


def parse(spec: str) -> Spec:
    """Parse `SOURCE[:CLASS][@SPLIT]`.

    Several classes or splits are separated by commas: `shapes:chair,table@train,val`. If the whole text is the path of
    an existing file or folder, it is the source, even if it contains colons or at signs. But `shapes` is always the
    built-in source: a folder of that name is `./shapes`. The colon of a drive letter does not start a class, unless
    there is a file or folder of that one letter.

    Raises:
        ValueError: the spec is empty, or a split is not train, val, test or all.

    >>> parse("parts.npz:Brick,Plate@train")
    Spec(source='parts.npz', classes=('Brick', 'Plate'), splits=('train',))
    """
    if not spec.strip():
        raise ValueError("data: must be SOURCE[:CLASS][@SPLIT], got nothing; give a file, a folder or shapes:chair")
    splits: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    source = spec
    if not os.path.exists(source) and (found := _SPLIT.match(source)):
        source, splits = found["rest"], tuple(found["names"].split(","))
        for split in splits:
            choose(split, (*SPLITS, "all"), f"split of {spec}")
    if not os.path.exists(source) and (found := _CLASS.match(source)) and not _is_drive(found["rest"]):
        source, classes = found["rest"], tuple(found["names"].split(","))
    return Spec(source, classes, ("all",) if "all" in splits else splits)


def _is_drive(source: str) -> bool:
    return bool(_DRIVE.match(source)) and not os.path.exists(source)


def absolute(spec: str) -> str:
    """The spec with the absolute path of its file or folder; built-in shapes do not change.

    >>> absolute("shapes:chair@train")
    'shapes:chair@train'
    """
    parsed = parse(spec)
    if parsed.source == "shapes":
        return spec
    return str(replace(parsed, source=str(Path(parsed.source).absolute())))


def default_split(spec: str, split: str) -> tuple[str, str | None]:
    """The spec with `@split` if it names no split, and a note about it; the note is None if it names one.

    >>> default_split("shapes:chair", "train")
    ('shapes:chair@train', 'shapes:chair names no split: @train is taken')
    >>> default_split("shapes:chair@all", "train")
    ('shapes:chair@all', None)
    """
    parsed = parse(spec)
    if parsed.splits:
        return spec, None
    return str(replace(parsed, splits=(split,))), f"{spec} names no split: @{split} is taken"


def short(spec: str) -> str:
    """The spec without the folders that its source is in; the source need not exist.

    >>> short("data/scans/:chair@test")
    'scans:chair@test'
    """
    folders, _, name = spec.rpartition("/")
    if name[:1] in ("", ":", "@"):  # the last slash is the end of the source
        name = Path(folders).name + name
    return name or spec
