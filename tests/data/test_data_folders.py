"""Folders as they are found: links, locked files and folders, a class called train, names that are no UTF-8."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from pcgen.data import check, info, load, save

RANDOM = np.random.default_rng(0)


def folder(root: Path, layout: list[str]) -> Path:
    for number, name in enumerate(layout):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(root / name, RANDOM.normal(size=(12, 3)) + number)
    return root


def test_linked_class_folders_and_files_are_followed(tmp_path: Path) -> None:
    folder(tmp_path / "elsewhere", ["1.npy", "2.npy"])
    folder(tmp_path / "root", ["mug/3.npy"])
    (tmp_path / "root" / "chair").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "root" / "mug" / "4.npy").symlink_to(tmp_path / "elsewhere" / "1.npy")
    clouds = load(str(tmp_path / "root"))
    assert clouds.names == ("chair/1.npy", "chair/2.npy", "mug/3.npy", "mug/4.npy") and clouds.classes == (
        "chair",
        "mug",
    )
    assert torch.equal(clouds.points[0], clouds.points[3]) and clouds.notes == ()


def test_a_link_back_is_told_and_not_followed_for_ever(tmp_path: Path) -> None:
    root = folder(tmp_path / "root", ["mug/1.npy"])
    (root / "mug" / "again").symlink_to(root, target_is_directory=True)
    clouds = load(str(root))
    assert clouds.names == ("mug/1.npy",)
    assert clouds.notes == (f"{root / 'mug' / 'again'}: a link back to a folder above it, ignored",)


@pytest.mark.parametrize("name", ["chair", "a.npy", "itself"])
def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path, name: str) -> None:
    root = folder(tmp_path / "root", ["1.npy"])
    target = root / "itself" if name == "itself" else tmp_path / "gone"
    (root / name).symlink_to(target)
    with pytest.raises(ValueError, match="which is not there") as caught:
        load(str(root), drop_bad=True)
    told = f"{root / name}: is a link to {target}, which is not there; repair the link or remove it"
    assert str(caught.value) == told


@pytest.fixture
def locked() -> Iterator[Path]:
    """A folder whose owner is no root, for whom nothing is locked; the test runs as that user."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o777)
    privileged = os.geteuid() == 0
    if privileged:
        os.seteuid(65534)
    try:
        yield root
    finally:
        if privileged:
            os.seteuid(0)
        for path in root.rglob("*"):
            path.chmod(0o700)
        shutil.rmtree(root)


WAY_OUT = "cannot be read (Permission denied); allow it (chmod u+rX), or close the program that uses it, and try again"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no chmod")
def test_a_locked_class_folder_is_never_left_out(locked: Path) -> None:
    folder(locked, ["chair/1.npy", "mug/2.npy"])
    (locked / "mug").chmod(0)
    for call in (load, info):
        with pytest.raises(PermissionError) as caught:
            call(str(locked))
        assert str(caught.value) == f"{locked / 'mug'}: {WAY_OUT}"
    with pytest.raises(PermissionError):
        load(str(locked), drop_bad=True)
    assert [str(fault) for fault in check(str(locked))] == [f"{locked / 'mug'}: {WAY_OUT}"]
    with pytest.raises(PermissionError, match="cannot be read"):
        load(str(locked / "mug" / "2.npy"))
    with pytest.raises(PermissionError, match="cannot be read"):
        load(str(locked / "mug"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no chmod")
@pytest.mark.parametrize("ending", [".npy", ".npz", ".h5", ".xyz", ".ply", ".off"])
def test_a_locked_file_is_not_called_damaged(locked: Path, ending: str) -> None:
    path = locked / f"a{ending}"
    if ending == ".h5":
        with h5py.File(path, "w") as file:
            file["points"] = np.zeros((1, 2, 3))
    else:
        path.write_bytes(b"whatever")
    path.chmod(0)
    for drop_bad in (False, True):
        with pytest.raises(PermissionError) as caught:
            load(str(path), drop_bad=drop_bad)
        assert str(caught.value) == f"{path}: {WAY_OUT}"
    assert [str(fault) for fault in check(str(path))] == [f"{path}: {WAY_OUT}"]


def test_an_hdf5_file_that_another_program_writes_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    code = (
        "import h5py, sys; file = h5py.File(sys.argv[1], 'w', locking=True); file['points'] = [[[1.0, 2, 3]]]\n"
        "print(flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(PermissionError, match=r"a\.h5: cannot be read \(.*close the program that uses it"):
            load(str(path))
        writer.communicate(b"")
    assert load(str(path)).points.tolist() == [[[1, 2, 3]]]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no chmod")
def test_a_locked_file_in_a_folder_is_never_dropped(locked: Path) -> None:
    folder(locked, ["1.npy", "2.npy", "3.npy"])
    (locked / "2.npy").chmod(0)
    with pytest.raises(PermissionError) as caught:
        load(str(locked), drop_bad=True)
    assert str(caught.value) == f"{locked / '2.npy'}: {WAY_OUT}"
    assert [str(fault) for fault in check(str(locked))] == [f"{locked / '2.npy'}: {WAY_OUT}"]


@pytest.mark.parametrize(
    ("layout", "classes", "splits"),
    [
        (["train/1.npy", "car/2.npy"], ("car", "train"), None),
        (["train/train/1.npy", "train/test/2.npy", "car/train/3.npy", "car/test/4.npy"], ("car", "train"), "test"),
        (["train/train/1.npy", "train/car/2.npy", "test/train/3.npy", "test/car/4.npy"], ("car", "train"), "test"),
        (["train/train/1.npy", "train/test/2.npy"], ("train",), "test"),
        (["train/train/1.npy", "test/train/2.npy"], ("train",), "test"),
        (["train/1.npy", "test/2.npy"], (), "test"),
    ],
)
def test_a_class_may_be_called_train(
    tmp_path: Path, layout: list[str], classes: tuple[str, ...], splits: str | None
) -> None:
    clouds = load(str(folder(tmp_path, layout)))
    assert clouds.classes == classes
    for row, name in enumerate(clouds.names):
        if clouds.labels is not None:
            assert clouds.classes[int(clouds.labels[row])] == ("car" if "car" in name else "train")
        if splits is not None:
            assert (clouds.splits or ())[row] == ("test" if "test" in name else "train")
    noted = "train is read as a class, since there are other classes beside it"
    assert any(noted in note for note in clouds.notes) == (splits is None)


def test_splits_beside_other_folders_are_no_classes(tmp_path: Path) -> None:
    folder(tmp_path, ["train/1.npy", "test/2.npy", "old/3.npy"])
    with pytest.raises(
        ValueError, match=r"1 files, such as old/3.npy, are in no folder of a split, and others"
    ) as caught:
        load(str(tmp_path))
    assert str(caught.value).endswith("move them into train, val or test, or rename the folder if it is not a split")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_names_that_are_no_utf8_work_and_print(tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9")
    root = folder(tmp_path / odd, [f"{odd}/{row}{odd}.npy" for row in range(4)])
    clouds = load(f"{root}@all", points=6)
    assert clouds.names[0] == "caf\\xe9/0caf\\xe9.npy" and clouds.classes == ("caf\\xe9",)
    assert set(clouds.splits or ()) == {"train", "val", "test"}
    "".join(clouds.names).encode()
    assert len(load(f"{root}:{odd}@all")) == 4
    again = load(str(save(tmp_path / "a.npz", clouds)))
    assert again.names == clouds.names
    np.save(root / odd / "bad.npy", np.full((3, 3), np.nan))
    with pytest.raises(ValueError, match=r"bad.npy; the first: point 0 is"):
        load(str(root))
    for fault in check(str(root)):
        str(fault).encode()
    mesh = root / f"{odd}.off"
    mesh.write_text("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n")
    assert load(str(mesh), points=5).names == ("caf\\xe9.off",)
