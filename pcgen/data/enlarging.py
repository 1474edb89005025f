"""A larger set of clouds: several random variants of each cloud."""

from dataclasses import replace

import torch

from pcgen.data.augmentation import Augmentation
from pcgen.data.clouds import Clouds
from pcgen.data.source import too_large
from pcgen.data.splits import held_out_rows
from pcgen.errors import at_least
from pcgen.seeds import isolated

__all__ = ["enlarged"]

_AT_ONCE = 64  # clouds that are changed in one call


def enlarged(clouds: Clouds, copies: int, changes: Augmentation, seed: int = 0, max_bytes: int | None = None) -> Clouds:
    """`copies` variants of each cloud, with independent random changes, in the same class and split.

    So a model can be trained on few shapes. The held-out clouds are still of other shapes: if there are several copies
    and train rows but no val rows, 5% of the train shapes become val. Copies of clouds without splits are all train.

    Args:
        clouds: their normals and boxes are dropped, since they would not be right after the changes.
        copies: number of variants of each cloud, with the names NAME#0, NAME#1, ...
        changes: the random changes of each variant.
        seed: of the changes.
        max_bytes: maximum memory of the variants; None is any.

    Raises:
        ValueError: copies below 1, or the variants need more than `max_bytes`.
    """
    at_least(1, copies=copies)
    count, points = copies * len(clouds), clouds.points.shape[1]
    if max_bytes is not None and (size := count * points * 12) > max_bytes:
        raise too_large(f"{clouds.source}: {copies} copies of {len(clouds)} clouds of {points} points", size, max_bytes)
    notes = clouds.notes
    if clouds.splits is None and copies > 1:
        # Otherwise each copy would be split by its own name when the set is loaded again.
        clouds = replace(clouds, splits=("train",) * len(clouds))
        notes += ("splits: there were none, so all copies are train; test a model of them on other clouds",)
    elif copies > 1 and clouds.splits and "val" not in clouds.splits and clouds.splits.count("train") > 1:
        train, splits = [row for row, split in enumerate(clouds.splits) if split == "train"], list(clouds.splits)
        held_out = held_out_rows([clouds.keys[row] for row in train], seed)[1]
        for place in held_out:
            splits[train[place]] = "val"
        clouds = replace(clouds, splits=tuple(splits))
        notes += (
            f"splits: there was no val, so {len(held_out)} of {len(train)} train clouds, with all copies, are val",
        )
    rows = torch.arange(len(clouds)).repeat_interleave(copies)
    changed = torch.empty(count, points, 3, dtype=clouds.points.dtype, device=clouds.points.device)
    with isolated(seed, clouds.points.device):
        for part in torch.arange(count).split(_AT_ONCE):
            changed[part] = changes(clouds.points[rows[part]])
    # Of one point each until the changed ones take their place, so that no second array is as large.
    grown = replace(clouds, points=clouds.points[:, :1], normals=None, boxes=None, whole=None).select(rows)
    names, keys = (
        tuple(f"{name}#{row % copies}" for row, name in enumerate(each)) if copies > 1 else each
        for each in (grown.names, grown.keys)
    )
    lost = [name for name, known in (("normals", clouds.normals), ("boxes", clouds.boxes)) if known is not None]
    notes += tuple(f"{name}: left out, since the clouds were changed" for name in lost)
    return replace(grown, points=changed, names=names, keys=keys, notes=notes)
