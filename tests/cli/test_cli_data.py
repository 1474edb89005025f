"""`pcgen data` as a user meets it."""

import os

import numpy as np
import pytest
import torch

from pcgen import data
from pcgen.training import Run

UTM = np.array([691234.5, 5334567.25, 12.0])


def ball(count=200):
    x = np.random.default_rng(count).normal(size=(count, 3))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_clouds_far_apart_are_converted_each_by_itself(pcgen, tmp_path):
    far = tmp_path / "far"
    far.mkdir()
    for row in range(3):
        np.save(far / f"{row}.npy", ball() + UTM + 20000 * row)
    result = pcgen("data", "convert", far, "--out", tmp_path / "a.npz")
    assert result.code == 2 and "too far from the origin" in result.err and len(result.err.splitlines()) == 1
    assert f"pcgen data convert {far} --normalize unit_sphere --out NEW.npz" in result.err
    assert pcgen("data", "check", far).code == 2
    result = pcgen("data", "convert", far, "--normalize", "unit_sphere", "--out", tmp_path / "a.npz")
    assert result.code == 0, result.err
    clouds = data.load(str(tmp_path / "a.npz"))
    assert clouds.origin == (0, 0, 0)
    expected = data.Normalization("unit_sphere").apply(torch.from_numpy(ball())[None])
    assert torch.allclose(clouds.points, expected.expand(3, -1, -1), atol=1e-6)


@pytest.mark.parametrize("place", [(1.0, 0.0, 0.0), tuple(UTM)])
def test_normalised_clouds_are_about_0_whatever_origin_the_file_has(pcgen, tmp_path, place):
    points = torch.from_numpy(np.stack([ball(), 2 * ball()])).float()
    data.save(tmp_path / "a.npz", data.Clouds(points, origin=place))
    result = pcgen("data", "convert", tmp_path / "a.npz", "--normalize", "unit_box", "--out", tmp_path / "b.npz")
    assert result.code == 0 and "float32" not in result.err, result.err
    clouds = data.load(str(tmp_path / "b.npz"))
    assert clouds.origin == (0, 0, 0)
    assert torch.allclose(clouds.points, data.Normalization("unit_box").apply(points), atol=1e-5)


def test_clouds_are_normalised_whole_before_they_are_thinned(pcgen, tmp_path):
    points = np.random.default_rng(0).normal(size=(500, 3))
    np.save(tmp_path / "a.npy", points)
    assert pcgen("data", "convert", tmp_path / "a.npy", "--points", 20, "--normalize", "unit_box", "--out",
                 tmp_path / "a.npz").code == 0  # fmt: skip
    whole = data.Normalization("unit_box").apply(torch.from_numpy(points)[None])[0]
    thinned = data.load(str(tmp_path / "a.npz")).points[0]
    assert {tuple(point) for point in thinned.tolist()} <= {tuple(point) for point in whole.tolist()}


def test_out_may_be_a_cloud_or_a_folder(pcgen, boxes, tmp_path):
    np.save(tmp_path / "a.npy", ball() + UTM)
    assert pcgen("data", "convert", tmp_path / "a.npy", "--out", tmp_path / "new" / "a.ply").code == 0
    assert np.abs(data.load(str(tmp_path / "new" / "a.ply")).coordinates.numpy() - ball() - UTM).max() < 1e-6
    assert pcgen("data", "convert", boxes, "--out", f"{tmp_path}/boxes/").code == 0
    assert len(data.load(f"{tmp_path}/boxes")) == 40
    result = pcgen("data", "convert", boxes, "--out", tmp_path / "b.ply")
    assert result.code == 2 and "a .ply file holds one cloud, got 40" in result.err
    result = pcgen("data", "convert", boxes, "--out", tmp_path / "b.stl")
    assert result.code == 2 and "must end in .npz, in .ply or .xyz" in result.err


def test_converted_clouds_are_y_up_for_good(pcgen, tmp_path):
    np.save(tmp_path / "a.npy", [[1.0, 2.0, 3.0], [0, 0, 0]])
    assert pcgen("data", "convert", tmp_path / "a.npy", "--up", "z", "--out", tmp_path / "a.npz").code == 0
    result = pcgen("data", "info", tmp_path / "a.npz", "--up", "z")
    assert "0 to 3" in result.out and "its up axis is y" in " ".join(result.out.split())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_names_that_are_no_utf8_are_printed(pcgen, tmp_path):
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    odd.mkdir()
    np.save(odd / os.fsdecode(b"\xff.npy"), np.full((2, 3), np.nan))
    result = pcgen("data", "info", odd)
    assert result.code == 0 and "caf\\xe9" in "".join(result.out.split())  # the path may be folded
    result = pcgen("data", "check", odd)
    assert result.code == 2 and "caf\\xe9/\\xff.npy: point 0 is [nan" in result.out


def test_samples_of_a_map_are_in_the_map(pcgen, tmp_path):
    points = np.stack([ball(64) + UTM for _ in range(24)])
    np.savez(tmp_path / "a.npz", points=points)
    run = ["train", "vae", "--data", tmp_path / "a.npz", "--points", 32, "--steps", 2, "--normalize", "unit_sphere"]
    assert pcgen(*run, "--out", tmp_path / "run").code == 0
    result = pcgen("sample", tmp_path / "run", "-n", 3, "--out", tmp_path / "s.npz")
    assert result.code == 0, result.err
    samples = data.load(str(tmp_path / "s.npz"))
    assert samples.origin != (0, 0, 0) and samples.points.abs().max() < 20
    assert np.abs(samples.coordinates.numpy() - UTM).max() < 10


def test_a_set_is_enlarged_by_changed_copies(pcgen, tmp_path):
    np.savez(tmp_path / "a.npz", points=np.stack([ball(32) for _ in range(6)]).astype(np.float32))
    changes = ["--copies", 4, "--stretch", 0.1, "--rotate", 180]
    result = pcgen("data", "convert", tmp_path / "a.npz", *changes, "--out", tmp_path / "b.npz")
    assert result.code == 0 and "24 clouds of 32 points" in result.err, result.err
    grown = data.load(str(tmp_path / "b.npz"))
    assert len(grown) == 24 and len({tuple(cloud.flatten().tolist()) for cloud in grown.points}) == 24
    assert len(set(grown.splits[:4])) == 1  # copies of a cloud are in one split
    result = pcgen("data", "convert", tmp_path / "a.npz", "--mirror", 2, "--out", tmp_path / "c.npz")
    assert result.code == 2 and "--mirror" in result.err


def test_changes_are_about_the_cloud_wherever_it_is(pcgen, tmp_path):
    points = ball(64) * [1, 2, 0.5] + [50, 0, 0]
    np.save(tmp_path / "a.npy", points.astype(np.float32))
    changes = ["--copies", 25, "--rotate", 180, "--mirror", 0.5, "--scale", 0.1, "--stretch", 0.1]
    result = pcgen("data", "convert", tmp_path / "a.npy", *changes, "--out", tmp_path / "b.npz")
    assert result.code == 0, result.err
    grown = data.load(str(tmp_path / "b.npz")).points
    assert (grown.mean(1) - grown.new_tensor([50, 0, 0])).norm(dim=1).max() < 1
    np.savez(tmp_path / "far.npz", points=np.stack([points] * 6).astype(np.float32))
    train = ["train", "autoencoder", "--data", tmp_path / "far.npz", "--points", 32, "--steps", 1, "--rotate", 90]
    assert pcgen(*train, "--out", tmp_path / "run").code == 0
    assert Run.open(tmp_path / "run").config["training"]["augment"]["centred"] is True


def test_splits_are_counted_as_they_are_written(pcgen, boxes, tmp_path):
    result = pcgen("data", "convert", boxes, "--out", tmp_path / "a.npz")
    made = "made from the clouds' names (from their points, if the names are row numbers)"
    assert f"splits: 34 train, 2 val, 4 test; the source has none: they were {made}" in result.err, result.err
    result = pcgen("data", "convert", tmp_path / "a.npz", "--copies", 2, "--out", tmp_path / "b.npz")
    assert "splits: 68 train, 4 val, 8 test\n" in result.err, result.err
    result = pcgen("data", "convert", f"{tmp_path / 'a.npz'}@train", "--rotate", 9, "--out", tmp_path / "c.npz")
    assert "splits: 34 train, 0 val, 0 test\n" in result.err, result.err
    result = pcgen("data", "convert", boxes, "--copies", 9, "--max-bytes", 100_000, "--out", tmp_path / "d.npz")
    assert result.code == 2 and "9 copies of 40 clouds" in result.err and not (tmp_path / "d.npz").exists()


def test_global_std_is_of_train_and_said(pcgen, tmp_path):
    points = np.stack([ball(32) * size + [0, 10, 0] for size in (1, 2, 3, 4)]).astype(np.float32)
    np.savez(tmp_path / "a.npz", points=points, split=["train", "train", "val", "test"])
    convert = ["data", "convert", "--normalize", "global_std", "--out", tmp_path / "b.npz"]
    result = pcgen(*convert, f"{tmp_path / 'a.npz'}@val,test")
    assert result.code == 2 and "--normalize: global_std is fitted to the clouds of @train, and" in result.err
    result = pcgen(*convert, tmp_path / "a.npz")
    fitted = data.Normalization("global_std").fit(torch.from_numpy(points[:2]))
    words = f"{fitted.offset[0]:.9g} {fitted.offset[1]:.9g} {fitted.offset[2]:.9g} subtracted from x, y and z, then"
    assert f"{words} divided by {fitted.size:.6g}: mean and deviation of 2 clouds of @train" in result.err, result.err
    assert torch.allclose(data.load(str(tmp_path / "b.npz")).points, fitted.apply(torch.from_numpy(points)), atol=1e-6)


def test_copies_of_one_shape_are_all_train(pcgen, tmp_path):
    np.save(tmp_path / "a.npy", ball(32).astype(np.float32))
    changes = ["--copies", 12, "--rotate", 180]
    result = pcgen("data", "convert", tmp_path / "a.npy", *changes, "--out", tmp_path / "b.npz")
    assert result.code == 0 and "splits: there were none, so all copies are train" in result.err, result.err
    assert data.load(str(tmp_path / "b.npz")).splits == ("train",) * 12
    with pytest.raises(ValueError, match="there is no split 'test' among its 12 clouds, which have train; name one"):
        data.load(f"{tmp_path / 'b.npz'}@test")


def test_splits_that_were_drawn_stay_in_what_is_written(pcgen, tmp_path):
    (tmp_path / "clouds").mkdir()
    for row in range(20):
        np.save(tmp_path / "clouds" / f"{row}.npy", ball(8 + row)[:8])
    drawn = data.load(str(tmp_path / "clouds")).splits
    assert pcgen("data", "convert", tmp_path / "clouds", "--out", tmp_path / "a.npz").code == 0
    assert data.load(str(tmp_path / "a.npz")).splits == drawn
    with np.load(tmp_path / "a.npz") as arrays:
        assert tuple(arrays["split"]) == drawn


def test_clouds_become_meshes_named_after_them(pcgen, tmp_path, open3d_imports):
    for name, count in (("a", 600), ("b", 900)):
        sphere = torch.nn.functional.normalize(torch.randn(1, count, 3), dim=2)
        (tmp_path / "scans").mkdir(exist_ok=True)
        data.save(tmp_path / "scans" / f"{name}.xyz", sphere)
    result = pcgen("data", "mesh", tmp_path / "scans", "--out", f"{tmp_path}/meshes/", "--format", "obj")
    assert result.code == 0 and "2 meshes by poisson" in result.err, result.err
    assert sorted(path.name for path in (tmp_path / "meshes").iterdir()) == ["a.obj", "b.obj"]
    again = data.load(str(tmp_path / "meshes"), surface_points=500).points
    assert (again.norm(dim=2) - 1).abs().max() < 0.1
    one = pcgen("data", "mesh", tmp_path / "scans", "--count", 1, "--out", tmp_path / "one.ply")
    assert one.code == 0 and (tmp_path / "one.ply").is_file()


def test_a_cloud_of_which_there_is_no_mesh_is_left_out_if_asked(pcgen, tmp_path, open3d_imports):
    (tmp_path / "scans").mkdir()
    for name, count in (("a", 600), ("b", 20)):
        sphere = torch.nn.functional.normalize(torch.randn(1, count, 3), dim=2)
        data.save(tmp_path / "scans" / f"{name}.xyz", sphere)
    result = pcgen("data", "mesh", tmp_path / "scans", "--out", f"{tmp_path}/m/")
    assert result.code == 2 and "b.xyz: points: must be 50 or more" in result.err
    assert "(--drop-bad leaves it out)" in result.err and not (tmp_path / "m").exists()
    result = pcgen("data", "mesh", tmp_path / "scans", "--out", f"{tmp_path}/m/", "--drop-bad")
    assert result.code == 0 and "left out: b.xyz: points: must be 50 or more" in result.err, result.err
    assert [path.name for path in (tmp_path / "m").iterdir()] == ["a.ply"]
    (tmp_path / "scans" / "a.xyz").unlink()
    result = pcgen("data", "mesh", tmp_path / "scans", "--out", f"{tmp_path}/none/", "--drop-bad")
    assert result.code == 2 and "scans: no cloud is left to mesh" in result.err and not (tmp_path / "none").exists()


def test_what_is_no_mesh_is_told_with_the_clouds_name(pcgen, tmp_path):
    data.save(tmp_path / "few.xyz", torch.randn(1, 20, 3))
    result = pcgen("data", "mesh", tmp_path / "few.xyz", "--out", tmp_path / "a.ply")
    assert result.code == 2 and "few.xyz: points: must be 50 or more different ones" in result.err
    result = pcgen("data", "mesh", "shapes:mug=3@all", "--out", tmp_path / "a.ply")
    assert result.code == 2 and "holds one mesh, got 3; name a folder" in result.err
    assert not (tmp_path / "a.ply").exists()


def test_a_source_of_bad_clouds_alone_gives_no_folder_of_meshes(pcgen, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "0.xyz").write_text("1 2 nan\n")
    result = pcgen("data", "mesh", tmp_path / "bad", "--drop-bad", "--out", f"{tmp_path}/m/")
    assert result.code == 2 and "bad: no cloud is left to mesh; pcgen data check" in result.err
    assert not (tmp_path / "m").exists()
