"""Files of single clouds and meshes: what other programs write is read, what is damaged is told with its path."""

import struct
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from pcgen.data import load
from pcgen.data.readers import READERS
from pcgen.data.source import Raw
from pcgen.data.surface import Mesh

LIMIT = 2**30
VERTICES = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 0.5, 1.0]])
SQUARE_AND_SIDES = [[0, 3, 2, 1], [0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]]  # a pyramid
TRIANGLES = [[0, 3, 2], [0, 2, 1], [0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]]


def read(path: Path) -> Raw | Mesh:
    return READERS[path.suffix](path, LIMIT)


def ply(order: str, faces: list[list[int]] | None, cut: int | None = None) -> bytes:
    """A .ply of the pyramid's vertices with normals, colours, and faces with a number after each."""
    name = {"": "ascii", "<": "binary_little_endian", ">": "binary_big_endian"}[order]
    header = f"ply\nformat {name} 1.0\ncomment made\nelement vertex {len(VERTICES)}\n"
    header += "property float x\nproperty double y\nproperty float z\n"
    header += "".join(f"property float n{axis}\n" for axis in "xyz") + "property uchar red\n"
    if faces is not None:
        header += f"element face {len(faces)}\nproperty list uchar int vertex_indices\nproperty short flag\n"
    header += "end_header\n"
    rows = [(*vertex, 0.0, 1.0, 0.0, 200) for vertex in VERTICES]
    if order:
        body = b"".join(struct.pack(f"{order}fdffffB", *row) for row in rows)
        body += b"".join(struct.pack(f"{order}B{len(face)}ih", len(face), *face, 7) for face in faces or [])
    else:
        lines = [" ".join(map(str, row)) for row in rows]
        lines += [" ".join(map(str, (len(face), *face, 7))) for face in faces or []]
        body = "".join(f"{line}\n" for line in lines).encode()
    return header.encode() + body


@pytest.mark.parametrize("order", ["", "<", ">"])
@pytest.mark.parametrize("faces", [SQUARE_AND_SIDES, TRIANGLES])
def test_ply_meshes_in_text_and_both_byte_orders(tmp_path: Path, order: str, faces: list[list[int]]) -> None:
    path = tmp_path / "a.ply"
    path.write_bytes(ply(order, faces))
    mesh = read(path)
    assert isinstance(mesh, Mesh)
    assert np.array_equal(mesh.vertices, VERTICES) and mesh.faces.tolist() == TRIANGLES


@pytest.mark.parametrize("order", ["", "<", ">"])
@pytest.mark.parametrize("faces", [None, []])
def test_a_ply_without_faces_is_a_cloud_with_its_normals(tmp_path: Path, order: str, faces: list[list[int]]) -> None:
    path = tmp_path / "a.ply"
    path.write_bytes(ply(order, faces))
    cloud = read(path)
    assert isinstance(cloud, Raw) and cloud.normals is not None
    assert np.array_equal(cloud.points, VERTICES)
    assert np.array_equal(cloud.normals, np.tile([0, 1, 0], (5, 1)))


@pytest.mark.parametrize("ending", [".ply", ".off", ".obj", ".stl", ".glb"])
def test_meshes_that_trimesh_writes_are_read_alike(tmp_path: Path, ending: str) -> None:
    import trimesh

    made = trimesh.creation.icosphere(subdivisions=2).apply_translation([1, 2, 3])
    path = tmp_path / f"a{ending}"
    made.export(path)
    mesh = read(path)
    assert isinstance(mesh, Mesh)
    again = trimesh.Trimesh(mesh.vertices, mesh.faces)  # merges the vertices that .stl repeats
    assert again.is_watertight and again.volume == pytest.approx(made.volume, rel=1e-5)
    assert np.allclose(again.bounds, made.bounds, atol=1e-5)


def test_text_stl_is_read(tmp_path: Path) -> None:
    import trimesh

    made = trimesh.creation.box()
    path = tmp_path / "a.stl"
    path.write_text(trimesh.exchange.stl.export_stl_ascii(made))
    mesh = read(path)
    assert isinstance(mesh, Mesh)
    assert np.allclose(mesh.vertices.reshape(-1, 3, 3), made.triangles)


def test_a_glb_scene_puts_every_mesh_in_its_place(tmp_path: Path) -> None:
    import trimesh

    scene = trimesh.Scene()
    for place in (0.0, 10.0):
        scene.add_geometry(trimesh.creation.box(), transform=trimesh.transformations.translation_matrix([place, 0, 0]))
    path = tmp_path / "a.glb"
    scene.export(path)
    mesh = read(path)
    assert isinstance(mesh, Mesh) and len(mesh.faces) == 24
    assert np.allclose([mesh.vertices.min(0), mesh.vertices.max(0)], [[-0.5] * 3, [10.5, 0.5, 0.5]])


@pytest.mark.parametrize("first", ["OFF\n", "OFF", "COFF\n# a remark\n\n", "OFF "])
def test_off_with_polygons_colours_and_counts_on_the_first_line(tmp_path: Path, first: str) -> None:
    path = tmp_path / "a.off"
    lines = [f"{first}5 5 0"] + [f"{x} {y} {z} 9 9 9" for x, y, z in VERTICES]
    lines += [f"{len(face)} {' '.join(map(str, face))} 255 0 0" for face in SQUARE_AND_SIDES]
    path.write_text("\n".join(lines))
    mesh = read(path)
    assert isinstance(mesh, Mesh)
    assert np.array_equal(mesh.vertices, VERTICES) and mesh.faces.tolist() == TRIANGLES


def test_obj_counts_from_one_or_backwards_and_takes_polygons(tmp_path: Path) -> None:
    path = tmp_path / "a.obj"
    lines = ["mtllib nowhere.mtl", "o pyramid"] + [f"v {x} {y} {z}" for x, y, z in VERTICES]
    lines += ["vt 0 0", "usemtl red", "f 1/1 4/1/1 3//1 2", "f -5 -4 -1", "f 2 3 \\\n5 # last", "f 3 4 5", "f 4 1 5"]
    path.write_text("\n".join(lines))
    mesh = read(path)
    assert isinstance(mesh, Mesh)
    assert np.array_equal(mesh.vertices, VERTICES) and mesh.faces.tolist() == TRIANGLES
    path.write_text("\n".join(line for line in lines if not line.startswith("f")))
    assert isinstance(read(path), Raw)


@pytest.mark.parametrize("kind", ["ascii", "binary"])
def test_pcd_with_padding_and_normals(tmp_path: Path, kind: str) -> None:
    names = "x y z _ normal_x normal_y normal_z intensity"
    header = (
        f"# .PCD v0.7\nVERSION 0.7\nFIELDS {names}\nSIZE 4 4 4 1 4 4 4 2\nTYPE F F F U F F F U\nCOUNT 1 1 1 4 1 1 1 1\n"
        f"WIDTH 5\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS 5\nDATA {kind}\n"
    )
    rows = [(*vertex, 0, 0, 0, 0, 0.0, 1.0, 0.0, 3) for vertex in VERTICES]
    text = "\n".join(" ".join(map(str, row)) for row in rows).encode()
    binary = b"".join(struct.pack("<3f4B3fH", *row) for row in rows)
    path = tmp_path / "a.pcd"
    path.write_bytes(header.encode() + (text if kind == "ascii" else binary))
    cloud = read(path)
    assert isinstance(cloud, Raw) and cloud.normals is not None
    assert np.array_equal(cloud.points, VERTICES) and np.array_equal(cloud.normals, np.tile([0, 1, 0], (5, 1)))


@pytest.mark.parametrize("text", ["0 0 1\n2 0 3\n", "2\n0 0 1\n2 0 3\n", "# made\n0,0,1\n2,0,3", "\n0 0 1 \n\n2\t0 3"])
def test_tables_of_points(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.pts"
    path.write_text(text)
    cloud = read(path)
    assert isinstance(cloud, Raw) and cloud.points.tolist() == [[0, 0, 1], [2, 0, 3]]


def pcd(fields: str, sizes: str, types: str, counts: str, rest: str) -> bytes:
    return f"FIELDS {fields}\nSIZE {sizes}\nTYPE {types}\nCOUNT {counts}\n{rest}\n".encode()


@pytest.mark.parametrize("kind", ["ascii", "binary"])
def test_pcd_with_fields_of_no_values_and_fields_of_one_name(tmp_path: Path, kind: str) -> None:
    header = pcd("x e x y z", "4 4 4 8 4", "F F F F F", "1 0 2 1 1", f"POINTS 5\nDATA {kind}")
    rows = [(x, 7.0, 8.0, y, z) for x, y, z in VERTICES]
    text = "\n".join(" ".join(map(str, row)) for row in rows).encode()
    path = tmp_path / "a.pcd"
    path.write_bytes(header + (text if kind == "ascii" else b"".join(struct.pack("<fffdf", *row) for row in rows)))
    cloud = read(path)
    assert isinstance(cloud, Raw) and np.array_equal(cloud.points, VERTICES)


@pytest.mark.parametrize("kind", ["ascii", "binary"])
def test_an_organised_scan_is_read_without_the_points_that_were_missed(tmp_path: Path, kind: str) -> None:
    """A scan of 2 x 3 of which two points are NaN: alone, or thinned, it goes without them if bad ones are dropped."""
    header = pcd("x y z", "4 4 4", "F F F", "1 1 1", f"WIDTH 3\nHEIGHT 2\nPOINTS 6\nDATA {kind}")
    points = np.insert(VERTICES[:4], [1, 3], np.nan, axis=0).astype("<f4")
    text = "\n".join(" ".join(map(str, row)) for row in points).encode()
    path = tmp_path / "a.pcd"
    path.write_bytes(header + (text if kind == "ascii" else points.tobytes()))
    with pytest.raises(ValueError, match=f"^{path}: point 1 is .*; 2 of 6 hold NaN"):
        load(str(path))
    clouds = load(str(path), drop_bad=True)
    assert clouds.points.tolist() == [VERTICES[:4].tolist()]
    assert clouds.notes == ("a.pcd: 2 of 6 points left out, which are NaN or infinite",)
    # Of a set of clouds of one size it is left out whole, unless their size is free.
    np.save(tmp_path / "b.npy", np.ones((6, 3)))
    np.save(tmp_path / "c.npy", np.full((6, 3), np.nan))
    assert load(str(tmp_path), drop_bad=True).names == ("b.npy",)
    thin = load(str(tmp_path), points=4, drop_bad=True)
    assert thin.names == ("a.pcd", "b.npy")
    assert sorted(thin.points[0].tolist()) == sorted(VERTICES[:4].tolist())
    with pytest.raises(ValueError, match=r"a\.pcd, c\.npy"):
        load(str(tmp_path), points=4)
    assert load(str(tmp_path), points=5, drop_bad=True).names == ("b.npy",)


@pytest.mark.parametrize("order", ["", "<", ">"])
def test_of_two_properties_of_one_name_the_first_counts(tmp_path: Path, order: str) -> None:
    name = {"": "ascii", "<": "binary_little_endian", ">": "binary_big_endian"}[order]
    names = ("float x", "float y", "float z", "double x", "list uchar int y", "uchar x")
    header = f"ply\nformat {name} 1.0\nelement vertex 5\n" + "".join(f"property {each}\n" for each in names)
    rows = [(*vertex, 9.5, 2, 3, 4, 7) for vertex in VERTICES]
    body = b"".join(struct.pack(f"{order}fffdBiiB", *row) for row in rows)
    text = "\n".join(" ".join(map(str, row)) for row in rows).encode()
    path = tmp_path / "a.ply"
    path.write_bytes(header.encode() + b"end_header\n" + (body if order else text))
    cloud = read(path)
    assert isinstance(cloud, Raw) and np.array_equal(cloud.points, VERTICES)


def test_a_table_of_six_columns_has_normals(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    path.write_text("1 2 3 0 1 0\n4 5 6 1 0 0\n")
    clouds = load(str(path))
    assert clouds.points.tolist() == [[[1, 2, 3], [4, 5, 6]]]
    assert clouds.normals is not None and clouds.normals.tolist() == [[[0, 1, 0], [1, 0, 0]]]


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
    for _ in range(60):
        damaged = bytearray(data)
        for place in random.integers(min(len(data), 600), size=random.integers(1, 5)):
            damaged[place] = random.choice([*b"0129 -\0\xff", random.integers(256)])
        path.write_bytes(damaged)
        try:
            clouds = load(str(path), surface_points=20, max_bytes=2**26)
            assert torch.isfinite(clouds.points).all()
        except ValueError as error:
            assert str(path) in str(error) and len(str(error).splitlines()) <= 3  # noqa: PT017 - or it is read


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
