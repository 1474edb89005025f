"""A pyramid, and files of it."""

import struct

import numpy as np

VERTICES = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 0.5, 1.0]])
SQUARE_AND_SIDES = [[0, 3, 2, 1], [0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]]  # a pyramid
TRIANGLES = [[0, 3, 2], [0, 2, 1], [0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]]


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


def pcd(fields: str, sizes: str, types: str, counts: str, rest: str) -> bytes:
    return f"FIELDS {fields}\nSIZE {sizes}\nTYPE {types}\nCOUNT {counts}\n{rest}\n".encode()
