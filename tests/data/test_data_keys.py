"""What is drawn for a cloud, its split, its points, being held out, survives renaming and copying."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pcgen.data import Augmentation, holdout, load, save
from pcgen.data.enlarging import enlarged
from pcgen.data.training_set import training_set

POINTS = np.random.default_rng(0).normal(size=(60, 32, 3))
BOX = "OFF\n4 4 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 1 2\n3 0 1 3\n3 0 2 3\n3 1 2 3\n"


def members(points: torch.Tensor) -> set[bytes]:
    return {cloud.numpy().tobytes() for cloud in points}


def test_no_test_cloud_of_a_renamed_file_was_trained_on(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", points=POINTS)
    shutil.copy(tmp_path / "a.npz", tmp_path / "b.npz")
    tested = load(f"{tmp_path / 'b.npz'}@test")
    assert torch.equal(tested.points, load(f"{tmp_path / 'a.npz'}@test").points)
    assert tested.names[0].startswith("b/")
    learned = training_set(str(tmp_path / "a.npz"), points=32)
    assert not members(learned.train) & members(tested.points)
    assert torch.equal(learned.held_out, training_set(str(tmp_path / "b.npz"), points=32).held_out)


@pytest.mark.parametrize("kind", ["other order", "other numbers", "npy", "row numbers as names"])
def test_splits_follow_the_points_where_names_are_row_numbers(tmp_path: Path, kind: str) -> None:
    np.savez(tmp_path / "a.npz", points=POINTS)
    tested = members(load(f"{tmp_path / 'a.npz'}@test").points)
    copy = tmp_path / "copy.npz"
    if kind == "other order":
        np.savez(copy, points=POINTS[::-1])
    elif kind == "other numbers":
        np.savez(copy, points=np.asfortranarray(POINTS.astype(">f4")))
    elif kind == "npy":
        copy = tmp_path / "copy.npy"
        np.save(copy, POINTS)
    else:
        np.savez(copy, points=POINTS, names=[str(row) for row in range(60)])
    assert members(load(f"{copy}@test").points) == tested


def test_splits_follow_names_where_the_source_has_its_own(tmp_path: Path) -> None:
    names = [f"part {row}" for row in range(60)]
    np.savez(tmp_path / "a.npz", points=POINTS, names=names)
    np.savez(tmp_path / "b.npz", points=2 * POINTS, names=names)
    assert load(f"{tmp_path / 'a.npz'}@test").names == load(f"{tmp_path / 'b.npz'}@test").names


def test_thinning_and_held_out_rows_do_not_hang_on_the_name_of_the_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", points=POINTS, split=["train"] * 60)
    shutil.copy(tmp_path / "a.npz", tmp_path / "b.npz")
    first, second = load(str(tmp_path / "a.npz"), points=8), load(str(tmp_path / "b.npz"), points=8)
    assert torch.equal(first.points, second.points)
    for seed in range(2):
        assert torch.equal(holdout(first, seed)[1].points, holdout(second, seed)[1].points)
    assert not torch.equal(holdout(first, 0)[1].points, holdout(first, 1)[1].points)


@pytest.mark.parametrize("name", ["a.off", "a.xyz"])
def test_a_file_of_one_cloud_gives_the_same_points_under_another_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(BOX if name == "a.off" else "\n".join(" ".join(map(str, row)) for row in POINTS[0]))
    first = load(str(path), points=16)
    path = path.rename(path.with_stem("renamed"))
    assert torch.equal(load(str(path), points=16).points, first.points)


def test_keys_go_with_their_clouds(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", points=POINTS)
    clouds = load(str(tmp_path / "a.npz"))
    assert clouds.select([5, 3]).keys == (clouds.keys[5], clouds.keys[3]) and len(set(clouds.keys)) == 60
    assert load("shapes:mug=3", surface_points=4).keys == ("mug/0", "mug/1", "mug/2")
    # A file that pcgen wrote from a tensor has row numbers for names.
    tested = load(f"{save(tmp_path / 'c.npz', torch.from_numpy(POINTS))}@test")
    assert members(tested.points) == members(load(f"{tmp_path / 'a.npz'}@test").points)


@pytest.mark.parametrize("source", ["a.npz", "a.npy", "a.xyz", "numbered.npz"])
def test_a_converted_file_keeps_the_points_and_held_out_clouds_of_its_source(tmp_path: Path, source: str) -> None:
    path = tmp_path / source
    if source == "a.xyz":
        path.write_text("\n".join(" ".join(map(str, row)) for row in POINTS[0]))
    elif source == "a.npy":
        np.save(path, POINTS)
    else:
        named = {"names": [str(row) for row in range(60)]} if source == "numbered.npz" else {}
        np.savez(path, points=POINTS, split=["train"] * 60, **named)
    clouds = load(str(path))
    first = save(tmp_path / "first.npz", clouds)
    again = save(tmp_path / "again.npz", load(str(first)))
    for copy in (first, again):
        assert load(str(copy)).keys == clouds.keys and load(str(copy)).names == clouds.names
        assert torch.equal(load(str(copy), points=8).points, load(str(path), points=8).points)
        if len(clouds) > 1:
            one, other = (training_set(f"{spec}@train", points=32) for spec in (path, copy))
            assert torch.equal(one.held_out, other.held_out)


def test_an_npz_has_keys_only_where_names_are_not_the_keys(tmp_path: Path) -> None:
    save(tmp_path / "a.npz", load("shapes:mug=3", surface_points=4))
    with np.load(tmp_path / "a.npz") as file:
        assert "keys" not in file
    np.savez(tmp_path / "b.npz", points=POINTS, keys=["a", "b"])
    with pytest.raises(ValueError, match=r"b\.npz: keys must be one for each of 60 clouds, got \(2,\)"):
        load(str(tmp_path / "b.npz"))


@pytest.mark.parametrize("copies", [1, 3])
def test_changed_copies_are_held_out_whatever_the_name_of_their_source(tmp_path: Path, copies: int) -> None:
    np.savez(tmp_path / "a.npz", points=POINTS, split=["train"] * 60)
    shutil.copy(tmp_path / "a.npz", tmp_path / "b.npz")
    first, second = (enlarged(load(f"{tmp_path / name}.npz"), copies, Augmentation()) for name in "ab")
    assert first.keys == second.keys and len(set(first.keys)) == 60 * copies and first.names != second.names
