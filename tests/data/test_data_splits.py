"""Splits that are drawn, and what is held out of a training set."""

from pathlib import Path

import pytest
from cloud_folders import folder

from pcgen.data import holdout, load
from pcgen.data.splits import draw_splits


def test_drawn_splits_have_their_shares_in_every_class_and_follow_names() -> None:
    names = [f"n{number}" for number in range(100)]
    labels = ["a"] * 60 + ["b"] * 40
    splits = draw_splits(names, labels)
    for label, count in (("a", 60), ("b", 40)):
        mine = [split for split, its in zip(splits, labels, strict=True) if its == label]
        assert {name: mine.count(name) for name in set(mine)} == {
            "train": count - round(0.05 * count) - round(0.1 * count),
            "val": round(0.05 * count),
            "test": round(0.1 * count),
        }
    back = draw_splits(names[::-1], labels[::-1])
    assert back == splits[::-1]
    assert sorted(draw_splits(["x", "y", "z"], None)) == ["test", "train", "val"]


def test_no_seed_moves_a_cloud_from_one_split_to_another(tmp_path: Path) -> None:
    folder(tmp_path, [f"{number}.npy" for number in range(40)])
    tested = load(f"{tmp_path}@test", seed=0).names
    assert tested == load(f"{tmp_path}@test", seed=1).names
    assert not set(load(f"{tmp_path}@train", seed=7).names) & set(tested)


def test_holdout_takes_val_or_a_share_of_train_and_never_test() -> None:
    clouds = load("shapes:mug=60", surface_points=8)
    train, val = holdout(clouds)
    assert set(train.splits or ()) == {"train"} and set(val.splits or ()) == {"val"} and len(val) == 3
    bare = clouds.split("train")
    train, val = holdout(bare, seed=0)
    assert len(val) == round(0.05 * len(bare)) and set(train.names) | set(val.names) == set(bare.names)
    assert not set(train.names) & set(val.names)
    assert holdout(bare, seed=0)[1].names == val.names != holdout(bare, seed=3)[1].names
    with pytest.raises(ValueError, match="has 0 train clouds"):
        holdout(clouds.split("test"))
