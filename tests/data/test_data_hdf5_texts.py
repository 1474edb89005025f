"""HDF5: texts of varying length, which lie in heaps apart from their array."""

import struct
from pathlib import Path

import h5py
import pytest
from few_clouds import POINTS

from pcgen.data import load


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
