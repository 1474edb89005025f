"""Writing of one cloud or mesh in common formats: PLY, XYZ and OBJ."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pcgen.data.surface import Mesh

__all__ = ["MESH_WRITERS", "WRITERS"]

Floats = NDArray[np.floating]


def _ply(points: Floats, normals: Floats | None) -> bytes:
    """A binary little-endian PLY with x y z, double if the points are float64, and nx ny nz if there are normals."""
    names = {4: "float", 8: "double"}
    fields = [(axis, points.dtype.newbyteorder("<")) for axis in "xyz"]
    fields += [(f"n{axis}", np.dtype("<f4")) for axis in "xyz"] if normals is not None else []
    rows = np.empty(len(points), dtype=fields)
    for place, axis in enumerate("xyz"):
        rows[axis] = points[:, place]
        if normals is not None:
            rows[f"n{axis}"] = normals[:, place]
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}"]
    header += [f"property {names[kind.itemsize]} {name}" for name, kind in fields]
    return "\n".join([*header, "end_header\n"]).encode() + rows.tobytes()


def _xyz(points: Floats, normals: Floats | None) -> bytes:
    """A text with x y z, and nx ny nz if there are normals, per line; numbers have the fewest digits that are exact."""
    lines = [" ".join(_digits(value) for value in point) for point in points]
    if normals is not None:
        lines = [f"{line} {' '.join(map(_digits, normal))}" for line, normal in zip(lines, normals, strict=True)]
    return "".join(f"{line}\n" for line in lines).encode()


def _obj(points: Floats, normals: Floats | None) -> bytes:
    """Wavefront's text with vertices without faces, and a normal for each vertex if there are normals."""
    lines = [f"v {' '.join(map(_digits, point))}" for point in points]
    lines += [f"vn {' '.join(map(_digits, normal))}" for normal in (() if normals is None else normals)]
    return "".join(f"{line}\n" for line in ["# a cloud of points: vertices without faces", *lines]).encode()


def _digits(value: np.floating) -> str:
    return np.format_float_positional(value, trim="-")


# By the ending of a file: its bytes, from points (N, 3) float32 or float64 and normals (N, 3) or None.
WRITERS: dict[str, Callable[[Floats, Floats | None], bytes]] = {".ply": _ply, ".xyz": _xyz, ".obj": _obj}


def _mesh_ply(mesh: Mesh) -> bytes:
    """A binary little-endian PLY with vertices, in double, and triangles."""
    faces = np.empty(len(mesh.faces), dtype=[("sides", "u1"), ("corners", "<i4", 3)])
    faces["sides"], faces["corners"] = 3, mesh.faces
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(mesh.vertices)}"]
    header += [f"property double {axis}" for axis in "xyz"]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header\n"]
    return "\n".join(header).encode() + mesh.vertices.astype("<f8").tobytes() + faces.tobytes()


def _mesh_obj(mesh: Mesh) -> bytes:
    """Wavefront's text with vertices and triangles."""
    lines = [f"v {' '.join(map(_digits, vertex))}" for vertex in mesh.vertices]
    lines += [f"f {a} {b} {c}" for a, b, c in (mesh.faces + 1).tolist()]
    return "".join(f"{line}\n" for line in lines).encode()


# By the ending of a file: its bytes, from a mesh.
MESH_WRITERS: dict[str, Callable[[Mesh], bytes]] = {".ply": _mesh_ply, ".obj": _mesh_obj}
