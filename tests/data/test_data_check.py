"""Every fault of a source, and what there is of it in words."""

from pathlib import Path

import numpy as np
import pytest
from cloud_folders import BOX_OFF, broken_folder, folder

from pcgen.data import check, info, load


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


def test_more_memory_than_allowed_is_a_fault(tmp_path: Path) -> None:
    folder(tmp_path, ["a.npy", "b.npy", "c.npy"], size=100)
    with pytest.raises(ValueError, match=r"3 clouds of 100 points: would take 3\.52 KiB") as caught:
        load(str(tmp_path), max_bytes=3000)
    assert [str(fault) for fault in check(str(tmp_path), max_bytes=3000)] == [str(caught.value)]
    assert check(str(tmp_path), max_bytes=3600) == [] and len(load(str(tmp_path), max_bytes=3600)) == 3


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
