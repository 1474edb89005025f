"""A set enlarged by changed copies."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pcgen.data import Augmentation, Clouds
from pcgen.data.enlarging import enlarged


def clouds(count: int = 40) -> Clouds:
    points = torch.rand(count, 20, 3, generator=torch.Generator().manual_seed(0)) + 0.5
    splits = tuple("test" if row % 4 == 0 else "train" for row in range(count))
    names = tuple(f"part{row}" for row in range(count))
    labels = torch.arange(count) % 2
    return Clouds(points, torch.ones(count, 20, 3), labels, ("a", "b"), names, splits)


def test_every_cloud_is_there_as_often_as_asked_each_time_changed_otherwise() -> None:
    own = clouds()
    grown = enlarged(own, 3, Augmentation(stretch=0.2), seed=1)
    assert len(grown) == 120 and grown.names[:4] == ("part0#0", "part0#1", "part0#2", "part1#0")
    assert grown.labels is not None and own.labels is not None
    assert torch.equal(grown.labels, own.labels.repeat_interleave(3)) and grown.normals is None
    factors = grown.points / own.points.repeat_interleave(3, 0)  # (120, 20, 3): one for each axis of a copy
    torch.testing.assert_close(factors, factors[:, :1].expand_as(factors))
    each = factors[:, 0]
    assert len(each.unique()) == 360 and 1 / 1.2 <= each.min() < 0.9 and 1.1 < each.max() <= 1.2
    assert torch.equal(enlarged(own, 3, Augmentation(stretch=0.2), seed=1).points, grown.points)


def test_copies_share_a_split_and_some_shapes_are_held_out() -> None:
    grown = enlarged(clouds(), 5, Augmentation(rotation=180))
    assert grown.splits is not None
    by_shape = {
        name: {s for n, s in zip(grown.names, grown.splits, strict=True) if n.startswith(f"{name}#")}
        for name in clouds().names
    }
    assert all(len(found) == 1 for found in by_shape.values())
    told = [next(iter(found)) for found in by_shape.values()]
    assert (told.count("train"), told.count("val"), told.count("test")) == (28, 2, 10)


def test_it_is_said_how_many_are_held_out_and_one_copy_moves_none() -> None:
    own = clouds()
    told = "splits: there was no val, so 2 of 30 train clouds, with all copies, are val"
    assert told in enlarged(own, 2, Augmentation(rotation=180)).notes
    alone = enlarged(own, 1, Augmentation(rotation=180))
    assert alone.splits == own.splits and not any(note.startswith("splits") for note in alone.notes)


def test_copies_of_more_memory_than_allowed_are_refused() -> None:
    own = clouds(8)
    told = r"^tensor: 100 copies of 8 clouds of 20 points: would take 187\.50 KiB of memory, more than the 187\.50 KiB"
    with pytest.raises(ValueError, match=told):
        enlarged(own, 100, Augmentation(), max_bytes=800 * 20 * 12 - 1)
    assert len(enlarged(own, 100, Augmentation(), max_bytes=800 * 20 * 12)) == 800


class Large(TorchDispatchMode):
    """Collects the places in memory of all tensors of at least so many bytes that are made."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.places: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor) and made.untyped_storage().nbytes() >= self.size:
            self.places.add(made.untyped_storage().data_ptr())
        return made


def test_the_variants_are_in_memory_once() -> None:
    own = Clouds(torch.rand(20, 400, 3))
    with Large(600 * 400 * 12) as large:
        grown = enlarged(own, 30, Augmentation(scale=0.1))
    assert len(grown) == 600 and large.places == {grown.points.untyped_storage().data_ptr()}


def test_copies_of_clouds_without_splits_are_all_train_and_it_is_said() -> None:
    own = replace(clouds(2), splits=None)
    grown = enlarged(own, 5, Augmentation(rotation=180))
    assert grown.splits == ("train",) * 10
    assert grown.notes[0].startswith("splits: there were none, so all copies are train")
    alone = enlarged(own, 1, Augmentation(rotation=180))
    assert alone.splits is None and not any(note.startswith("splits") for note in alone.notes)
