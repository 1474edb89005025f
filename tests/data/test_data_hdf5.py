"""HDF5: sets under several names, and files that lead elsewhere, unpack to more, or are damaged."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from few_clouds import POINTS

from pcgen.data import load


def test_h5_of_one_set_under_either_name(tmp_path: Path) -> None:
    for points, labels in (("data", "label"), ("points", "labels")):
        path = tmp_path / f"{points}.h5"
        with h5py.File(path, "w") as file:
            file[points] = POINTS
            file[labels] = np.array([[1], [0], [1], [1]])
        clouds = load(f"{path}:1")
        assert np.array_equal(clouds.points.numpy(), POINTS[[0, 2, 3]])


def test_h5_of_a_set_for_every_class_and_split(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf5"
    with h5py.File(path, "w") as file:
        for number, (label, split) in enumerate((a, b) for a in ("03001627", "mug") for b in ("train", "val", "test")):
            file[f"{label}/{split}"] = POINTS + number
    clouds = load(str(path))
    assert len(clouds) == 24 and clouds.classes == ("chair", "mug")
    test = load(f"{path}:chair@test")
    assert np.array_equal(test.points.numpy(), POINTS + 2) and set(test.splits or ()) == {"test"}
    assert load(f"{path}:03001627@test").names == test.names


@pytest.mark.parametrize("name", ["mug", "mug/train"])
@pytest.mark.parametrize("kind", ["soft", "external"])
def test_linked_sets_of_classes_are_refused_and_not_left_out(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["chair/train"] = file["chair/test"] = POINTS
        file[name] = h5py.SoftLink("/chair") if kind == "soft" else h5py.ExternalLink("other.h5", "/mug")
    with pytest.raises(ValueError, match=f"^{path}: {name} is a link, which could lead to another file"):
        load(str(path))


def test_what_an_h5_has_beside_its_sets_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["chair/train"] = POINTS
        file["chair/test"] = POINTS[0]
        file["chair/deeper/train"] = POINTS
        file["statistics"] = np.zeros(3)
    clouds = load(str(path))
    assert len(clouds) == 4
    others = "parts that are not CLASS/SPLIT (S, N, 3) left out: chair/deeper, chair/test, statistics"
    assert clouds.notes == (f"{path}: {others}",)


def test_an_h5_of_one_set_has_all_that_an_npz_may_have(tmp_path: Path) -> None:
    arrays = {
        "points": POINTS,
        "origin": np.array([1e6, 0, 5]),
        "keys": np.array(list(b"wxyz")),
        "labels": np.eye(4)[0],
    }
    arrays |= {"boxes": np.ones((4, 2, 6), dtype="f4"), "counts": np.full(4, 2), "labels": np.array([0, 1, 1, 0])}
    np.savez(tmp_path / "a.npz", **arrays, up="z", odd=1)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, values in arrays.items():
            file[name] = values
        file["up"], file["odd"] = "z", 1
    first, second = load(str(tmp_path / "a.npz")), load(str(tmp_path / "a.h5"))
    assert first.origin == second.origin == (1e6, 5, 0) and first.keys == second.keys and first.classes == ("0", "1")
    assert np.array_equal(first.points, second.points) and np.array_equal(first.points[..., 1], POINTS[..., 2])
    assert first.boxes is not None and second.boxes is not None and np.array_equal(first.boxes, second.boxes)
    assert (first.notes, second.notes) == tuple(
        (f"{tmp_path / name}: arrays left out: odd",) for name in ("a.npz", "a.h5")
    )


def external(file: h5py.File, path: Path) -> None:
    file.create_dataset(
        "points", POINTS.shape, POINTS.dtype, external=[(str(path.with_suffix(".raw")), 0, POINTS.nbytes)]
    )


def virtual(file: h5py.File, path: Path) -> None:
    layout = h5py.VirtualLayout(POINTS.shape, POINTS.dtype)
    layout[:] = h5py.VirtualSource(str(path.with_name("other.h5")), "points", POINTS.shape)
    file.create_virtual_dataset("points", layout)


def link(file: h5py.File, path: Path) -> None:
    file["points"] = h5py.ExternalLink(str(path.with_name("other.h5")), "points")


@pytest.mark.parametrize("make", [external, virtual, link])
def test_h5_that_leads_to_other_files_is_refused(tmp_path: Path, make: object) -> None:
    path = tmp_path / "a.h5"
    path.with_suffix(".raw").write_bytes(POINTS.tobytes())
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["points"] = POINTS
    with h5py.File(path, "w") as file:
        make(file, path)  # type: ignore[operator]
    with pytest.raises(ValueError, match="other file") as caught:
        load(str(path))
    assert str(path) in str(caught.value)


def test_h5_that_declares_terabytes_in_a_kilobyte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("points", (10**9, 1000, 3), "f4", chunks=(1, 1000, 3))
    assert path.stat().st_size < 10_000
    with pytest.raises(ValueError, match=r"would take 11175\.87 GiB"):
        load(str(path))


def groups(file: h5py.File) -> None:
    file.create_dataset("chair/train", (10**12, 1, 3), "f4", chunks=(1, 1, 3))


def no_points(file: h5py.File) -> None:
    file.create_dataset("chair/train", (10**12, 0, 3), "f4")


def no_points_of_one_set(file: h5py.File) -> None:
    file.create_dataset("points", (10**12, 0, 3), "f4")


def large_chunks(file: h5py.File) -> None:
    file.create_dataset("points", (4, 7, 3), "f4", chunks=(10**6, 7, 3), maxshape=(None, 7, 3), compression="gzip")


def one_text_many_times(file: h5py.File) -> None:
    file["points"], file["labels"] = POINTS, np.array(["a" * 10**6] * 4, dtype=object)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (groups, "chair/train: would take 11175.87 GiB"),
        (no_points, r"chair/train must be \(S, N, 3\) with N >= 1, got \(1000000000000, 0, 3\)"),
        (no_points_of_one_set, r"points must be clouds \(S, N, 3\) with N >= 1, got \(1000000000000, 0, 3\)"),
        (large_chunks, "points: would take 80.11 MiB"),
        (one_text_many_times, "labels: would take 1.91 MiB"),
    ],
)
def test_what_an_h5_would_unpack_is_refused_before_it_is(
    tmp_path: Path, make: Callable[[h5py.File], None], told: str
) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        make(file)
    with pytest.raises(ValueError, match=f"^{path}: {told}"):
        load(str(path), max_bytes=2**20)


def test_a_file_that_another_program_writes_is_not_called_damaged(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["points"] = POINTS
    with path.open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(OSError, match=f"^{path}: cannot be read .*close the program that uses it"):
            load(str(path))
    assert len(load(str(path))) == 4


def test_damaged_and_strange_h5_is_told_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=f"{path}: is not a complete HDF5 file"):
        load(str(path))
    with h5py.File(path, "w") as file:
        file["cloud"] = POINTS
    with pytest.raises(ValueError, match="it has cloud"):
        load(str(path))
    with h5py.File(path, "w") as file:
        file["points"] = POINTS
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ValueError, match=f"{path}: "):
        load(str(path))
