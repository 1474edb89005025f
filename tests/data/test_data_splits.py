"""Splits that are drawn, and what is held out of a training set."""

from pathlib import Path

import pytest
from cloud_folders import folder

from pcgen.data import holdout, load
from pcgen.data.splits import counted, draw_splits
from pcgen.data.training_set import training_set


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


@pytest.mark.parametrize("classes", [2, 12])
def test_splits_are_of_the_whole_set_where_no_class_has_three_clouds(classes: int) -> None:
    names = [f"n{number}" for number in range(2 * classes)]
    labels = [str(number // 2) for number in range(2 * classes)]
    assert draw_splits(names, labels) == draw_splits(names, None)
    # One class of three is enough for all splits; others of its set may be too small for any.
    assert draw_splits(["a", "b", "c", "d"], ["x", "x", "x", "y"])[3] == "train"


def test_a_folder_for_each_object_is_no_class(tmp_path: Path) -> None:
    folder(tmp_path, [f"o{number}/c.npy" for number in range(20)])
    clouds = load(str(tmp_path))
    assert clouds.labels is None and clouds.classes == () and clouds.splits is not None
    assert clouds.notes == (f"{tmp_path}: no classes, since 20 folders hold 20 files, nearly all one each",)
    assert counted(clouds.splits) == "17 train, 1 val, 2 test"
    drawn = [note for note in load(f"{tmp_path}@test").notes if "no splits of its own" in note]
    assert len(drawn) == 1 and drawn[0].endswith(": 17 train, 1 val, 2 test")
    learned = training_set(str(tmp_path), points=12)
    assert len(learned.train) == 17 and any("17 train, 1 val, 2 test" in note for note in learned.notes)
    folder(tmp_path, ["o3/d.npy"])  # nearly all, not all
    assert load(str(tmp_path)).labels is None
    folder(tmp_path, [f"o{number}/d.npy" for number in range(5)])
    assert len(load(str(tmp_path)).classes) == 20


def test_a_large_class_beside_rare_ones_keeps_them_all(tmp_path: Path) -> None:
    folder(tmp_path, [*(f"rare{number}/c.npy" for number in range(12)), *(f"chair/{row}.npy" for row in range(15))])
    assert len(load(str(tmp_path)).classes) == 13


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
