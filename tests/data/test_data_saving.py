"""Writing one cloud, or a folder of them, as files that other programs read; and the up axis that an .npz remembers."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np
import pytest
import torch

from pcgen.data import Clouds, info, load, save
from pcgen.data.file_names import write_folder
from pcgen.files import temporary_beside, write_whole

POINTS = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 9, 3)).astype(np.float32))


@pytest.mark.parametrize("ending", [".ply", ".xyz", ".obj"])
@pytest.mark.parametrize("normals", [False, True])
def test_one_cloud_is_written_for_other_programs_and_read_back_bit_for_bit(
    tmp_path: Path, ending: str, normals: bool
) -> None:
    clouds = Clouds(POINTS[:1], normals=torch.nn.functional.normalize(POINTS[:1], dim=2) if normals else None)
    path = save(tmp_path / f"a{ending}", clouds)
    again = load(str(path))
    assert torch.equal(again.points, clouds.points)
    assert (again.normals is not None) == (normals and ending != ".obj")  # whose normals only faces could name
    if again.normals is not None and clouds.normals is not None:
        assert torch.equal(again.normals, clouds.normals)
    if ending != ".xyz":
        import trimesh

        theirs = trimesh.load(path)
        assert isinstance(theirs, trimesh.PointCloud)
        assert np.array_equal(theirs.vertices.astype(np.float32), clouds.points[0].numpy())
    if ending == ".obj":
        text = path.read_text()
        assert text.count("\nv ") == 9 and text.count("\nvn ") == 9 * normals and "\nf " not in text


@pytest.mark.parametrize("ending", [".ply", ".xyz", ".obj"])
def test_one_cloud_is_written_in_true_coordinates(tmp_path: Path, ending: str) -> None:
    clouds = Clouds(POINTS[:1], origin=(691230.0, 5334570.0, 10.0))
    again = load(str(save(tmp_path / f"a{ending}", clouds)))
    assert (again.coordinates - clouds.coordinates).abs().max() < 1e-6
    if ending == ".ply":
        assert b"property double x" in (tmp_path / "a.ply").read_bytes()


def test_a_set_is_written_as_a_folder_by_split_class_and_name(tmp_path: Path) -> None:
    clouds = load("shapes:mug=4,lamp=3", surface_points=8)
    target = save(f"{tmp_path / 'shapes'}/", clouds)
    assert (target / "train" / "mug" / "0.ply").is_file() and not list(tmp_path.glob(".*"))
    again = load(str(target))
    assert again.classes == ("lamp", "mug") and len(again) == 7
    for split in ("train", "val", "test"):
        for name in ("mug", "lamp"):
            wanted = [row for row, its in enumerate(clouds.names) if its.startswith(name)]
            was = clouds.select(wanted)
            assert {cloud.numpy().tobytes() for cloud in load(f"{target}:{name}@{split}").points} == {
                cloud.numpy().tobytes() for cloud in was.split(split).points
            }
    with pytest.raises(FileExistsError, match="exists and is not an empty folder; choose another name"):
        save(f"{target}/", clouds, overwrite=True)
    (tmp_path / "there").mkdir()
    assert len(load(str(save(tmp_path / "there", Clouds(POINTS))))) == 4


def test_names_of_files_keep_one_ending(tmp_path: Path) -> None:
    target = save(f"{tmp_path}/a/", Clouds(POINTS, names=("a.npy", "b.v2", "c/d.off", "e")))
    assert load(str(target)).names == ("a.ply", "b.v2.ply", "c/d.ply", "e.ply")


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", ".hidden", "a/.."])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    clouds = Clouds(POINTS[:2], names=("fine", name))
    with pytest.raises(ValueError, match="is not a valid file name; rename the cloud"):
        save(f"{tmp_path}/a/", clouds)
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a \.ply file holds one cloud, got 4; ") as caught:
        save(tmp_path / "a.ply", Clouds(POINTS))
    told = f"name it {tmp_path / 'a.npz'}, or {tmp_path / 'a'}/ for a folder of files, with format ply (--format)"
    assert str(caught.value).endswith(told)
    with pytest.raises(
        ValueError, match=r"must end in \.npz, in \.ply or \.xyz or \.obj for one cloud, or in / .* got '.stl'"
    ):
        save(tmp_path / "a.stl", Clouds(POINTS))
    with pytest.raises(ValueError, match=r"two clouds would be x\.ply"):
        save(f"{tmp_path}/b/", Clouds(POINTS[:2], names=("x.npy", "x.off")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", ["ply", "xyz", "obj"])
def test_a_folder_holds_files_of_the_format_that_is_asked_for(tmp_path: Path, format: str) -> None:
    target = save(f"{tmp_path}/a/", Clouds(POINTS, names=("a", "b.npz", "c/d.ply", "e")), format=format)
    assert sorted(str(file.relative_to(target)) for file in target.rglob("*.*")) == sorted(
        f"{name}.{format}" for name in ("a", "b.npz", "c/d", "e")
    )
    assert torch.equal(load(str(target)).points, POINTS)


def test_a_format_is_of_a_folder_and_known(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"format: is for the files of a folder, got 'obj' for .*a\.npz; name a folder"
    ):
        save(tmp_path / "a.npz", POINTS, format="obj")
    with pytest.raises(ValueError, match="format: must be one of ply, xyz, obj; got 'npz'"):
        save(f"{tmp_path}/a/", POINTS, format="npz")
    assert list(tmp_path.iterdir()) == []


def test_names_become_names_of_files_on_every_system(tmp_path: Path) -> None:
    names = ('seat: "A"?', "con", "back\\slash", "ü" * 300)
    target = save(f"{tmp_path}/a/", Clouds(POINTS, labels=torch.zeros(4).long(), classes=("a|b",), names=names))
    found = {file.name for file in (target / "a_b").iterdir()}
    assert found == {"seat_ _A__.ply", "_con.ply", "back_slash.ply", "ü" * 100 + ".ply"}
    with pytest.raises(ValueError, match=r"two clouds would be a_\.ply; give the clouds different names"):
        save(f"{tmp_path}/b/", Clouds(POINTS[:2], names=("a?", "a*")))


@pytest.mark.parametrize(
    ("classes", "told"),
    [
        (("..", "b"), r"classes: '\.\.' is not a valid folder name; rename the class"),
        (("a", "b/c"), "classes: 'b/c' is not a valid folder name; rename the class"),
        (("a|b", "a_b"), "classes: 'a|b' and 'a_b' would be one folder, a_b; rename one"),
    ],
)
def test_classes_that_are_no_folders_are_told_as_classes(tmp_path: Path, classes: tuple[str, ...], told: str) -> None:
    clouds = Clouds(POINTS, labels=torch.tensor([0, 1, 0, 1]), classes=classes)
    with pytest.raises(ValueError, match=f"^{told.replace('|', '[|]')}"):
        save(f"{tmp_path}/a/", clouds)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match=r"^names: '\.\./x' is not a valid file name"):
        save(f"{tmp_path}/a/", Clouds(POINTS, labels=torch.zeros(4).long(), classes=("a",), names=("../x", *"bcd")))


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_told_and_not_written(tmp_path: Path, kind: torch.dtype, value: float) -> None:
    points = POINTS.to(kind).clone()
    points[2, 3, 1] = value
    told = r"^points: must be finite, and 1 of 4 clouds, the first of them cloud 2, hold NaN or infinity; leave"
    for name in ("a.npz", "a/"):
        with pytest.raises(ValueError, match=told):
            save(f"{tmp_path}/{name}", points)
    with pytest.raises(ValueError, match=told):
        Clouds.of(points)
    with pytest.raises(ValueError, match=r"the first of them cloud 2 \('y'\)"):
        save(tmp_path / "a.npz", Clouds(points.float(), names=("v", "x", "y", "z")))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_pcgen_wrote_is_never_turned_again(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", POINTS)
    turned = load(str(path), up="z")
    assert torch.equal(turned.points, POINTS)
    assert turned.notes == (f"{path}: says that its up axis is y, so up z (--up z) is ignored",)
    with pytest.raises(ValueError, match="up: must be one of y, z, x, -y, -z, -x; got 'w'"):
        load(str(path), up="w")
    assert load(str(path), up="y").notes == load(str(path)).notes == ()


def test_an_npz_may_say_its_up_axis(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, points=[[[1.0, 2.0, 3.0], [0, 0, 0]]], up="z")
    assert load(str(path)).points.tolist() == [[[1, 3, -2], [0, 0, 0]]]
    assert info(str(path))["y"] == "0 to 3"
    assert "so up x (--up x) is ignored" in info(str(path), up="x")["notes"]
    np.savez(path, points=np.zeros((1, 2, 3)), up="w")
    with pytest.raises(ValueError, match=r"a\.npz: up: must be one of y, z, x"):
        load(str(path))


def test_a_set_is_shown_in_one_line() -> None:
    clouds = load("shapes:mug=40,lamp=20", surface_points=2048)
    said = "60 of 2048 points; normals; 2 classes (mug, lamp); train 51 val 3 test 6; from shapes:mug=40,lamp=20"
    assert repr(clouds) == f"Clouds({said})"
    assert repr(Clouds(POINTS)) == "Clouds(4 of 9 points; from tensor)"


def test_writers_of_one_file_or_folder_do_not_meet(tmp_path: Path) -> None:
    """The second one writes, and fails, while the first one is in the middle of its own."""

    def both(file: BinaryIO) -> None:
        file.write(b"first")
        write_whole(tmp_path / "file", b"second")
        assert (tmp_path / "file").read_bytes() == b"second"

    write_whole(tmp_path / "file", both)
    assert (tmp_path / "file").read_bytes() == b"first"

    def files() -> Iterator[tuple[PurePosixPath, bytes]]:
        yield PurePosixPath("a.ply"), b"a"
        with pytest.raises(ValueError, match="two clouds would be"):
            write_folder(tmp_path / "folder", [(PurePosixPath("b.ply"), b"b")] * 2)
        yield PurePosixPath("c.ply"), b"c"

    write_folder(tmp_path / "folder", files())
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == ["a.ply", "c.ply"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    a, b = (PurePosixPath("a"), b""), (PurePosixPath("a/b"), b"")  # a file cannot be a folder
    with pytest.raises(OSError, match=rf"^{tmp_path}/folder: could not be written \(.*\); nothing was written; free"):
        write_folder(tmp_path / "folder", [a, b])
    with pytest.raises(OSError, match=rf"^{tmp_path}/absent/folder: could not be written"):
        write_folder(tmp_path / "absent" / "folder", [a])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_not_be_read_is_written_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def refuse(path: Path, flags: int, *rest: int, **named: int | None) -> int:
        if Path(path) == tmp_path:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, flags, *rest, **named)  # type: ignore[arg-type]

    (tmp_path / "file").write_bytes(b"old")
    monkeypatch.setattr(os, "open", refuse)
    write_whole(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_disk_that_fails_after_the_file_was_replaced_is_not_said_to_keep_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = os.fsync

    def fail(handle: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{handle}"):
            raise OSError(5, "Input/output error")
        synced(handle)

    (tmp_path / "file").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"file: was written, but its folder could not be synced \(Input/output error\)"):
        write_whole(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("age", [0, 7200])
def test_what_a_process_of_another_container_writes_is_left_while_it_changes(tmp_path: Path, age: int) -> None:
    """Its number may be none of this system, or another process's here."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    mark, system, _, number = temporary_beside(tmp_path / "file").name.removeprefix(".file.").split("-")
    others = [tmp_path / f".file.{mark}-00000000-{pid}-{number}" for pid in (ended.pid, os.getppid())]
    for path in others:
        path.write_bytes(b"part")
        os.utime(path, (time.time() - age,) * 2)
    write_whole(tmp_path / "file", b"whole")
    assert system != "00000000" and [path.exists() for path in others] == [not age] * 2


def test_what_a_process_that_has_ended_left_is_deleted_and_what_others_write_is_not(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    own = temporary_beside(tmp_path / "file").name
    left, running = (tmp_path / own.replace(f"-{os.getpid()}-", f"-{pid}-") for pid in (ended.pid, os.getppid()))
    elsewhere = tmp_path / f".file.00000000-{ended.pid}-0.tmp"  # of another machine
    for path in (left, running, elsewhere):
        path.write_bytes(b"part")
    left.with_name(left.name.replace(".file.", ".folder.")).mkdir()
    write_whole(tmp_path / "file", b"whole")
    write_folder(tmp_path / "folder", [(PurePosixPath("a.ply"), b"a")])
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder", running.name, elsewhere.name}
