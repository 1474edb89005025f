"""Folders and datasets by spec: classes, surfaces, axes, numbers of points, and what is not there."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from cloud_folders import BOX_OFF, RANDOM, folder, write

from pcgen.data import Normalization, holdout, info, load, load_each
from pcgen.data.gathering import Reading
from pcgen.data.loading import load_placed
from pcgen.data.splits import DRAWN
from pcgen.data.training_set import training_set


def test_a_flat_folder_is_sorted_and_has_no_classes(tmp_path: Path) -> None:
    folder(tmp_path, ["b.xyz", "a.npy", "c.pts", ".hidden.xyz"])
    (tmp_path / "licence.txt").write_text("words")
    clouds = load(str(tmp_path))
    assert clouds.names == ("a.npy", "b.xyz", "c.pts") and clouds.labels is None
    assert clouds.splits is not None and set(clouds.splits) == {"train", "val", "test"}
    assert any("1 files of other kinds ignored (.txt)" in note for note in clouds.notes)
    assert clouds.drawn and len(clouds.notes) == 1  # no split is asked for: how they are drawn need not be told
    (note,) = [note for note in load(f"{tmp_path}@test").notes if "split" in note]
    assert note == f"{tmp_path} has no splits of its own: they are {DRAWN}: 1 train, 1 val, 1 test"
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


def test_surfaces_have_as_many_points_as_are_needed_at_least(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.off").write_text(BOX_OFF)
    for source in (str(tmp_path), "shapes:chair=2"):
        for at_least, kept in ((10, 2048), (4096, 4096)):
            assert load(source, at_least=at_least).points.shape == (2, kept, 3)
    np.save(tmp_path / "c.npy", np.random.default_rng(0).normal(size=(3000, 3)))
    assert load(str(tmp_path), at_least=2500).points.shape == (3, 2500, 3)


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


@pytest.mark.parametrize("name", ["unit_sphere", "unit_box", "bbox"])
def test_thinned_clouds_may_keep_the_place_of_the_whole_ones(tmp_path: Path, name: str) -> None:
    for number, size in enumerate((50, 80)):
        write(tmp_path / f"{number}.npy", RANDOM.normal(size=(size, 3)) + 100 * number)
    clouds, _ = load_placed(str(tmp_path), Reading(points=20, normalize=name, apply=False))
    plain = load(str(tmp_path), points=20)
    assert torch.equal(clouds.points, plain.points) and plain.whole is None
    expected, placement = load_placed(str(tmp_path), Reading(points=20, normalize=name))
    found, place = Normalization(name).place(clouds)
    torch.testing.assert_close(found, expected.points)
    assert torch.equal(place.offset, placement.offset) and torch.equal(place.size, placement.size)
    torch.testing.assert_close(Normalization(name).apply(clouds.select([1])), expected.points[1:])
    assert not torch.allclose(Normalization(name).apply(plain), found, atol=1e-3)
    other = Normalization("bbox" if name != "bbox" else "unit_box")
    assert torch.equal(other.apply(clouds), other.apply(plain))  # of which nothing is known
    assert Normalization(name).apply_to(clouds).whole is None
    few = load_placed("shapes:mug=2", Reading(points=64, normalize=name, apply=False))[1]
    assert torch.equal(few.size, load_placed("shapes:mug=2", Reading(normalize=name))[1].size)


@pytest.mark.parametrize("name", ["unit_sphere", "unit_box", "bbox"])
@pytest.mark.parametrize("source", ["mesh", "shapes:lamp=2", "shapes:scene=2"])
def test_the_place_of_a_surface_does_not_hang_on_the_points_asked_for(tmp_path: Path, name: str, source: str) -> None:
    (tmp_path / "a.off").write_text(BOX_OFF)
    spec = str(tmp_path / "a.off") if source == "mesh" else f"{source}@all"
    whole, placement = load_placed(spec, Reading(normalize=name))
    own = Normalization(name).apply(load(spec))  # of 2048 points, by these themselves
    torch.testing.assert_close(whole.points, own, atol=1e-6, rtol=0)
    for points in (32, 64, 4096):
        for apply in (True, False):
            found = load_placed(spec, Reading(points=points, normalize=name, apply=apply))[1]
            assert torch.equal(found.size, placement.size) and torch.equal(found.offset, placement.offset)
        normalised = load_placed(spec, Reading(points=points, normalize=name))[0].points
        expected = (load(spec, points=points).points.double() - placement.offset) / placement.size
        torch.testing.assert_close(normalised.double(), expected, atol=1e-6, rtol=0)


def test_training_and_encoding_place_a_surface_alike() -> None:
    placement = load_placed("shapes:mug=2@all", Reading(points=64, normalize="unit_sphere", apply=False))[1]
    for points in (16, 512, 1024):
        learned = training_set("shapes:mug=2@all", points=points, normalize="unit_sphere")
        assert any(float(size) == learned.normalization.size for size in placement.size)


def test_clouds_one_by_one_are_in_the_order_of_a_seed_of_its_own(tmp_path: Path) -> None:
    folder(tmp_path, [f"{number}.npy" for number in range(9)], size=6)
    for seed in (0, 5):
        found = list(load_each(str(tmp_path), Reading(points=4), shuffle=True, seed=seed))
        order = torch.randperm(9, generator=torch.Generator().manual_seed(seed)).tolist()
        assert [cloud.names[0] for cloud in found] == [f"{number}.npy" for number in order]
        same = load(str(tmp_path), points=4)
        assert all(torch.equal(cloud.points[0], same.points[row]) for cloud, row in zip(found, order, strict=True))


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
