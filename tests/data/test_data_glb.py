"""The binary form of glTF: numbers as they are stored, shapes where the scene puts them, what is refused by name."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcgen.data import load
from pcgen.data.formats.glb import read_glb
from pcgen.data.source import Raw
from pcgen.data.surface import Mesh

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], dtype="<f4")
TYPES = {"b": 5120, "B": 5121, "h": 5122, "H": 5123, "I": 5125, "f": 5126}


def glb(blob: bytes = b"", **scene: object) -> bytes:
    """A .glb of a scene and its numbers."""
    text = json.dumps({"asset": {"version": "2.0"}, **scene}).encode()
    text += b" " * (-len(text) % 4)
    parts = struct.pack("<I4s", len(text), b"JSON") + text
    if blob:
        blob += b"\0" * (-len(blob) % 4)
        parts += struct.pack("<I4s", len(blob), b"BIN\0") + blob
    return b"glTF" + struct.pack("<II", 2, 12 + len(parts)) + parts


def shape(*arrays: np.ndarray, primitive: dict[str, Any] | None = None, **scene: Any) -> bytes:
    """A .glb of one mesh: accessor 0 its positions, 1 its corners if given."""
    views, accessors, blob = [], [], b""
    for array in arrays:
        views.append({"buffer": 0, "byteOffset": len(blob), "byteLength": array.nbytes})
        kind = "VEC3" if array.ndim == 2 else "SCALAR"
        about = {
            "bufferView": len(accessors),
            "componentType": TYPES[array.dtype.char],
            "count": len(array),
            "type": kind,
        }
        accessors.append(about)
        blob += array.tobytes() + b"\0" * (-array.nbytes % 4)
    mine = {"attributes": {"POSITION": 0}} | ({"indices": 1} if len(arrays) > 1 else {}) | (primitive or {})
    whole = {
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [mine]}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(blob)}],
    }
    return glb(blob, **(whole | scene))


def read(tmp_path: Path, data: bytes, max_bytes: int = 2**20) -> Mesh | Raw:
    path = tmp_path / "a.glb"
    path.write_bytes(data)
    return read_glb(path, max_bytes)


def corners(content: Mesh | Raw) -> list[Any]:
    assert isinstance(content, Mesh)
    return content.vertices[content.faces].tolist()


@pytest.mark.parametrize(
    ("stored", "kind", "expected"),
    [
        ([[-128, 127, 0], [-127, 64, 1]], "b", [[-1, 1, 0], [-1, 64 / 127, 1 / 127]]),
        ([[255, 51, 0]], "B", [[1, 0.2, 0]]),
        ([[-32768, 32767, 3]], "h", [[-1, 1, 3 / 32767]]),
        ([[65535, 13107, 0]], "H", [[1, 0.2, 0]]),
    ],
)
@pytest.mark.parametrize("normalized", [True, False])
def test_whole_numbers_stand_for_fractions_where_the_accessor_says_so(
    tmp_path: Path, stored: list[list[int]], kind: str, expected: list[list[float]], normalized: bool
) -> None:
    # KHR_mesh_quantization; rows are padded to four bytes, as exporters do.
    values = np.array(stored, dtype=f"<{kind}" if kind in "hH" else kind)
    row = values.itemsize * 4
    blob = b"".join(value.tobytes().ljust(row, b"\0") for value in values)
    view = {"buffer": 0, "byteLength": len(blob), "byteStride": row}
    accessor = {"bufferView": 0, "componentType": TYPES[kind], "count": len(values), "type": "VEC3"}
    content = read(
        tmp_path,
        glb(
            blob,
            extensionsRequired=["KHR_mesh_quantization"],
            nodes=[{"mesh": 0, "scale": [2, 2, 2], "translation": [1, 0, 0]}],
            meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "mode": 0}]}],
            accessors=[accessor | ({"normalized": True} if normalized else {})],
            bufferViews=[view],
            buffers=[{"byteLength": len(blob)}],
        ),
    )
    assert isinstance(content, Raw)
    local = np.array(expected if normalized else stored)
    assert np.allclose(content.points, 2 * local + [1, 0, 0], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("mode", "indices", "expected"),
    [
        (4, [0, 1, 2, 2, 1, 4], [[0, 1, 2], [2, 1, 4]]),
        (5, [0, 1, 2, 4, 3], [[0, 1, 2], [1, 4, 2], [2, 4, 3]]),
        (6, [0, 1, 2, 3, 4], [[1, 2, 0], [2, 3, 0], [3, 4, 0]]),
        (5, [0, 1], []),
        (6, [0], []),
    ],
)
@pytest.mark.parametrize("kind", ["B", "H", "I"])
def test_triangles_strips_and_fans(
    tmp_path: Path, mode: int, indices: list[int], expected: list[list[int]], kind: str
) -> None:
    content = read(tmp_path, shape(CORNERS, np.array(indices, dtype=kind), primitive={"mode": mode}))
    assert corners(content) == CORNERS[np.array(expected, dtype=int).reshape(-1, 3)].tolist()


def test_a_shape_without_corners_takes_its_positions_in_order(tmp_path: Path) -> None:
    assert corners(read(tmp_path, shape(CORNERS[:3]))) == [CORNERS[:3].tolist()]


def test_points_are_a_cloud(tmp_path: Path) -> None:
    content = read(tmp_path, shape(CORNERS, primitive={"mode": 0}))
    assert isinstance(content, Raw) and content.points.tolist() == CORNERS.tolist()


def test_scenes_put_shapes_in_their_places(tmp_path: Path) -> None:
    half = np.sqrt(0.5)
    nodes = [
        {"mesh": 0},  # in no scene
        {"children": [2], "translation": [0, 0, 5]},
        {"mesh": 0, "rotation": [0, 0, half, half], "scale": [2, 1, 1]},  # x to y
        {"mesh": 0, "matrix": [-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 7, 0, 0, 1]},  # mirrored
    ]
    content = read(tmp_path, shape(CORNERS[:3], nodes=nodes, scenes=[{}, {"nodes": [1, 3]}], scene=1))
    turned, mirrored = corners(content)
    assert np.allclose(turned, [[0, 0, 5], [0, 2, 5], [-1, 0, 5]], atol=1e-12)
    # The outside of a mirrored triangle stays its outside, by the other order of its corners.
    assert mirrored == [[7, 1, 0], [6, 0, 0], [7, 0, 0]]


def test_sparse_positions_replace_others(tmp_path: Path) -> None:
    blob = np.array([1, 2], "<u2").tobytes() + CORNERS[1:3].tobytes()
    accessor = {
        "componentType": 5126,
        "count": 3,
        "type": "VEC3",
        "sparse": {
            "count": 2,
            "indices": {"bufferView": 0, "componentType": 5123},
            "values": {"bufferView": 0, "byteOffset": 4},
        },
    }
    data = shape(CORNERS, accessors=[accessor], bufferViews=[{"buffer": 0, "byteLength": len(blob)}])
    parts = data.index(b"BIN\0") + 4
    assert corners(read(tmp_path, data[:parts] + blob + data[parts + len(blob) :])) == [CORNERS[:3].tolist()]


MANY = [{"mesh": 0} for _ in range(2000)]


def test_what_a_scene_has_many_times_is_held_against_the_limit_before_it_is_made(tmp_path: Path) -> None:
    positions = np.zeros((4000, 3), dtype="<f4")
    data = shape(positions, np.arange(3000, dtype="H"), nodes=MANY)
    assert len(data) < 100_000
    # The sum is told of the first nodes that are too many: each takes 24 bytes a vertex and a corner.
    with pytest.raises(ValueError, match=r"a.glb: its shapes, each as often as the scene has it,: would take 1.12 MiB"):
        read(tmp_path, data)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (shape(CORNERS, extensionsRequired=["KHR_draco_mesh_compression"]), "the extension KHR_draco_mesh_compression"),
        (shape(CORNERS, extensionsRequired=["EXT_meshopt_compression"]), "the extension EXT_meshopt_compression"),
        (
            shape(
                CORNERS[:0],
                primitive={"extensions": {"KHR_draco_mesh_compression": {"bufferView": 0}}},
                accessors=[{"componentType": 5126, "count": 3, "type": "VEC3"}],
            ),
            "holds shapes compressed by KHR_draco_mesh_compression",
        ),
        (
            shape(
                CORNERS[:3], bufferViews=[{"buffer": 0, "byteLength": 36, "extensions": {"EXT_meshopt_compression": 1}}]
            ),
            "in the form of EXT_meshopt_compression",
        ),
        (
            shape(CORNERS[:3], nodes=[{"mesh": 0, "extensions": {"EXT_mesh_gpu_instancing": {}}}]),
            "uses EXT_mesh_gpu_instancing",
        ),
        (shape(CORNERS[:3], nodes=[{"mesh": 0, "skin": 0}]), "is deformed by joints or weights"),
        (shape(CORNERS[:3], nodes=[{"mesh": 0, "weights": [0, 0.5]}]), "is deformed by joints or weights"),
        (shape(CORNERS, primitive={"mode": 1}), "holds lines; export it with triangles alone"),
        (shape(CORNERS, primitive={"mode": 9}), "holds primitives of mode 9"),
        (
            shape(CORNERS[:3], meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "mode": m} for m in (0, 4)]}]),
            "holds points and triangles",
        ),
        (shape(CORNERS), "5 corners of triangles, not a multiple of three"),
        (shape(CORNERS, np.array([0, 1, 5], "H")), "names vertex 5"),
        (shape(CORNERS[:3], nodes=[{"mesh": 1}]), r"names meshes\[1\], and there are 1"),
        (shape(CORNERS[:3], nodes=[{"mesh": -1}]), r"names meshes\[-1\]"),
        (shape(CORNERS[:3], nodes=[{"children": [1]}, {"children": [0]}], scenes=[{"nodes": [0]}]), "its scene twice"),
        (shape(CORNERS[:3], nodes=[]), "holds no shapes"),
        (shape(CORNERS[:3], buffers=[{"uri": "other.bin", "byteLength": 36}]), "in another file, 'other.bin'"),
        (shape(CORNERS[:3], bufferViews=[{"buffer": 0, "byteLength": 35}]), "beyond the end of their data"),
        (shape(CORNERS[:3], bufferViews=[{"buffer": 0, "byteLength": 99}]), "beyond the end of their data"),
        (shape(CORNERS[:3], nodes=5), "is not a complete .glb scene: TypeError"),
        (glb(), "holds no shapes"),
        (b"glTF" + struct.pack("<II", 1, 12), "not a .glb file of version 2"),
    ],
)
def test_what_is_not_read_is_refused_by_name(tmp_path: Path, data: bytes, told: str) -> None:
    path = tmp_path / "a.glb"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"^{path}: [^\n]*{told}[^\n]*$"):
        load(str(path))


def test_zeros_without_end_are_refused(tmp_path: Path) -> None:
    accessors = [{"count": 10**12, "componentType": 5126, "type": "VEC3"}]
    with pytest.raises(ValueError, match="more than the"):
        read(tmp_path, shape(CORNERS, accessors=accessors))


def test_real_meshes_come_through_glb_unchanged(tmp_path: Path, shapes_dir: Path) -> None:
    import trimesh

    for path in sorted((shapes_dir / "meshes_obj").glob("*.obj"))[:10]:
        made = trimesh.load_mesh(path, process=False)
        made.export(tmp_path / "a.glb")
        mesh = read_glb(tmp_path / "a.glb", 2**26)
        assert isinstance(mesh, Mesh)
        assert np.array_equal(mesh.vertices[mesh.faces], made.vertices.astype(np.float32)[made.faces])
