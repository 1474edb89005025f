"""Folders and datasets by spec: classes, splits, counts, bad clouds, and what is told of them."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from pcgen.data import check, holdout, info, load
from pcgen.data.splits import DRAWN, draw_splits

RANDOM = np.random.default_rng(0)
BOX_OFF = """OFF
8 6 0
0 0 0
1 0 0
1 2 0
0 2 0
0 0 3
1 0 3
1 2 3
0 2 3
4 0 3 2 1
4 4 5 6 7
4 0 1 5 4
4 2 3 7 6
4 1 2 6 5
4 0 4 7 3
"""


def write(path: Path, points: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, points)
    else:
        path.write_text("\n".join(" ".join(map(str, row)) for row in points))


def folder(root: Path, layout: list[str], size: int = 12) -> Path:
    for number, name in enumerate(layout):
        write(root / name, RANDOM.normal(size=(size, 3)) + number)
    return root


def test_a_flat_folder_is_sorted_and_has_no_classes(tmp_path: Path) -> None:
    folder(tmp_path, ["b.xyz", "a.npy", "c.pts", ".hidden.xyz"])
    (tmp_path / "licence.txt").write_text("words")
    clouds = load(str(tmp_path))
    assert clouds.names == ("a.npy", "b.xyz", "c.pts") and clouds.labels is None
    assert clouds.splits is not None and set(clouds.splits) == {"train", "val", "test"}
    assert any("1 files of other kinds ignored (.txt)" in note for note in clouds.notes)
    assert clouds.drawn and len(clouds.notes) == 1  # no split is asked for: how they are drawn need not be told
    (note,) = [note for note in load(f"{tmp_path}@test").notes if "split" in note]
    assert note == f"{tmp_path} has no splits of its own: they are {DRAWN}"
    assert info(str(tmp_path))["splits"] == f"train 1, val 1, test 1; {DRAWN}"
    with pytest.raises(ValueError, match="has no classes"):
        load(f"{tmp_path}:chair")


@pytest.mark.parametrize(
    "layout",
    [
        ["chair/train/1.npy", "chair/test/2.npy", "mug/train/3.npy", "mug/test/4.npy"],  # ModelNet
        ["train/chair/1.npy", "test/chair/2.npy", "train/mug/3.npy", "test/mug/4.npy"],
        ["03001627/train/1.npy", "03001627/test/2.npy", "03797390/train/3.npy", "03797390/test/4.npy"],  # PC15k
    ],
)
def test_subfolders_are_classes_and_splits_in_either_order(tmp_path: Path, layout: list[str]) -> None:
    folder(tmp_path, layout)
    clouds = load(str(tmp_path))
    assert clouds.classes == ("chair", "mug") and len(clouds) == 4 and clouds.notes == ()
    test = load(f"{tmp_path}:mug@test")
    assert test.names == (layout[3],) and test.classes == ("mug",)
    with pytest.raises(ValueError, match=r"there is no split 'val' among its 2 clouds, which have train, test"):
        load(f"{tmp_path}:mug@val")
    with pytest.raises(ValueError, match=r"no class 'Mug'; did you mean 'mug'\? It has chair \(2\), mug \(2\)"):
        load(f"{tmp_path}:Mug")


def test_files_outside_the_folders_of_splits_or_classes(tmp_path: Path) -> None:
    folder(tmp_path, ["chair/1.xyz", "mug/2.xyz", "3.xyz"])
    clouds = load(str(tmp_path))
    assert clouds.labels is None and any("no classes, since 3.xyz" in note for note in clouds.notes)
    folder(tmp_path, ["test/4.xyz"])
    with pytest.raises(ValueError, match="in no folder of a split"):
        load(str(tmp_path))


def test_meshes_are_sampled_at_the_points_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.off").write_text(BOX_OFF)
    (tmp_path / "b.off").write_text(BOX_OFF)
    clouds = load(str(tmp_path), surface_points=300)
    assert clouds.points.shape == (2, 300, 3) and clouds.normals is not None
    assert load(str(tmp_path), points=50).points.shape == (2, 50, 3)
    # Every point is on the face of the box that its normal says.
    on = torch.where(clouds.normals > 0.5, torch.tensor([1.0, 2.0, 3.0]), 0.0)
    assert torch.allclose(torch.where(clouds.normals.abs() > 0.5, clouds.points, on), on, atol=1e-6)
    # Fixed by seed and name, whatever else is loaded.
    (tmp_path / "a.off").unlink()
    assert torch.equal(load(str(tmp_path), surface_points=300).points[0], clouds.points[1])
    assert not torch.equal(clouds.points[0], clouds.points[1])
    assert not torch.equal(load(str(tmp_path), surface_points=300, seed=1).points[0], clouds.points[1])


def test_up_turns_points_and_normals(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", points=[[[1.0, 2.0, 3.0]]], normals=[[[0.0, 0.0, 1.0]]])
    clouds = load(str(tmp_path / "a.npz"), up="z")
    assert clouds.points.tolist() == [[[1, 3, -2]]]
    assert clouds.normals is not None and clouds.normals.tolist() == [[[0, 1, 0]]]


def test_larger_clouds_are_thinned_to_their_own_points_by_seed(tmp_path: Path) -> None:
    folder(tmp_path, ["a.npy"], size=100)
    folder(tmp_path, ["b.npy"], size=60)
    thin = load(str(tmp_path), points=40)
    whole = np.load(tmp_path / "a.npy").astype(np.float32)
    rows = [np.flatnonzero((whole == point).all(1)).item() for point in thin.points[0].numpy()]
    assert len(set(rows)) == 40
    assert torch.equal(load(str(tmp_path), points=40).points, thin.points)
    assert not torch.equal(load(str(tmp_path), points=40, seed=1).points, thin.points)


def test_different_numbers_of_points_are_told_with_the_way_out(tmp_path: Path) -> None:
    folder(tmp_path, ["a.npy", "b.npy"], size=100)
    folder(tmp_path, ["c.npy"], size=60)
    with pytest.raises(ValueError, match=r"from 60 \(c.npy\) to 100 \(a.npy\) points; .* points=60 \(--points 60\)"):
        load(str(tmp_path))
    few = "1 of 3 clouds are too small (c.npy; the first: has 60 points, fewer than the 80 asked for)"
    with pytest.raises(ValueError, match="too small") as caught:
        load(str(tmp_path), points=80)
    todo = "ask for points=60 (--points 60), or leave them out: drop_bad=True, --drop-bad"
    assert str(caught.value) == f"{tmp_path}: {few}; {todo}"
    with pytest.raises(ValueError, match=r"3 of 3 clouds are too small \(.*\); ask for points=60 \(--points 60\)$"):
        load(str(tmp_path), points=1000, drop_bad=True)
    with pytest.raises(ValueError, match=r"c.npy: has 60 points, .* asked for; ask for points=60 \(--points 60\)$"):
        load(str(tmp_path / "c.npy"), points=80)
    with pytest.raises(ValueError, match="points: must be at least 1, got 0"):
        load(str(tmp_path), points=0)


def broken_folder(root: Path) -> Path:
    folder(root, ["a.npy", "b.npy", "c.npy", "d.npy"])
    points = np.load(root / "b.npy")
    points[3, 1] = np.nan
    np.save(root / "b.npy", points)
    (root / "c.npy").write_bytes(b"damage")
    return root


def test_bad_clouds_are_refused_or_dropped_and_named(tmp_path: Path) -> None:
    broken_folder(tmp_path)
    what = r"2 of 4 clouds are bad \(b.npy, c.npy; the first: point 3 is \[.*nan.*\]; 1 of \d+ hold NaN, .*\)"
    todo = "repair them, or leave them out: drop_bad=True, --drop-bad"
    with pytest.raises(ValueError, match=f"^{tmp_path}@all: {what}; {todo}$"):  # a dot matches no line's end
        load(f"{tmp_path}@all")
    clouds = load(str(tmp_path), drop_bad=True)
    assert clouds.names == ("a.npy", "d.npy")
    note = next(note for note in clouds.notes if "dropped" in note)
    assert note.startswith(f"2 of 4 clouds dropped: {tmp_path / 'b.npy'}: point 3")
    assert note.count(str(tmp_path / "c.npy")) == 1


def test_a_source_of_bad_clouds_alone_is_refused_even_if_they_may_be_dropped(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", points=np.full((3, 5, 3), np.inf))
    with pytest.raises(ValueError, match=r"a.npz: 3 of 3 clouds are bad \(a/0, a/1, a/2; .*\); repair the source$"):
        load(str(tmp_path / "a.npz"), drop_bad=True)


def test_of_many_bad_clouds_the_first_are_named(tmp_path: Path) -> None:
    points = np.zeros((9, 5, 3))
    points[2:8, 1, 0] = np.nan
    np.savez(tmp_path / "a.npz", points=points)
    with pytest.raises(ValueError, match=r"6 of 9 clouds are bad \(a/2, a/3, a/4, and 3 more; the first"):
        load(str(tmp_path / "a.npz"))


def test_a_number_beyond_float32_is_told(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((5, 3), 1e300))
    with pytest.raises(ValueError, match="beyond float32"):
        load(str(tmp_path / "a.npy"))


def test_clouds_that_together_are_too_large_are_refused(tmp_path: Path) -> None:
    folder(tmp_path, [f"{number}.npy" for number in range(10)], size=100)
    with pytest.raises(
        ValueError, match=r"10 clouds of 100 points: would take 11\.72 KiB .* the 9\.77 KiB allowed"
    ) as caught:
        load(str(tmp_path), max_bytes=10_000)
    assert "--max-bytes 12000" in str(caught.value)
    assert len(load(str(tmp_path), max_bytes=12_000)) == 10


def test_what_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    folder(tmp_path, ["parts/1.xyz"])
    with pytest.raises(FileNotFoundError, match=f"no such file or folder; did you mean {tmp_path / 'parts'}"):
        load(str(tmp_path / "part"))
    folder(tmp_path, ["single.npy", "missing.npy"])
    with pytest.raises(FileNotFoundError, match="no such file or folder; give a file, a folder, or"):
        load(str(tmp_path / "missing.npz"))
    (tmp_path / "missing.npy").unlink()
    with pytest.raises(FileNotFoundError, match="no such file or folder; give a file, a folder, or"):
        load(str(tmp_path / "missing.npy"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty: is empty; give a folder of clouds or meshes"):
        load(str(tmp_path / "empty"))
    (tmp_path / "empty" / "a.npz").touch()
    with pytest.raises(ValueError, match=r"but 1 \.npz; give another folder, or name a file in it"):
        load(str(tmp_path / "empty"))


def test_modelnet40_as_hdf5(tmp_path: Path) -> None:
    for split, label in (("train", 1), ("test", 0)):
        (tmp_path / f"{split}_files.txt").write_text(f"data/modelnet40_ply_hdf5_2048/ply_data_{split}0.h5\n")
        with h5py.File(tmp_path / f"ply_data_{split}0.h5", "w") as file:
            file["data"] = RANDOM.normal(size=(3, 16, 3)).astype(np.float32)
            file["label"] = np.full((3, 1), label, dtype=np.uint8)
    (tmp_path / "shape_names.txt").write_text("airplane\nbathtub\n")
    clouds = load(f"{tmp_path}:bathtub@train")
    assert clouds.points.shape == (3, 16, 3) and clouds.classes == ("bathtub",)
    (tmp_path / "ply_data_test0.h5").unlink()
    with pytest.raises(ValueError, match="is missing"):
        load(str(tmp_path))


def test_shapenet_part(tmp_path: Path) -> None:
    for split, name in (("train", "b"), ("val", "c"), ("test", "a")):
        lists = tmp_path / "train_test_split"
        lists.mkdir(exist_ok=True)
        (lists / f"shuffled_{split}_file_list.json").write_text(json.dumps([f"shape_data/02691156/{name}"]))
        rows = np.hstack([RANDOM.normal(size=(20, 3)), np.tile([0, 0, 1], (20, 1)), np.ones((20, 1))])
        write(tmp_path / "02691156" / f"{name}.txt", rows)
    clouds = load(f"{tmp_path}:airplane", points=10)
    assert clouds.names == ("02691156/a", "02691156/b", "02691156/c") and clouds.splits == ("test", "train", "val")
    assert clouds.normals is not None


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


def test_check_lists_every_fault(tmp_path: Path) -> None:
    broken_folder(tmp_path)
    np.save(tmp_path / "d.npy", np.ones((12, 3)))
    np.save(tmp_path / "e.npy", np.ones((1, 3)))
    (tmp_path / "f.off").write_text("OFF\n3 1 0\n0 0 0\n1 0 0\n2 0 0\n3 0 1 2\n")
    (tmp_path / "g.off").write_text("OFF\n3 1 0\n0 0 0\n1 0 0\n2 1 0\n3 0 1 7\n")
    faults = {fault.name: str(fault) for fault in check(str(tmp_path))}
    assert list(faults) == ["b.npy", "c.npy", "d.npy", "e.npy", "f.off", "g.off", str(tmp_path)]
    for name, told in (
        ("b.npy", "nan"),
        ("c.npy", str(tmp_path / "c.npy")),
        ("d.npy", "is one point, repeated 12 times"),
        ("e.npy", "is a single point"),
        ("f.off", "has no area"),
        ("g.off", "names vertices"),
        (str(tmp_path), "from 1 (e.npy) to 12 (a.npy) points"),
    ):
        assert told in faults[name]
        assert faults[name].startswith(f"{tmp_path if name == str(tmp_path) else tmp_path / name}: ")
        assert faults[name].partition("; make")[0].count(str(tmp_path)) == 1
    np.savez(tmp_path / "a.npz", cloud=[0])
    assert "has no array 'points'" in str(check(str(tmp_path / "a.npz"))[0])
    np.savez(tmp_path / "b.npz", points=np.stack([np.eye(3), np.full((3, 3), np.nan)]))
    (fault,) = check(f"{tmp_path / 'b.npz'}@all")
    assert str(fault).startswith(f"{tmp_path / 'b.npz'}: cloud 1: point 0 is [nan")
    assert check("shapes:mug=2") == []


def test_a_source_of_no_clouds_is_a_fault(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((0, 5, 3)))
    assert [str(fault) for fault in check(str(tmp_path / "a.npy"))] == [f"{tmp_path / 'a.npy'}: holds no clouds"]
    about = info(str(tmp_path / "a.npy"))
    assert about["clouds"] == 0 and about["points"] == about["normals"] == "-"


def test_surfaces_and_stored_clouds_of_any_size_are_no_fault_together(tmp_path: Path) -> None:
    folder(tmp_path, ["a.xyz"], size=40)
    (tmp_path / "b.off").write_text(BOX_OFF)
    assert check(str(tmp_path)) == []
    assert load(str(tmp_path), points=40).points.shape == (2, 40, 3)


def test_info_says_what_there_is(tmp_path: Path) -> None:
    broken_folder(tmp_path / "chair" / "train")
    (tmp_path / "mug" / "test").mkdir(parents=True)
    (tmp_path / "mug" / "test" / "z.off").write_text(BOX_OFF)
    about = info(str(tmp_path), up="z")
    assert about["clouds"] == 5 and about["bad"].startswith("2;")
    assert "12 (2 clouds)" in about["points"] and "surfaces, any number (1 cloud)" in about["points"]
    assert about["normals"] == "1 cloud"
    assert about["classes"] == "chair 4, mug 1" and about["splits"] == "train 4, test 1"
    box = info(str(tmp_path / "mug"), up="z")
    assert (box["x"], box["y"], box["z"]) == ("0 to 1", "0 to 3", "-2 to 0")
    np.savez(tmp_path / "bad.npz", points=np.full((3, 5, 3), np.nan))
    about = info(str(tmp_path / "bad.npz"))
    assert about["bad"].startswith("3;") and about["points"] == about["normals"] == "-"


def test_real_parts_and_meshes(shapes_dir: Path) -> None:
    parts = shapes_dir / "ldraw_parts.npz"
    bricks = load(f"{parts}:Brick@train")
    assert bricks.points.shape == (242, 2048, 3) and bricks.classes == ("Brick",)
    train, val = holdout(load(f"{parts}:Brick"))
    assert len(train) + len(val) == 242 and set(train.names) | set(val.names) == set(bricks.names)
    with pytest.raises(ValueError, match="which have train, test"):
        load(f"{parts}:Brick@val")
    meshes = load(str(shapes_dir / "meshes_obj"), points=64)
    assert meshes.points.shape == (80, 64, 3) and meshes.names[0] == "000.obj"
