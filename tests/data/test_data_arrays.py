"""Files of many clouds: .npz, .npy and HDF5, and writing them."""

import os
import stat
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from pcgen.data import load, save
from pcgen.data.columns import split_columns
from pcgen.data.source import Raw

POINTS = np.random.default_rng(0).normal(size=(4, 7, 3)).astype(np.float32)


def test_an_npz_gives_points_labels_names_and_splits(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(
        path, points=POINTS, normals=-POINTS, labels=["b", "a", "b", "c"], names=list("wxyz"),
        split=["train", "test", "valid", "train"],
    )  # fmt: skip
    clouds = load(str(path))
    assert torch.equal(clouds.points, torch.from_numpy(POINTS)) and clouds.source == str(path)
    assert clouds.normals is not None and torch.equal(clouds.normals, -clouds.points)
    assert clouds.classes == ("a", "b", "c") and clouds.labels is not None and clouds.labels.tolist() == [1, 0, 1, 2]
    assert clouds.names == ("w", "x", "y", "z") and clouds.splits == ("train", "test", "val", "train")
    assert clouds.notes == ()
    some = load(f"{path}:c,b@train")
    assert some.names == ("w", "z") and some.classes == ("b", "c")
    assert some.labels is not None and some.labels.tolist() == [0, 1]


@pytest.mark.parametrize("key", ["classes", "names"])
def test_numbered_labels_take_the_names_of_the_classes(tmp_path: Path, key: str) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, points=POINTS, labels=np.array([2, 0, 2, 1]), **{key: ["z", "y", "x"]})
    clouds = load(str(path))
    assert clouds.classes == ("z", "y", "x")
    assert load(f"{path}:x").names == (clouds.names[0], clouds.names[2])


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int32, np.uint8, ">f4"])
def test_numbers_of_any_type_become_float32(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "a.npy"
    values = (100 * np.abs(POINTS)).astype(dtype)
    np.save(path, values)
    clouds = load(str(path))
    assert clouds.points.dtype == torch.float32
    assert np.array_equal(clouds.points.numpy(), values.astype(np.float32))


def test_one_cloud_and_one_with_normals_in_an_npy(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, POINTS[0])
    assert load(str(path)).points.shape == (1, 7, 3)
    arrows = POINTS / np.linalg.norm(POINTS, axis=2, keepdims=True)
    np.save(path, np.concatenate([POINTS, arrows], axis=2))
    clouds = load(str(path))
    assert clouds.normals is not None and np.array_equal(clouds.normals.numpy(), arrows) and clouds.notes == ()


def test_six_columns_whose_last_three_are_no_normals_are_points_alone(tmp_path: Path) -> None:
    colours = np.random.default_rng(1).integers(0, 256, POINTS.shape).astype(np.float32)
    arrows = POINTS / np.linalg.norm(POINTS, axis=2, keepdims=True)
    arrows[0, :, :] *= 1.5
    path = tmp_path / "a.npz"
    for others in (colours, colours / 255):
        np.savez(path, points=np.concatenate([POINTS, others], axis=2))
        clouds = load(str(path))
        assert clouds.normals is None and np.array_equal(clouds.points.numpy(), POINTS)
        what = "columns 4 to 6 left out: they are not normals of length 1"
        assert clouds.notes == (f"a/0, a/1, a/2, and 1 more: {what}",)
    np.savez(path, points=np.concatenate([POINTS, arrows], axis=2))  # of one cloud they are not
    assert load(str(path)).normals is None
    assert load(str(path)).notes[1] == "normals left out: 1 of 4 clouds, such as a/0, have none"


@pytest.mark.parametrize(
    ("columns", "normals"),
    [
        (np.tile([0.58, 0.58, 0.57], (200, 1)), True),  # two decimals
        (np.vstack([np.tile([0, 0, 1.0], (199, 1)), [[np.nan, 0, 0]]]), True),  # one of 200
        (np.vstack([np.tile([0, 0, 1.0], (150, 1)), np.zeros((50, 3))]), True),  # without a direction at some points
        (np.zeros((200, 3)), False),
        (np.vstack([np.tile([0, 0, 1.0], (190, 1)), np.tile([0, 0, 2.0], (10, 1))]), False),
        (np.tile([0, 0, 1.02], (200, 1)), False),
    ],
)
def test_normals_have_length_one_or_none(columns: np.ndarray, normals: bool) -> None:
    raw = split_columns(Raw(np.hstack([np.ones((200, 3)), columns])))
    assert raw.points.shape == (200, 3) and (raw.normals is not None) == normals == (raw.notes == ())


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_order_of_the_axes_in_memory_does_not_matter(tmp_path: Path, order: str) -> None:
    np.save(tmp_path / "a.npy", np.asarray(POINTS, order=order))  # type: ignore[call-overload]
    assert np.array_equal(load(str(tmp_path / "a.npy")).points.numpy(), POINTS)


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"cloud": POINTS}, "has no array 'points', it has cloud"),
        ({"points": POINTS.transpose(0, 2, 1)}, r"must be clouds \(S, N, 3\), or .*, got \(4, 3, 7\)"),
        ({"points": POINTS[..., :2]}, r"got \(4, 7, 2\)"),
        ({"points": np.array([POINTS[0], POINTS[1, :3]], dtype=object)}, "pickled objects"),
        ({"points": POINTS, "labels": np.array([{}] * 4, dtype=object)}, "labels: holds pickled objects"),
        ({"points": POINTS, "labels": ["a"]}, "labels must be one for each of 4 clouds"),
        ({"points": POINTS, "labels": [0, 1, 2, 3], "classes": ["a"]}, "must be indices into the 1 classes, got 0"),
        ({"points": POINTS, "labels": list("abca"), "classes": ["a", "b"]}, "among its 2 classes, got 'c'"),
        ({"points": POINTS, "names": ["a", "b"]}, "names must be one for each of 4 clouds"),
        ({"points": POINTS, "normals": POINTS[:2]}, r"normals must be \(4, 7, 3\)"),
        ({"points": POINTS, "split": ["train", "test", "odd", "train"]}, "a split must be train, val, test, got 'odd'"),
        ({"points": POINTS.astype(complex)}, "real numbers, got complex"),
        ({"points": POINTS.astype(str)}, "real numbers, got <U"),
        ({"points": POINTS[:, :0]}, r"got \(4, 0, 3\)"),
        ({"points": POINTS[:0]}, "no clouds"),
    ],
)  # fmt: skip
def test_an_npz_of_another_form_is_told_with_its_path(tmp_path: Path, arrays: dict[str, object], told: str) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=told) as caught:
        load(str(path))
    assert str(path) in str(caught.value) and len(str(caught.value).splitlines()) <= 3


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    np.save(tmp_path / "a.npy", np.array([Trap()], dtype=object))
    np.savez(tmp_path / "a.npz", points=np.array([Trap()], dtype=object))
    torch.save({"points": Trap()}, tmp_path / "a.pt")
    for name in ("a.npy", "a.npz", "a.pt"):
        with pytest.raises(ValueError, match="pcgen data convert"):
            load(str(tmp_path / name))
    assert not (tmp_path / "sprung").exists()


def npy_header(shape: str) -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (63 - (10 + len(text)) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize("shape", ["(100000000000, 8, 3)", "(2, 8, 3)", "(1, 8, 3)"])
def test_what_a_header_declares_is_held_against_the_bytes_there_are(tmp_path: Path, shape: str) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(npy_header(shape) + b"\0" * 100)
    with pytest.raises(ValueError, match="GiB allowed" if len(shape) > 9 else "declares .x8x3 float32"):
        load(str(path))
    packed = tmp_path / "a.npz"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(path, "points.npy")
    with pytest.raises(ValueError, match="GiB allowed" if len(shape) > 9 else "declares .x8x3 float32"):
        load(str(packed))


def test_an_npz_that_unpacks_beyond_the_limit_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, points=np.zeros((1000, 1000, 3), dtype=np.float32))
    assert path.stat().st_size < 100_000
    with pytest.raises(ValueError, match=r"would take 11\.44 MiB of memory, more than the 976\.56 KiB allowed"):
        load(str(path), max_bytes=1_000_000)


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


def text_file(path: Path, **options: object) -> bytearray:
    with h5py.File(path, "w", **options) as file:
        file["points"], file["names"], file["labels"] = POINTS, ["w", "", "yy", "z\u00e4"], [["a"], ["b"], ["a"], ["c"]]
    return bytearray(path.read_bytes())


def test_texts_of_varying_length_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    for options in ({}, {"userblock_size": 512}, {"libver": "latest"}):
        text_file(path, **options)
        clouds = load(str(path))
        assert clouds.names == ("w", "", "yy", "z\u00e4") and clouds.classes == ("a", "b", "c")
        assert clouds.labels is not None and clouds.labels.tolist() == [0, 1, 0, 2]
    with h5py.File(path, "r+") as file:
        del file["names"]
        file.create_dataset("names", data=list("wxyz"), chunks=(2,), maxshape=(None,))
    with pytest.raises(ValueError, match=f"^{path}: names holds texts in chunks; write them as an array of one type"):
        load(str(path))


@pytest.mark.parametrize(
    ("at", "wrong", "told"),
    [
        ("object", bytes(16), "(names|labels) has no text 0 at its address"),  # free space of no bytes: no end
        ("object", b"\1\0\1\0\0\0\0\0" + b"\xff" * 8, "(names|labels) has no text 0 at its address"),
        ("heap", b"GCOX", "(names|labels) has no text 0 at its address"),
        ("reference", b"\2\0\0\0", "(names|labels) has no text 0 at its address"),  # longer than its object
        ("reference", b"\0\0\0\x15", "names: would take 336.00 MiB"),
        ("place", b"\xff" * 8, "(names|labels) has no text 0 at its address"),
        ("number", b"\x63\0\0\0", "(names|labels) has no text 0 at its address"),
    ],
)
def test_texts_that_are_not_where_the_file_says_are_told(tmp_path: Path, at: str, wrong: bytes, told: str) -> None:
    """The library would read some of these for ever, or take as much memory as they say."""
    path = tmp_path / "a.h5"
    data = text_file(path)
    with h5py.File(path) as file:
        reference = file["names"].id.get_offset()
    (heap,) = [place for place in range(len(data)) if data[place : place + 5] == b"GCOL\1"]
    place = {
        "heap": heap,
        "object": heap + 16,
        "reference": reference,
        "place": reference + 4,
        "number": reference + 12,
    }[at]
    data[place : place + len(wrong)] = wrong
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"^{path}: {told}"):
        load(str(path), max_bytes=2**20)


@pytest.mark.parametrize("apart", [4096, 48])
def test_heaps_that_overlap_are_not_looked_through_again_and_again(tmp_path: Path, apart: int) -> None:
    path = tmp_path / "a.h5"
    data = text_file(path)
    with h5py.File(path) as file:
        reference = file["names"].id.get_offset()
    heap = struct.pack("<4sIQHHIQ8s", b"GCOL", 1, 4096, 1, 1, 0, 1, b"x")  # of one text
    start = len(data)
    data += 3 * heap.ljust(apart, b"\0") + bytes(4096)
    for place, row in enumerate((0, 2, 3)):
        struct.pack_into("<IQI", data, reference + 16 * row, 1, start + place * apart, 1)
    path.write_bytes(data)
    if apart == 4096:
        assert load(str(path)).names == ("x", "", "x", "x")
    else:
        with pytest.raises(ValueError, match="names has no text 3 at its address"):
            load(str(path))


def test_an_npz_whose_names_of_members_are_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, points=POINTS)
    data = path.read_bytes().replace(b"points.npy", b"points\xffnpy")
    central = data.rindex(b"PK\1\2")
    path.write_bytes(data[: central + 8] + b"\0\x08" + data[central + 10 :])  # the flag of UTF-8
    with pytest.raises(ValueError, match=f"^{path}: is not a complete .npz file: 'utf-8' codec"):
        load(str(path))


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


@pytest.mark.parametrize("name", ["a.h5", "a.npz"])
def test_a_file_that_may_not_be_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / name).touch()
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError, match="Permission denied"):
        load(str(tmp_path / name))


def test_an_npz_packed_as_numpy_never_does_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "points.npy", POINTS)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.write(tmp_path / "points.npy", "points.npy")
    with pytest.raises(ValueError, match="points is packed in a way that NumPy does not use; write it with"):
        load(str(tmp_path / "a.npz"))


def test_names_that_are_no_utf8_are_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", points=POINTS, names=np.array([b"a", b"\xff", b"c", b"d"]))
    assert load(str(tmp_path / "a.npz")).names == ("a", "\\xff", "c", "d")


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


def test_what_is_saved_is_loaded_alike(tmp_path: Path) -> None:
    clouds = load("shapes:mug=4,lamp=3", surface_points=32)
    path = save(tmp_path / "a.npz", clouds)
    again = load(str(path))
    assert torch.equal(again.points, clouds.points) and again.names == clouds.names and again.splits == clouds.splits
    assert again.normals is not None and clouds.normals is not None and torch.equal(again.normals, clouds.normals)
    assert again.labels is not None and clouds.labels is not None and torch.equal(again.labels, clouds.labels)
    assert again.classes == clouds.classes == ("mug", "lamp")
    tensor = save(tmp_path / "b.npz", torch.from_numpy(POINTS).requires_grad_())
    assert np.array_equal(load(str(tensor)).points.numpy(), POINTS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask()


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_nothing_is_overwritten_unasked_and_nothing_half_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    save(path, torch.zeros(1, 2, 3))
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match=f"{path}: exists"):
        save(path, torch.ones(1, 2, 3))
    assert path.read_bytes() == before
    save(path, torch.ones(1, 2, 3), overwrite=True)
    assert load(str(path)).points.sum() == 6
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        save(tmp_path / "no" / "a.npz", torch.ones(1, 2, 3))
    with pytest.raises(ValueError, match=r"must end in \.npz"):
        save(tmp_path / "a.h5", torch.ones(1, 2, 3))
    with pytest.raises(ValueError, match="points: must be"):
        save(tmp_path / "c.npz", torch.ones(2, 3))
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.npz"]


def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    save(path, torch.zeros(1, 2, 3))
    code = (
        "import resource, signal, sys, torch; from pcgen.data import save\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "save(sys.argv[1], torch.ones(10, 1000, 3), overwrite=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    kept = "the file there before is whole; free some space or choose another folder"
    assert last == f"OSError: {path}: could not be written (File too large); {kept}"
    assert load(str(path)).points.shape == (1, 2, 3)
    assert [item.name for item in tmp_path.iterdir()] == ["a.npz"]
