"""Files of single clouds and meshes that are cut, changed or too large: what is told of them, with their path."""

import struct
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from pyramids import SQUARE_AND_SIDES, TRIANGLES, VERTICES, pcd, ply

from pcgen.data import load


def write_sphere(path: Path) -> None:
    import trimesh

    trimesh.creation.icosphere(subdivisions=1).export(path)


def write_pcd(path: Path) -> None:
    header = (
        "VERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 5\nHEIGHT 1\nPOINTS 5\nDATA binary\n"
    )
    path.write_bytes(header.encode() + VERTICES.astype("<f4").tobytes())


BINARY: dict[str, Callable[[Path], None]] = {
    "a.ply": write_sphere,
    "ragged.ply": lambda path: path.write_bytes(ply("<", SQUARE_AND_SIDES)) and None,
    "a.stl": write_sphere,
    "a.glb": write_sphere,
    "a.pcd": write_pcd,
    "a.npy": lambda path: np.save(path, VERTICES),
    "a.npz": lambda path: np.savez(path, points=VERTICES[None]),
}


@pytest.mark.parametrize("name", BINARY)
def test_a_binary_file_cut_anywhere_is_refused_with_its_path(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    BINARY[name](path)
    load(str(path))
    data = path.read_bytes()
    for cut in {*range(0, len(data), max(1, len(data) // 60)), len(data) - 1}:
        path.write_bytes(data[:cut])
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is checked below
            load(str(path))
        assert str(path) in str(caught.value) and len(str(caught.value).splitlines()) <= 3


def write_h5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("points", data=VERTICES[None], compression="gzip")


FILES = BINARY | {"a.h5": write_h5, "a.obj": write_sphere, "a.off": write_sphere}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", FILES)
def test_damaged_bytes_are_read_as_numbers_or_told_and_nothing_else(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    FILES[name](path)
    data = path.read_bytes()
    random = np.random.default_rng(0)
    read = 0
    for _ in range(60):
        damaged = bytearray(data)
        for place in random.integers(min(len(data), 600), size=random.integers(1, 5)):
            damaged[place] = random.choice([*b"0129 -\0\xff", random.integers(256)])
        path.write_bytes(damaged)
        try:
            clouds = load(str(path), surface_points=20, max_bytes=2**26)
            assert torch.isfinite(clouds.points).all()
            read += 1
        except ValueError as error:
            assert str(path) in str(error) and len(str(error).splitlines()) <= 3  # noqa: PT017 - or it is read
    assert 0 < read < 60


@pytest.mark.parametrize("name", ["a.ply", "a.off"])
def test_a_text_file_that_lacks_lines_is_refused_with_its_path(tmp_path: Path, name: str) -> None:
    import trimesh

    path = tmp_path / name
    made = trimesh.creation.icosphere(subdivisions=1)
    made.export(path, **({"encoding": "ascii"} if name == "a.ply" else {}))
    lines = path.read_text().splitlines(keepends=True)
    for kept in range(len(lines) - 1):
        path.write_text("".join(lines[:kept]))
        with pytest.raises(ValueError, match=str(path)):
            load(str(path))


VERTEX = "element vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
FACE = VERTEX + "element face 1\nproperty list uchar int vertex_index\n"


@pytest.mark.parametrize(
    ("header", "row", "told"),
    [
        (FACE, "3 0 1", "line 14: row 0 of 'face' ends before its 'vertex_index'"),
        (FACE, "-3 0 1 2", "line 14: row 0 of 'face' ends before its 'vertex_index'"),
        (FACE, "3 0 1 2 2", "line 14: row 0 of 'face' has 5 numbers, and 4 are declared"),
        (FACE, "3 0 1 99999999999999999999", "line 14: '99999999999999999999' is not a 64-bit integer"),
        (FACE, "3 0 1 1.5", "line 14: '1.5' is not a 64-bit integer"),
        (FACE.replace("uchar int", "uchar float"), "3 0 1 2", "vertex_index of a face must be a list of whole numbers"),
        (FACE.replace("list uchar int", "int"), "3", "vertex_index of a face must be a list of whole numbers"),
        (FACE.replace("uchar int", "float int"), "3 0 1 2", "header line 'property list float int vertex_index' is"),
        (VERTEX + "element vertex 0\nproperty int a\n", "", "element 'vertex' must be there once and have properties"),
        (VERTEX + "element face 3\n", "", "element 'face' must be there once and have properties"),
        (VERTEX.replace("float y", "list int int y"), "", "line 10: row 2 of 'vertex' ends before its 'z'"),
    ],
)
def test_a_text_ply_whose_rows_are_not_as_declared_is_told(tmp_path: Path, header: str, row: str, told: str) -> None:
    path = tmp_path / "a.ply"
    path.write_text(f"ply\nformat ascii 1.0\n{header}end_header\n0 0 0\n1 0 0\n0 1 0\n\n{row}\n")
    with pytest.raises(ValueError, match=f"^{path}: [^\n]*{told}[^\n]*$"):
        load(str(path))


def test_a_list_of_a_binary_ply_beyond_the_end_is_told_with_its_offset(tmp_path: Path) -> None:
    path = tmp_path / "a.ply"
    data = ply("<", SQUARE_AND_SIDES)
    faces = data.index(b"end_header\n") + 11 + 5 * 29
    path.write_bytes(data[:faces] + b"\xc8" + data[faces + 1 :])
    what = f"row 0 of 'face' has 200 numbers 'vertex_indices' at offset {faces + 1}, and the file ends at {len(data)}"
    with pytest.raises(ValueError, match=f"^{path}: {what}$"):
        load(str(path))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.ply", ply("<", TRIANGLES).replace(b"element vertex 5", b"element vertex 2000000000"), "2000000000 rows"),
        ("a.ply", ply("", TRIANGLES).replace(b"element face 6", b"element face 9000000000"), "9000000000 rows"),
        ("a.ply", ply("<", TRIANGLES).replace(b"float x", b"float a"), "x, y and z"),
        ("a.ply", ply("<", TRIANGLES).replace(b"property float z", b"property floot z"), "header line"),
        ("a.ply", ply("<", [[0, 1]]), "face 0 has 2 corners"),
        ("a.ply", ply("<", [[0, 1, 9]]), r"face 0 names vertices \[0, 1, 9\], but there are 5"),
        ("a.off", b"OFF\n3000000000 3000000000 0\n0 0 0\n", "declares 3000000000 vertices"),
        ("a.off", b"OFF\n3 1 0\n0 0 0\n1 0 0\n2 0 0\n3 0 1 2\n", "has no area"),
        ("a.off", b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n4 0 1 2\n", "declares 4 corners and has 3"),
        ("a.off", b"nothing\n", "does not begin with OFF"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 4\n", "face 0 names vertices"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 0 1 2\n", "face 0 names vertices"),
        ("a.obj", b"v 0 0 zero\n", "line 1: 'zero' is not a number"),
        ("a.obj", b"# nothing\n", "has no vertices"),
        ("a.stl", b"\0" * 80 + struct.pack("<I", 2**31) + b"\0" * 100, "declares 2147483648 triangles"),
        ("a.stl", b"solid a\nfacet\nvertex 0 0 0\nvertex 1 0 0\n", "cut short"),
        ("a.pcd", b"FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nPOINTS 99999999999\nDATA binary\nabc", "99999999999 points"),
        ("a.pcd", b"FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nPOINTS 1\nDATA binary_compressed\nabc", "binary_compressed"),
        ("a.pcd", pcd("x y z", "4 4 4", "F F F", "1 1 0", "POINTS 1\nDATA ascii\n0 0"), "must have fields x, y and z"),
        ("a.pcd", pcd("x y z", "4 4 4", "F F F", "1 1 -1", "POINTS 1\nDATA ascii\n0 0"), "one word for each field"),
        ("a.pcd", pcd("x y z", "4 4 3", "F F F", "1 1 1", "POINTS 1\nDATA ascii\n0 0 0"), "field 'z' must be of type"),
        ("a.pcd", pcd("x y z", "4 4 4", "F F F", "1 1 1", "WIDTH 2\nHEIGHT 2\nPOINTS 3\nDATA ascii"), "2 x 2 and 3"),
        ("a.pcd", pcd("x y z", "4 4 4", "F F F", "1 1 1", "WIDTH 2\nDATA ascii"), "neither POINTS nor WIDTH"),
        ("a.pcd", pcd("x y z", "4 4 4", "F F F", "1 1 1", "POINTS 1\nDATA ascii\n0 0"), "line 7: has 2 numbers"),
        ("a.pcd", b"FIELDS x y\nSIZE 4 4\nTYPE F F\nPOINTS 1\nDATA ascii\n0 0", "x, y and z"),
        ("a.pts", b"5\n0 0 1\n", "declares 5 points and has 1"),
        ("a.xyz", b"0 0 1 2\n", "has 4 columns; must have 3 or 6"),
        ("a.xyz", b"0 0 1\n0 0\n", "line 2: has 2 columns, and the lines before it have 3"),
        ("a.xyz", b"0 0 one\n", "line 1: 'one' is not a number"),
        ("a.xyz", b"", "is empty"),
        ("a.xyz", b"0 0 nan\n1 1 1\n", "NaN"),
        ("a.pt", b"\x80\x04", "never opens it;"),
        ("a.docx", b"text", "are not supported"),
    ],
)  # fmt: skip
def test_damage_is_told_with_the_path(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=told) as caught:
        load(str(path))
    assert str(path) in str(caught.value) and len(str(caught.value).splitlines()) <= 3


def test_a_polygon_that_becomes_more_triangles_than_allowed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf" + " 1 2 3" * 5000)
    assert path.stat().st_size < 50_000
    with pytest.raises(ValueError, match=r"a\.obj: its 14998 triangles: would take 351\.59 KiB"):
        load(str(path), max_bytes=100_000)
    assert len(load(str(path))) == 1


def test_a_file_larger_than_allowed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    path.write_text("0 0 1\n" * 100)
    with pytest.raises(
        ValueError, match=r"more than the 599 bytes allowed; allow it with max_bytes=600 \(--max-bytes 600\)"
    ):
        load(str(path), max_bytes=599)
    assert len(load(str(path), max_bytes=4000)) == 1
