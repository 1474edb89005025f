"""Text files: encodings, line ends and long numbers in every format, and tables of points with all their dialects."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from pcgen.data import check, load
from pcgen.data.readers import READERS
from pcgen.data.source import Raw
from pcgen.data.surface import Mesh

# Every number of these is 16 digits and an exponent behind them: a parse of fixed width would lose the exponent.
X = "1.23456789012345678901234567890123456789e-3"
VALUES = np.array([[1.2345678901234568e-3, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
ROWS = [f"{X} 0 0", "1 0 0", "0 1 0", "0 0 1"]
FACES = [[0, 1, 2], [0, 1, 3]]
TEXTS = {
    "a.xyz": "\n".join(ROWS),
    "a.pts": "\n".join(["4", *ROWS]),
    "a.txt": "\n".join(["x y z", *ROWS]),
    "a.obj": "\n".join([*(f"v {row}" for row in ROWS), "f 1 2 3", "f 1 2 \\", "4"]),
    "a.off": "\n".join(["OFF", "4 2", "5", *ROWS, "3 0 1 2", "3 0 1 3"]),
    "a.ply": "ply\nformat ascii 1.0\nelement vertex 4\nproperty double x\nproperty double y\nproperty double z\n"
    "element face 2\nproperty list uchar int vertex_index\nend_header\n" + "\n".join([*ROWS, "3 0 1 2", "3 0 1 3"]),
    "a.pcd": "VERSION .7\nFIELDS x y z\nSIZE 8 8 8\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 2\nHEIGHT 2\nDATA ascii\n"
    + "\n".join(ROWS),
    "a.stl": "solid a\n"
    + "".join(
        "facet normal 0 0 1\nouter loop\n"
        + "".join(f"vertex {ROWS[corner]}\n" for corner in face)
        + "endloop\nendfacet\n"
        for face in FACES
    )
    + "endsolid a",
}


def values(path: Path) -> np.ndarray:
    """The points of a cloud, or the corners of a mesh's triangles."""
    content = READERS[path.suffix](path, 2**20)
    return content.points if isinstance(content, Raw) else content.vertices[content.faces]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", TEXTS)
def test_marks_line_ends_and_long_numbers_change_nothing(tmp_path: Path, name: str, end: str, mark: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(mark + (TEXTS[name] + "\n").replace("\n", end).encode())
    expected = VALUES if name in ("a.xyz", "a.pts", "a.txt", "a.pcd") else VALUES[FACES]
    assert np.array_equal(values(path), expected)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_binary_numbers_begin_where_the_headers_line_ends(tmp_path: Path, end: bytes) -> None:
    points = np.full((4, 3), 10, dtype="u1")  # a byte 10 is a line's end too
    points[1:, 0] = [13, 0, 35]
    header = [b"ply", b"format binary_little_endian 1.0", b"element vertex 4"]
    header += [b"property uchar " + axis for axis in (b"x", b"y", b"z")]
    (tmp_path / "a.ply").write_bytes(end.join([*header, b"end_header", b""]) + points.tobytes())
    header = [b"FIELDS x y z", b"SIZE 1 1 1", b"TYPE U U U", b"POINTS 4", b"DATA binary", b""]
    (tmp_path / "a.pcd").write_bytes(end.join(header) + points.tobytes())
    for name in ("a.ply", "a.pcd"):
        assert np.array_equal(values(tmp_path / name), points)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("name", TEXTS)
def test_other_encodings_are_told(tmp_path: Path, name: str, encoding: str) -> None:
    path = tmp_path / name
    path.write_bytes(TEXTS[name].encode(encoding))
    with pytest.raises(ValueError, match=f"^{path}: [^\n]*$") as caught:
        values(path)
    if encoding in ("utf-16", "utf-32") or name in ("a.xyz", "a.pts", "a.txt", "a.obj", "a.off"):
        assert f"{encoding[:6].upper()}" in str(caught.value) and "save it as UTF-8" in str(caught.value)


@pytest.mark.parametrize("word", ["0,5", "1_0", "0x10", "one", "1e", "1.5d3"])
@pytest.mark.parametrize("name", TEXTS)
def test_a_word_that_is_no_number_is_told_with_its_line(tmp_path: Path, name: str, word: str) -> None:
    path = tmp_path / name
    lines = TEXTS[name].replace("0 1 0", f"0 {word} 0", 1).splitlines()
    (line,) = [number for number, text in enumerate(lines, start=1) if word in text and X not in text]
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match=f"^{path}: line {line}: '[^\n]*{word}") as caught:
        values(path)
    assert ("decimal" in str(caught.value)) == ("," in word)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0,123456 0,5 0,7\n", "line 1: .* has both commas and blanks between its numbers, or decimal commas"),
        ("0.5 0.5 0.5\n0,5 0,5 0,5", "line 2: "),
        ("0,5, 0,5, 0,5", "line 1: "),
        ("1,234.5, 2,345.6, 3,456.7", "line 1: "),
        ("0,500000,0,250000,0,125000\n0,5,0,5,0,5\n", "has 6 whole numbers .* could be 3 numbers with decimal commas"),
        ("0.5;0.5;0.5", "line 1: '0.5;0.5;0.5' is not a number"),
        ("1,2,,3", "line 1: "),
        ("1 2 3\n4 5 6 7", "line 2: has 4 columns, and the lines before it have 3"),
        ("a b c\n1 2 3", "line 1: 'a' is not a number"),
        ("x y z w\n1 2 3", "names 4 columns and has 3"),
        ("2\n1 2 3\n", "declares 2 points and has 1"),
        ("-2\n1 2 3\n", "line 2: has 3 columns"),
        ("9" * 30 + "\n1 2 3\n", "line 1: '9+' is not a 64-bit integer"),
        ("# nothing\n", "has no line of numbers"),
        ("x y z\n", "has no line of numbers"),
        ("1 2 3 4 5\n", "has 5 columns; must have 3 or 6"),
    ],
)
def test_tables_that_are_not_read(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "a.xyz"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"^{path}: {told}"):
        load(str(path))


POINTS = [[0.5, 0.25, -1], [2, 0, 3]]
UP = [[0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("name", "text", "normals", "note"),
    [
        ("a.txt", "0.5,0.25,-1,0,1,0\n2,0,3,0,0,1\n", UP, ""),  # ModelNet
        ("a.txt", "0.5, 0.25, -1,\n2, 0, 3,\n", None, ""),
        ("a.txt", "0.50, 0.25,-1.00\n 2.00, 0.00, 3.00\n", None, ""),  # of one width each
        ("a.txt", "0.5 0.25 -1 0 1 0 3\n2 0 3 0 0 1 4\n", UP, "1 of 7 columns left out"),
        ("a.txt", "x y z nx ny nz\n0.5 0.25 -1 0 1 0\n2 0 3 0 0 1\n", UP, ""),
        ("a.txt", "x,y,z,r,g,b\n0.5,0.25,-1,0,1,0\n2,0,3,0,0,1\n", None, "columns left out: r g b"),
        ("a.txt", "# z i x y\n-1 9 0.5 0.25\n3 8 2 0\n", None, "columns left out: i"),
        ("a.xyz", "# the x y z of two points\n0.5 0.25 -1\n2 0 3\n", None, ""),
        ("a.xyz", "//X Y Z Nx Ny Nz\n2\n0.5 0.25 -1 0 1 0\n2 0 3 0 0 1\n", UP, ""),  # CloudCompare
        ("a.xyz", "0.5 0.25 -1 255 0 7\n2 0 3 9 9 9\n", None, "columns 4 to 6 left out: they are not normals"),
        ("a.pts", "2\n0.5 0.25 -1 -1203\n2 0 3 77\n", None, "1 of 4 columns left out"),  # Leica
        ("a.pts", "2\n0.5 0.25 -1 0 1 0 9\n2 0 3 0 0 1 9\n", None, "4 of 7 columns left out"),
    ],
)
def test_dialects_of_tables(tmp_path: Path, name: str, text: str, normals: list[list[int]] | None, note: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    clouds = load(str(path))
    assert clouds.points.tolist() == [POINTS]
    assert (None if clouds.normals is None else clouds.normals.tolist()) == (None if normals is None else [normals])
    assert len(clouds.notes) == (note != "") and note in "".join(clouds.notes)


@pytest.mark.parametrize(
    ("remark", "taken"),
    [
        ("# format x y z", False),
        ("# z y x made", False),
        ("// the y x z", False),
        ("# id x y z", True),
        ("# X Y Z Made", True),
        ("#x,y,z,t", True),
    ],
)
def test_a_comment_names_columns_only_if_it_does_nothing_else(tmp_path: Path, remark: str, taken: bool) -> None:
    path = tmp_path / "a.pts"
    path.write_text(f"{remark}\n1 2 3 99\n4 5 6 98\n")
    clouds = load(str(path))
    assert clouds.points[0, 0].tolist() == ([2, 3, 99] if "id" in remark else [1, 2, 3])
    assert any(note.startswith("a.pts: columns left out: ") for note in clouds.notes) == taken


@pytest.mark.parametrize(
    "damage", ["", "\n\n", "1 2 zero\n4 5 6", "0,5 0,5 0,5\n", "1 2\n3 4\n", "\0\0\0\0", "1;2;3\n"]
)
def test_a_damaged_txt_beside_others_is_an_error_and_words_are_not(tmp_path: Path, damage: str) -> None:
    (tmp_path / "a.txt").write_text("0 0 1\n1 2 3\n")
    (tmp_path / "b.txt").write_text("0 0 1\n1 2 4\n")
    (tmp_path / "readme.txt").write_text("Scans of 2 chairs, 2026\n1 2 3\n")
    (tmp_path / "labels.txt").write_text("1\n1\n")
    assert check(str(tmp_path)) == [] and load(str(tmp_path)).names == ("a.txt", "b.txt")
    (tmp_path / "c.txt").write_text(damage)
    (fault,) = check(str(tmp_path))
    assert fault.name == "c.txt" and str(fault).startswith(f"{tmp_path / 'c.txt'}: ")
    with pytest.raises(ValueError, match=r"c\.txt"):
        load(str(tmp_path))
    assert load(str(tmp_path), drop_bad=True).names == ("a.txt", "b.txt")
    # Beside files of another kind it is no cloud.
    (tmp_path / "other").mkdir()
    np.save(tmp_path / "other" / "a.npy", np.eye(3))
    (tmp_path / "other" / "c.txt").write_text(damage)
    assert check(str(tmp_path / "other")) == []


@pytest.mark.parametrize(
    ("name", "most"), [("a.xyz", 50), ("a.off", 75), ("a.obj", 70), ("a.ply", 80), ("a.pcd", 66), ("a.stl", 130)]
)
def test_lines_are_read_one_by_one(tmp_path: Path, name: str, most: int) -> None:
    """Its 3 numbers are 24 bytes of a line, which are there twice; all lines as objects would be 50 to 240 more."""
    path = tmp_path / name
    count = 20_000
    rows = "1 2 3\n" * count
    header = {"a.off": f"OFF\n{count} 0 0\n", "a.ply": TEXTS["a.ply"].partition("element face")[0]}.get(name, "")
    if name == "a.ply":
        header = header.replace("vertex 4", f"vertex {count}") + "end_header\n"
    elif name == "a.pcd":
        header = f"FIELDS x y z\nSIZE 8 8 8\nTYPE F F F\nPOINTS {count}\nDATA ascii\n"
    elif name == "a.obj":
        rows = rows.replace("1 2", "v 1 2")
    elif name == "a.stl":
        header = "solid a\n"
        rows = ("facet\nouter loop\n" + "vertex 1 2 3\n" * 3 + "endloop\nendfacet\n") * (count // 3) + "endsolid a\n"
    path.write_text(header + rows)
    tracemalloc.start()
    try:
        READERS[path.suffix](path, 2**20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < most * count


def test_txt_files_of_a_folder_are_clouds_if_they_begin_so(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("0 0 1\n" * 2000)
    (tmp_path / "b.txt").write_text("# x y z\n" + "0 0 1\n" * 2000)
    (tmp_path / "licence.txt").write_text("words and words")
    (tmp_path / "list.txt").write_text("bed_0001\nbed_0002\n")
    clouds = load(str(tmp_path))
    assert clouds.names == ("a.txt", "b.txt")
    assert any("2 files of other kinds ignored (.txt)" in note for note in clouds.notes)


BIG = "9" * 30


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.obj", f"v 0 0 0\nf 1 {BIG} 1", f"line 2: '{BIG}' is not a 64-bit integer"),
        ("a.obj", "v 0 0 0\nf 1 -9223372036854775809 1", "line 2: '-9223372036854775809' is not a 64-bit integer"),
        ("a.obj", "v 0 0", "line 1: 'v 0 0' is not a vertex"),
        ("a.obj", "v 0 0 0\nf 1 1 \\", "line 2: .* continues on the next line"),
        ("a.obj", "v 0 0 0\nf 1 1.5 1", "line 2: '1.5' is not a 64-bit integer"),
        ("a.off", f"OFF {BIG} 0 0", "line 1: "),
        ("a.off", f"OFF 3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 {BIG}", "line 5: .* is not a 64-bit integer"),
        ("a.off", "OFF 3 1 0\n0 0 0\n1 0 0\n0 1 0\n-3 0 1 2", "line 5: face 0 declares -3 corners and has 3"),
        ("a.off", "OFF -3 1 0\n0 0 0\n", "line 1: must be the numbers of vertices, faces and edges"),
        ("a.off", "OFF 3 1 0\n0 0\n1 0 0\n0 1 0\n3 0 1 2", "line 2: has 2 numbers; a vertex has at least 3"),
        ("a.off", "OFF\n# nothing\n3\n", "ends before the numbers of its vertices"),
        ("a.stl", "solid\nvertex 0 0 0\nvertex 1 0 0\nendloop\nendsolid", "line 4: facet 1 of the text has not three"),
        ("a.stl", "solid\n" + "vertex 0 0 0\n" * 4 + "endloop\nendsolid", "line 5: "),
    ],
)
def test_numbers_and_shapes_that_do_not_fit_are_told_with_their_line(
    tmp_path: Path, name: str, text: str, told: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=f"^{path}: {told}[^\n]*$"):
        load(str(path))


def test_what_begins_with_a_backslash_at_the_end_of_a_remark_or_name_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.obj"
    path.write_text("# C:\\shapes\\\nv 0 0 0\nmtllib C:\\\nv 1 0 0\nv 0 1 \\\n0\nf 1 2 3\n")
    mesh = READERS[".obj"](path, 2**20)
    assert isinstance(mesh, Mesh) and mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("counts", ["2 0 0", "2 0", "2\n0\n0", "2 0\n9", "2\n0 0"])
def test_off_of_points_alone_is_a_cloud(tmp_path: Path, counts: str) -> None:
    path = tmp_path / "a.off"
    path.write_text(f"OFF\n{counts}\n0.5 0.25 -1\n2 0 3\n")
    assert load(str(path)).points.tolist() == [POINTS]
    path.write_text(f"NOFF\n{counts}\n0.5 0.25 -1 0 1 0\n2 0 3 0 0 1\n")
    clouds = load(str(path))
    assert clouds.normals is not None and clouds.normals.tolist() == [UP]
