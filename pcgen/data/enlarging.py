"""A larger set of clouds: several random variants of each cloud."""

from dataclasses import replace

import torch

from pcgen.data.augmentation import Augmentation
from pcgen.data.clouds import Clouds
from pcgen.data.splits import held_out_rows
from pcgen.errors import at_least
from pcgen.seeds import isolated

__all__ = ["enlarged"]


def enlarged(clouds: Clouds, copies: int, changes: Augmentation, seed: int = 0) -> Clouds:
    """`copies` variants of each cloud, with independent random changes, in the same class and split.

    So a model can be trained on few shapes. The held-out clouds are still of other shapes: if there are train rows but
    no val rows, 5% of the train shapes become val. Copies of clouds without splits are all train.

    Args:
        clouds: their normals and boxes are dropped, since they would not be right after the changes.
        copies: number of variants of each cloud, with the names NAME#0, NAME#1, ...
        changes: the random changes of each variant.
        seed: of the changes.

    Raises:
        ValueError: copies below 1.
    """
    at_least(1, copies=copies)
    notes = clouds.notes
    if clouds.splits is None and copies > 1:
        # Otherwise each copy would be split by its own name when the set is loaded again.
        clouds = replace(clouds, splits=("train",) * len(clouds))
        notes += ("splits: there were none, so all copies are train; test a model of them on other clouds",)
    elif clouds.splits and "train" in clouds.splits and "val" not in clouds.splits:
        train, splits = [row for row, split in enumerate(clouds.splits) if split == "train"], list(clouds.splits)
        for place in held_out_rows([clouds.keys[row] for row in train], seed)[1] if len(train) > 1 else ():
            splits[train[place]] = "val"
        clouds = replace(clouds, splits=tuple(splits))
    rows = torch.arange(len(clouds)).repeat_interleave(copies)
    with isolated(seed, clouds.points.device):
        points = torch.cat([changes(part) for part in clouds.points[rows].split(64)])
    grown = clouds.select(rows)
    names, keys = (
        tuple(f"{name}#{row % copies}" for row, name in enumerate(each)) if copies > 1 else each
        for each in (grown.names, grown.keys)
    )
    lost = [name for name, known in (("normals", clouds.normals), ("boxes", clouds.boxes)) if known is not None]
    notes += tuple(f"{name}: left out, since the clouds were changed" for name in lost)
    return replace(grown, points=points, normals=None, boxes=None, names=names, keys=keys, notes=notes, whole=None)
