"""Small whole files of every format that pcgen reads, to be damaged by fuzz_readers.py."""

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterable

import h5py
import numpy as np

VERTICES = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 0.25, 1.5]])
FACES = [[0, 3, 2, 1], [0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]]
TRIANGLES = [[0, 3, 2], [0, 2, 1], [0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]]
CLOUD = np.random.default_rng(0).normal(size=(3, 6, 3)).astype(np.float32)


def rows(table: Iterable[Iterable[object]]) -> str:
    return "".join(" ".join(map(str, row)) + "\n" for row in table)


def ply(kind: str) -> bytes:
    order = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}[kind]
    header = f"ply\nformat {kind} 1.0\nelement vertex 5\nproperty float x\nproperty double y\nproperty float z\n"
    header += "property uchar red\nelement face 5\nproperty list uchar int vertex_indices\nend_header\n"
    if not order:
        return (
            header + rows([*vertex, 9] for vertex in VERTICES) + rows([len(face), *face] for face in FACES)
        ).encode()
    body = b"".join(struct.pack(f"{order}fdfB", *vertex, 9) for vertex in VERTICES)
    return header.encode() + body + b"".join(struct.pack(f"{order}B{len(face)}i", len(face), *face) for face in FACES)


def pcd(kind: str) -> bytes:
    header = "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z _ intensity\nSIZE 4 4 4 1 2\nTYPE F F F U U\nCOUNT 1 1 1 2 1\n"
    header += f"WIDTH 5\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS 5\nDATA {kind}\n"
    if kind == "ascii":
        return (header + rows([*vertex, 0, 0, 7] for vertex in VERTICES)).encode()
    return header.encode() + b"".join(struct.pack("<3f2BH", *vertex, 0, 0, 7) for vertex in VERTICES)


def stl(text: bool) -> bytes:
    corners = VERTICES[TRIANGLES]
    if text:
        facet = "facet normal 0 0 1\nouter loop\n{}endloop\nendfacet\n"
        facets = [facet.format(rows(["vertex", *vertex] for vertex in face)) for face in corners]
        return ("solid a\n" + "".join(facets) + "endsolid a\n").encode()
    body = b"".join(struct.pack("<12fH", 0, 0, 1, *face.ravel(), 0) for face in corners)
    return b"\0" * 80 + struct.pack("<I", len(corners)) + body


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(points: bytes) -> bytes:
    """An archive of whole members, of which one is damaged: damage of the archive itself only breaks its checksums."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("points.npy", points)
        archive.writestr("labels.npy", npy(np.array([1, 0, 1])))
        archive.writestr("split.npy", npy(np.array(["train", "test", "val"])))
    return file.getvalue()


def h5(form: str) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as root:
        if form == "groups":
            root["chair/train"], root["chair/test"] = CLOUD, CLOUD + 1
        else:
            root.create_dataset("data", data=CLOUD, compression="gzip" if form == "packed" else None)
            root["label"], root["names"] = np.array([[1], [0], [1]]), ["a", "b", "c"]
    return file.getvalue()


SMALL = np.array([[127, 0, 0], [0, -127, 0], [0, 0, 64]], dtype="i1")
BLOB = VERTICES.astype("<f4").tobytes() + np.array(TRIANGLES, "<u2").tobytes() + SMALL.tobytes()
SCENE = {
    "asset": {"version": "2.0"},
    "extensionsRequired": ["KHR_mesh_quantization"],
    "scene": 0,
    "scenes": [{"nodes": [0, 1]}],
    "nodes": [
        {"mesh": 0, "rotation": [0, 0, 1, 0], "scale": [2, 1, 1], "translation": [0, 0, 5]},
        {"children": [2]},
        {"mesh": 1, "matrix": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]},
    ],
    "meshes": [
        {"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]},
        {"primitives": [{"attributes": {"POSITION": 2}, "mode": 5}]},
    ],
    "accessors": [
        {"bufferView": 0, "componentType": 5126, "count": 5, "type": "VEC3"},
        {"bufferView": 1, "byteOffset": 0, "componentType": 5123, "count": 18, "type": "SCALAR"},
        {"bufferView": 2, "componentType": 5120, "normalized": True, "count": 3, "type": "VEC3"},
    ],
    "bufferViews": [
        {"buffer": 0, "byteOffset": 0, "byteLength": 60},
        {"buffer": 0, "byteOffset": 60, "byteLength": 36},
        {"buffer": 0, "byteOffset": 96, "byteLength": 9, "byteStride": 3},
    ],
    "buffers": [{"byteLength": len(BLOB)}],
}


def glb(scene: bytes) -> bytes:
    """A file of that JSON, with lengths that fit: damage of the JSON is then not told by its length alone."""
    parts = struct.pack("<I4s", len(scene), b"JSON") + scene + struct.pack("<I4s", len(BLOB), b"BIN\0") + BLOB
    return b"glTF" + struct.pack("<II", 2, 12 + len(parts)) + parts


JSON = json.dumps(SCENE).encode()
SIDES = rows(["f", *(corner + 1 for corner in face)] for face in FACES[1:])
OBJ = ("# made\r\n" + rows(["v", *vertex] for vertex in VERTICES) + "f 1/1 4/1 \\\r\n3 2\n" + SIDES).encode()
OFF = ("OFF\n5 5 0\n" + rows(VERTICES) + rows([len(face), *face] for face in FACES)).encode()
NORMALS = [[*vertex, 0, 1, 0] for vertex in VERTICES.tolist()]


def same(data: bytes) -> bytes:
    return data


# The ending, what is damaged, and what is made of it then.
SEEDS: list[tuple[str, bytes, Callable[[bytes], bytes]]] = [
    *[(".ply", ply(kind), same) for kind in ("ascii", "binary_little_endian", "binary_big_endian")],
    *[(".pcd", pcd(kind), same) for kind in ("ascii", "binary")],
    *[(".stl", stl(text), same) for text in (True, False)],
    *[(".obj", OBJ, same), (".off", OFF, same), (".off", b"NOFF 5 0 0\n" + rows(NORMALS).encode(), same)],
    *[(".xyz", rows(VERTICES).encode(), same), (".xyz", rows(NORMALS).encode(), same)],
    *[(".pts", b"5\n" + rows([*v, 3, 9, 9, 9] for v in VERTICES).encode(), same)],
    *[(".txt", b"//X,Y,Z,I\n" + rows([*v, 3] for v in VERTICES).replace(" ", ",").encode(), same)],
    *[(".npy", npy(CLOUD), same), (".npz", npy(CLOUD), npz), (".npz", npz(npy(CLOUD)), same)],
    *[(".h5", h5(form), same) for form in ("plain", "packed", "groups")],
    *[(".glb", JSON, glb), (".glb", glb(JSON), same)],
]
