"""Meshes in the binary form of the GL Transmission Format, .glb."""

import io
import json
from pathlib import Path

import numpy as np

from pcgen.data.source import read_bytes, too_large
from pcgen.data.surface import Mesh

__all__ = ["read_glb"]

_WIDEST = 64  # bytes of an accessor's largest element, a 4x4 matrix of floats


def read_glb(path: Path, max_bytes: int) -> Mesh:
    """All meshes of a .glb scene as one, each where the scene puts it; files that it refers to are not opened.

    Raises:
        ValueError: it is no whole .glb file, holds no triangles, or declares more than `max_bytes`.
    """
    import trimesh

    data = read_bytes(path, max_bytes)
    length, size = int.from_bytes(data[8:12], "little"), int.from_bytes(data[12:16], "little")
    if data[:4] != b"glTF" or length != len(data) or 20 + size > len(data):
        raise ValueError(f"{path}: declares {length} bytes and has {len(data)}; it is cut short or no .glb file")
    try:
        accessors = json.loads(data[20 : 20 + size]).get("accessors", [])
        # An accessor without data counts as zeros, as many as it says: a few bytes could ask for terabytes.
        declared = _WIDEST * sum(int(accessor["count"]) for accessor in accessors if "bufferView" not in accessor)
        if declared > max_bytes:
            raise too_large(f"{path}: accessors without data", declared, max_bytes)
        scene = trimesh.load_scene(io.BytesIO(data), file_type="glb", process=False)
        mesh = scene.to_mesh()
    except Exception as error:  # whatever damaged JSON and offsets make of the library's parser
        raise ValueError(f"{path}: is no whole .glb scene of triangles: {error}; export it again") from None
    return Mesh(np.asarray(mesh.vertices, dtype=np.float64), np.asarray(mesh.faces, dtype=np.int64))
