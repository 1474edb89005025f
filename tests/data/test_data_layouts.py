"""Published datasets: which files are which split and class, and which points of a cloud are read."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from pcgen.data import info, load
from pcgen.data.training_set import training_set

RANDOM = np.random.default_rng(0)


def pc15k(root: Path, names: list[str]) -> np.ndarray:
    clouds = RANDOM.normal(size=(len(names), 15000, 3)).astype(np.float32)
    for name, cloud in zip(names, clouds, strict=True):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(root / name, cloud)
    return clouds


PC15K = "PC15k: points 0 to 9999 of train clouds and 10000 to 14999 of val and test clouds, as PointFlow reads them"


@pytest.mark.parametrize("below", ["03001627/", ""])
def test_pc15k_trains_on_the_first_points_and_tests_on_the_rest(tmp_path: Path, below: str) -> None:
    clouds = pc15k(tmp_path, [f"{below}test/c.npy", f"{below}train/a.npy", f"{below}val/b.npy"])
    for split, points in (("test", clouds[0, 10000:]), ("train", clouds[1, :10000]), ("val", clouds[2, 10000:])):
        part = load(f"{tmp_path}@{split}")
        assert np.array_equal(part.points[0].numpy(), points) and part.notes == (PC15K,)
        assert part.classes == (("chair",) if below else ())
    # Thinned clouds have points of their part alone.
    thin = load(f"{tmp_path}", points=2048).points.numpy()
    for place, (split, cloud) in enumerate(zip(("test", "train", "val"), clouds, strict=True)):
        part = cloud[:10000] if split == "train" else cloud[10000:]
        assert {tuple(point) for point in thin[place]} <= {tuple(point) for point in part}
    assert PC15K in info(str(tmp_path))["notes"]


def test_pc15k_is_learned_by_all_of_its_first_points_whatever_the_splits_of_the_spec(tmp_path: Path) -> None:
    clouds = pc15k(tmp_path, ["c/train/a.npy", "c/train/b.npy", "c/val/d.npy", "c/test/e.npy"])
    for spec in (str(tmp_path), f"{tmp_path}@train,val"):
        source = training_set(spec, points=2048)
        assert np.array_equal(source.train.numpy(), clouds[:2, :10000])
        assert {tuple(point) for point in source.held_out[0].numpy()} <= {tuple(point) for point in clouds[2, 10000:]}
        assert source.notes.count(PC15K) == 1


def test_folders_like_pc15k_with_other_sizes_or_without_splits_are_read_whole(tmp_path: Path) -> None:
    for name in ("a/train/1.npy", "a/test/2.npy"):
        (tmp_path / name).parent.mkdir(parents=True)
        np.save(tmp_path / name, np.zeros((14999, 3)))
    assert load(str(tmp_path)).points.shape == (2, 14999, 3)
    np.save(tmp_path / "3.npy", RANDOM.normal(size=(15000, 3)))
    assert load(str(tmp_path / "3.npy")).points.shape == (1, 15000, 3)  # a file alone is not a dataset
    pc15k(tmp_path / "other", ["a/1.npy", "b/2.npy"])
    assert load(str(tmp_path / "other")).points.shape == (2, 15000, 3)


def test_a_cloud_of_another_size_within_pc15k_is_told(tmp_path: Path) -> None:
    pc15k(tmp_path, ["a/test/1.npy", "a/train/2.npy"])
    np.save(tmp_path / "a" / "train" / "2.npy", np.zeros((2048, 3)))
    with pytest.raises(
        ValueError, match=r"2.npy; the first: must be \(15000, 3\) as the first good .* got \(2048, 3\)"
    ):
        load(str(tmp_path))


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY\x01\x00v\x00{'descr'", "no points"])
def test_a_damaged_file_of_another_class_does_not_hide_that_a_folder_is_pc15k(
    tmp_path: Path, damage: bytes | str
) -> None:
    clouds = pc15k(tmp_path, ["03001627/test/a.npy", "03001627/train/b.npy"])
    (tmp_path / "02691156" / "test").mkdir(parents=True)
    path = tmp_path / "02691156" / "test" / "000.npy"
    np.save(path, np.zeros((0, 3))) if isinstance(damage, str) else path.write_bytes(damage)
    for split, points in (("test", clouds[0, 10000:]), ("train", clouds[1, :10000])):
        part = load(f"{tmp_path}:chair@{split}")
        assert np.array_equal(part.points[0].numpy(), points) and part.notes == (PC15K,)
    with pytest.raises(ValueError, match=r"1 of 3 clouds are bad \(02691156/test/000\.npy"):
        load(str(tmp_path))


def test_pc15k_is_recognised_below_a_folder_whose_name_is_not_utf8(tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode(b"caf\xe9")
    clouds = pc15k(root, ["03001627/test/a.npy", "03001627/train/b.npy"])
    part = load(f"{root}@train")
    assert np.array_equal(part.points[0].numpy(), clouds[1, :10000]) and part.notes == (PC15K,)


def hdf5_part(root: Path) -> np.ndarray:
    """ShapeNetPart as PointNet has it: two files of training, one of each other split."""
    clouds = RANDOM.normal(size=(4, 3, 16, 3)).astype(np.float32)
    parts = ("train0", "train1", "val0", "test0")
    for number, (part, points) in enumerate(zip(parts, clouds, strict=True)):
        with h5py.File(root / f"ply_data_{part}.h5", "w") as file:
            file["data"], file["pid"] = points, np.zeros((3, 16), dtype=np.uint8)
            file["label"] = np.array([[number % 2], [1], [0]], dtype=np.uint8)
    for split in ("train", "val", "test"):
        names = [f"ply_data_{part}.h5\n" for part in parts if part.startswith(split)]
        (root / f"{split}_hdf5_file_list.txt").write_text("".join(names))
    (root / "all_object_categories.txt").write_text("Motorbike\t03790512\nAirplane\t02691156\n")
    return clouds


def test_shapenet_part_as_hdf5(tmp_path: Path) -> None:
    clouds = hdf5_part(tmp_path)
    whole = load(str(tmp_path))
    assert np.array_equal(whole.points.numpy(), clouds.reshape(12, 16, 3))
    assert whole.classes == ("motorcycle", "airplane")  # by the synset, as all of ShapeNet calls them
    assert whole.labels is not None and whole.labels.tolist() == [0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0]
    assert whole.splits == ("train",) * 6 + ("val",) * 3 + ("test",) * 3
    assert np.array_equal(load(f"{tmp_path}:airplane@val").points.numpy(), clouds[2, 1:2])


def hdf5_lists(root: Path, tested: str) -> None:
    hdf5_part(root)
    (root / "test_hdf5_file_list.txt").write_text(f"{tested}\n")


def text_lists(root: Path, tested: str) -> None:
    (root / "modelnet10_train.txt").write_text("bed_0001\n")
    (root / "modelnet10_test.txt").write_text(f"{tested}\n")


def json_lists(root: Path, tested: str) -> None:
    (root / "train_test_split").mkdir()
    for split, name in (("train", "shape_data/02691156/a"), ("val", "shape_data/02691156/b"), ("test", tested)):
        (root / "train_test_split" / f"shuffled_{split}_file_list.json").write_text(json.dumps([name]))


@pytest.mark.parametrize(
    ("lists", "tested"),
    [(hdf5_lists, "data/ply_data_train0.h5"), (text_lists, "bed_0001"), (json_lists, "shape_data/02691156/a")],
)
def test_a_cloud_in_the_lists_of_two_splits_is_refused(
    tmp_path: Path, lists: Callable[[Path, str], None], tested: str
) -> None:
    lists(tmp_path, tested)
    with pytest.raises(ValueError, match=f"^{tmp_path}: .* is in its lists of train and test, so that a model would"):
        load(str(tmp_path))


@pytest.mark.parametrize(
    ("lists", "tested"),
    [
        (hdf5_lists, "data/.."),
        (text_lists, ".._x"),
        (text_lists, "a/../../x_1"),
        (text_lists, "x"),  # of the class "", which is an absolute path
        (json_lists, "../x"),
        (json_lists, "a/../../x"),
        (json_lists, "/x"),
    ],
)
def test_a_list_that_leads_out_of_its_folder_is_refused(
    tmp_path: Path, lists: Callable[[Path, str], None], tested: str
) -> None:
    lists(tmp_path, tested)
    with pytest.raises(ValueError, match=f"^{tmp_path}: its list of test names '"):
        load(str(tmp_path))


def test_a_nested_list_of_a_dataset_is_told(tmp_path: Path) -> None:
    (tmp_path / "train_test_split").mkdir()
    for split in ("train", "val", "test"):
        path = tmp_path / "train_test_split" / f"shuffled_{split}_file_list.json"
        path.write_text("[" * 100_000 if split == "train" else "[]")
    with pytest.raises(ValueError, match="must be a JSON list of shape_data"):
        load(str(tmp_path))


def modelnet_hdf5(root: Path) -> tuple[np.ndarray, np.ndarray]:
    """ModelNet40 as PointNet has it, with normals: two files of training, one of testing."""
    clouds, normals = RANDOM.normal(size=(2, 3, 4, 16, 3)).astype(np.float32)
    for number in range(3):
        with h5py.File(root / f"ply_data_{number}.h5", "w") as file:
            file["data"], file["normal"], file["label"] = (
                clouds[number],
                normals[number],
                np.zeros((4, 1), dtype=np.uint8),
            )
    (root / "train_files.txt").write_text("data/ply_data_0.h5\ndata/ply_data_1.h5\n")
    (root / "test_files.txt").write_text("data/ply_data_2.h5\n")
    return clouds, normals


def test_modelnet_as_hdf5_keeps_normals_that_every_file_has(tmp_path: Path) -> None:
    clouds, normals = modelnet_hdf5(tmp_path)
    whole = load(str(tmp_path))
    assert np.array_equal(whole.points.numpy(), clouds.reshape(12, 16, 3)) and whole.notes == ()
    assert whole.normals is not None and np.array_equal(whole.normals.numpy(), normals.reshape(12, 16, 3))
    with pytest.raises(ValueError, match=r"would take .* of memory, more than"):
        load(str(tmp_path), max_bytes=clouds.nbytes)
    with h5py.File(tmp_path / "ply_data_1.h5", "r+") as file:
        file["normal"][2, 3] = np.nan
    some = load(str(tmp_path))
    assert some.normals is None and np.array_equal(some.points.numpy(), whole.points.numpy())
    told = f"{tmp_path}: normals left out: 1 of 3 files, such as ply_data_1.h5, have no finite one for each point"
    assert some.notes == (told,)
    for number in range(3):
        with h5py.File(tmp_path / f"ply_data_{number}.h5", "r+") as file:
            del file["normal"]
    assert load(str(tmp_path)).normals is None and load(str(tmp_path)).notes == ()


def test_lists_of_hdf5_files_that_are_no_dataset_are_told(tmp_path: Path) -> None:
    hdf5_part(tmp_path)
    with h5py.File(tmp_path / "ply_data_val0.h5", "r+") as file:
        del file["label"]
    with pytest.raises(ValueError, match=r"ply_data_val0\.h5: must have a label for each cloud"):
        load(str(tmp_path))
    with h5py.File(tmp_path / "ply_data_val0.h5", "r+") as file:
        del file["data"]
        file["data"], file["label"] = np.zeros((3, 8, 3)), np.zeros(3, dtype=int)
    with pytest.raises(ValueError, match="its files hold clouds of different shapes"):
        load(str(tmp_path))
    for split in ("train", "val", "test"):
        (tmp_path / f"{split}_hdf5_file_list.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"its lists, such as .*, name no files"):
        load(str(tmp_path))


@pytest.mark.parametrize("number", [10, 40])
def test_modelnet_as_text_with_normals(tmp_path: Path, number: int) -> None:
    rows = {"bed_0001": 1.0, "night_stand_0002": 2.0, "bed_0003": 3.0}
    for name, x in rows.items():
        (tmp_path / name.rpartition("_")[0]).mkdir(exist_ok=True)
        lines = f"{x},0.25,-1.5,0,1,0\n" * 20
        (tmp_path / name.rpartition("_")[0] / f"{name}.txt").write_text(lines)
    (tmp_path / f"modelnet{number}_train.txt").write_text("night_stand_0002\r\nbed_0001\r\n")
    (tmp_path / f"modelnet{number}_test.txt").write_text("bed_0003\r\n")
    clouds = load(str(tmp_path))
    assert clouds.names == ("bed/bed_0001.txt", "bed/bed_0003.txt", "night_stand/night_stand_0002.txt")
    assert clouds.classes == ("bed", "night_stand") and clouds.splits == ("train", "test", "train")
    assert clouds.points[:, 0].tolist() == [[1, 0.25, -1.5], [3, 0.25, -1.5], [2, 0.25, -1.5]]
    assert clouds.normals is not None and clouds.normals[1, 7].tolist() == [0, 1, 0]
