"""Files of single clouds and meshes that other programs write: what is read of them."""

import struct
from pathlib import Path

import numpy as np
import pytest
from pyramids import SQUARE_AND_SIDES, TRIANGLES, VERTICES, pcd, ply

from pcgen.data import load
from pcgen.data.readers import READERS
from pcgen.data.source import Raw
from pcgen.data.surface import Mesh

LIMIT = 2**30


def read(path: Path) -> Raw | Mesh:
    return READERS[path.suffix](path, LIMIT)


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


def ascii_ply(elements: str, rows: str, begin: str = "ply\nformat ascii 1.0\n") -> str:
    header = f"{begin}element vertex 3\n" + "".join(f"property float {axis}\n" for axis in "xyz")
    return f"{header}{elements}end_header\n0 0 0\n1 0 0\n0 1 0\n{rows}"


CORNERS = "property list uchar int"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.ply", ascii_ply(f"element face 1\n{CORNERS} vertices\n", "3 0 1 2\n"), "1 faces without a list vertex_ind"),
        ("a.ply", ascii_ply(f"element tristrips 1\n{CORNERS} vertex_indices\n", "3 0 1 2\n"), "holds 1 tristrips"),
        ("a.ply", ascii_ply(f"element tristrips 1\n{CORNERS} strip\n", "3 0 1 2\n"), "holds 1 tristrips, which"),
        ("a.ply", ascii_ply(f"element patch 1\n{CORNERS} corners\n", "3 0 1 2\n"), "holds 1 patch, which"),
        ("a.ply", ascii_ply("element face 1\nproperty int flag\n", "7\n"), "1 faces without a list vertex_indices"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nsurf 0 1 0 1 1 2 3\n", r"line 4: holds a curved surface \(surf\)"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\nsurf 0 1 \\\n0 1 1 2 3\n", "line 5: holds a curved surface"),
        ("a.obj", "v 0 0 0\nbzp 1 1 1 1\n", "line 2: holds a curved surface"),
    ],
)  # fmt: skip
def test_surfaces_in_other_forms_are_refused_and_not_read_as_points(
    tmp_path: Path, name: str, text: str, told: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=f"^{path}: .*{told}"):
        load(str(path))


def test_what_is_no_surface_beside_points_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.ply"
    grid = f"element range_grid 1\n{CORNERS} vertex_indices\nelement edge 1\n{CORNERS} ends\n"
    texts = (
        "element note 1\nproperty list int uchar letters\nelement tristrips 0\nproperty list int int vertex_indices\n"
    )
    path.write_text(ascii_ply(grid + texts, "3 0 1 2\n2 0 1\n2 65 66\n"))
    assert load(str(path)).points.shape == (1, 3, 3) and load(str(path)).normals is None
    path = tmp_path / "a.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nl 1 2\np 1\n")
    assert load(str(path)).points.shape == (1, 3, 3)
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nfo 1 2 3\n")
    assert load(str(path), points=9).normals is not None


def test_the_end_of_a_header_in_a_comment_is_not_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.ply"
    path.write_text(ascii_ply("", "", "ply\ncomment from here to end_header\nformat ascii 1.0\n"))
    assert load(str(path)).points.shape == (1, 3, 3)


@pytest.mark.parametrize("order", ["", "<", ">"])
def test_an_element_of_no_rows_needs_no_properties(tmp_path: Path, order: str) -> None:
    path = tmp_path / "a.ply"
    path.write_bytes(ply(order, None).replace(b"end_header", b"element face 0\nend_header"))
    assert np.array_equal(load(str(path)).points[0], VERTICES)


OFF = "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n"


@pytest.mark.parametrize(
    ("name", "content", "rest"),
    [
        ("a.off", OFF.encode(), b"3 0 2 1\n\n"),
        ("b.off", b"OFF\n3 0 0\n0 0 0\n1 0 0\n0 1 0\n", b"3 0 2 1\n"),
        ("a.ply", ply("", TRIANGLES), b"3 0 2 1 7\n"),
        ("b.ply", ply("", None), b"1 2 3\n"),
        ("c.ply", ply("<", TRIANGLES), b"12345"),
        ("d.ply", ply(">", None), b"123"),
        ("a.pcd", pcd("x y z", "4 4 4", "F F F", "1 1 1", "POINTS 5\nDATA binary")
         + VERTICES.astype("<f4").tobytes(), b"1" * 12),
    ],
)  # fmt: skip
def test_what_no_header_declares_is_told(tmp_path: Path, name: str, content: bytes, rest: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content + b"\n" * (not name.endswith("pcd")))
    assert load(str(path), drop_bad=True).notes == ()
    path.write_bytes(content + rest)
    (note,) = load(str(path)).notes
    count = {".off": "1 lines", ".pcd": "1 points of their size"}.get(path.suffix) or (
        "1 lines" if name in ("a.ply", "b.ply") else f"{len(rest)} bytes"
    )
    assert note == f"{name}: {count} after all that the header declares left out"


L_SHAPE = [(2, 0), (2, 1), (1, 1), (1, 2), (0, 2), (0, 0)]
CROSSED = [(0, 0), (1, 1), (1, 0), (0, 1)]


def face_of(ending: str, outline: list[tuple[int, int]]) -> str:
    """The text of a file of one polygon at height 0."""
    points = [f"{x} {y} 0\n" for x, y in outline]
    corners = " ".join(map(str, range(len(outline))))
    if ending == ".obj":
        lines = "".join(f"v {point}" for point in points)
        return f"{lines}f {' '.join(str(number + 1) for number in range(len(outline)))}\n"
    if ending == ".off":
        return f"OFF\n{len(outline)} 1 0\n{''.join(points)}{len(outline)} {corners}\n"
    header = f"ply\nformat ascii 1.0\nelement vertex {len(outline)}\nproperty float x\nproperty float y\n"
    header += "property float z\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n"
    return f"{header}{''.join(points)}{len(outline)} {corners}\n"


@pytest.mark.parametrize("ending", [".obj", ".off", ".ply"])
def test_a_face_that_is_not_convex_gives_points_on_it_alone(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    path.write_text(face_of(ending, L_SHAPE))
    clouds = load(str(path), surface_points=3000)
    x, y, _ = clouds.points[0].T
    assert ((x <= 1) | (y <= 1)).all() and abs(float((y > 1).float().mean()) - 1 / 3) < 0.04 and not clouds.notes
    assert clouds.normals is not None and (clouds.normals[0] == clouds.normals.new_tensor([0, 0, 1])).all()
    path.write_text(face_of(ending, CROSSED))
    assert load(str(path)).notes[0].startswith(f"a{ending}: 1 of 1 faces, such as face 0, cross themselves: ")


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
