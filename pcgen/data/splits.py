"""Splits for sets that have none, and rows held out for validation."""

import hashlib
from collections import Counter
from collections.abc import Sequence

from pcgen.data.clouds import SPLITS, Clouds
from pcgen.data.spec import parse

__all__ = ["DRAWN", "counted", "draw_splits", "held_out_rows", "holdout", "split_rows"]

DRAWN = "made from the clouds' names (from their points, if the names are row numbers)"

_VAL, _TEST = 0.05, 0.10
_FEWEST = 3  # clouds of a class from which each split has one
_SEED = 0  # of random splits, always the same


def _shuffled(keys: Sequence[str], seed: int) -> list[int]:
    """Rows in a random order that depends only on their keys and the seed."""
    # Names that a user gave may have lone surrogates, which no file's reader returns.
    hashes = [hashlib.sha256(f"{seed}\0{key}".encode(errors="surrogatepass")).digest() for key in keys]
    return sorted(range(len(keys)), key=lambda row: (hashes[row], row))


def counted(splits: Sequence[str]) -> str:
    """How many clouds of each split there are.

    >>> counted(["train", "test", "train"])
    '2 train, 0 val, 1 test'
    """
    counts = Counter(splits)
    return ", ".join(f"{counts[split]} {split}" for split in SPLITS)


def draw_splits(keys: Sequence[str], labels: Sequence[str] | None) -> list[str]:
    """A random split for each cloud: about 85% train, 5% val and 10% test of every class, none empty from 3 clouds on.

    A class of fewer clouds is all train; but if every class is, the splits are those of the whole set. They depend only
    on the keys of all clouds of the class, not on the seed of training or evaluation, nor on the name of the source. So
    no training uses test clouds of another one. A split is a rank among the class: if clouds are added or removed,
    others may change their split. The .npz of `pcgen data convert` stores the splits.
    """
    splits = ["train"] * len(keys)
    if labels is not None and max(Counter(labels).values(), default=0) < _FEWEST:
        labels = None
    groups: dict[str, list[int]] = {}
    for row in range(len(keys)):
        groups.setdefault("" if labels is None else labels[row], []).append(row)
    for rows in groups.values():
        order = [rows[place] for place in _shuffled([keys[row] for row in rows], _SEED)]
        if len(order) < _FEWEST:
            continue
        val = max(1, round(_VAL * len(order)))
        test = max(1, round(_TEST * len(order)))
        for row in order[:val]:
            splits[row] = "val"
        for row in order[val : val + test]:
            splits[row] = "test"
    return splits


def holdout(clouds: Clouds, seed: int = 0) -> tuple[Clouds, Clouds]:
    """The clouds for training and for validation: train and val rows; test rows are never used.

    If there are no val rows, 5% of the train rows (at least one) are held out, at random by their keys and the seed. In
    a set without splits, all rows are train rows.

    Raises:
        ValueError: there are fewer than two train rows to divide, or none at all.
    """
    train, val = split_rows(clouds.splits, len(clouds), clouds.source)
    if not val:
        learned, held_out = held_out_rows([clouds.keys[row] for row in train], seed)
        train, val = [train[row] for row in learned], [train[row] for row in held_out]
    return clouds.select(train), clouds.select(val)


def split_rows(splits: Sequence[str] | None, count: int, source: str) -> tuple[list[int], list[int]]:
    """The rows of train and of val, of `count` clouds; without splits, all are train rows.

    Raises:
        ValueError: there are fewer than two train rows and no val row, or no train row at all.
    """
    known = splits or ("train",) * count
    train = [row for row, split in enumerate(known) if split == "train"]
    val = [row for row, split in enumerate(known) if split == "val"]
    if not train or (not val and len(train) < 2):
        kind = "cloud" if splits is None else "train cloud"
        narrowed = parse(source).splits not in ((), ("all",))
        raise ValueError(
            f"{source}: has {len(train)} {kind}{'s' * (len(train) != 1)}, and training with validation needs 2; "
            f"{'name a split that has more, such as @all, or ' if narrowed else ''}give more clouds"
        )
    return train, val


def held_out_rows(keys: Sequence[str], seed: int) -> tuple[list[int], list[int]]:
    """The rows for training, and the 5% (at least one) for validation, of train clouds, at random by their keys."""
    order = _shuffled(keys, seed)
    count = max(1, round(_VAL * len(keys)))
    return sorted(order[count:]), sorted(order[:count])
