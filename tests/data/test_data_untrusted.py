"""Files of arrays that are not to be trusted: pickles, headers that promise more, members packed otherwise."""

import os
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from few_clouds import POINTS

from pcgen.data import load


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


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.h5", "classes.h5"])
def test_a_file_of_more_clouds_than_can_be_named_is_refused_before_names_are_made(tmp_path: Path, name: str) -> None:
    path, clouds = tmp_path / name, np.zeros((20_000, 1, 3), dtype=np.uint8)
    if name == "a.npz":
        np.savez_compressed(path, points=clouds)
    elif name == "a.npy":
        np.save(path, clouds)
    else:
        with h5py.File(path, "w") as file:
            for part in ("points",) if name == "a.h5" else ("chair/train", "chair/test"):
                file.create_dataset(part, data=clouds if name == "a.h5" else clouds[::2], compression="gzip")
    told = (
        f"^{path}: the names of 20000 clouds: would take 5.72 MiB of memory, more than the 4.77 MiB allowed; allow it"
    )
    with pytest.raises(ValueError, match=told):
        load(str(path), max_bytes=5_000_000)
    assert len(load(str(path), max_bytes=6_000_000)) == 20_000


def test_an_npz_whose_names_of_members_are_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, points=POINTS)
    data = path.read_bytes().replace(b"points.npy", b"points\xffnpy")
    central = data.rindex(b"PK\1\2")
    path.write_bytes(data[: central + 8] + b"\0\x08" + data[central + 10 :])  # the flag of UTF-8
    with pytest.raises(ValueError, match=f"^{path}: is not a complete .npz file: 'utf-8' codec"):
        load(str(path))


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
