"""Meshes and clouds in the binary form of the GL Transmission Format, .glb."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcgen.data.formats.glb_arrays import Glb, Json
from pcgen.data.origin import Stored, stored
from pcgen.data.source import Raw, in_short, named, read_bytes, too_large
from pcgen.data.surface import Mesh, stored_corners

__all__ = ["read_glb"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Instance = tuple[Json, Floats]  # a primitive of a mesh, and its transform (4, 4) in the scene

# Required extensions that change the appearance of a shape, or the types that accessors declare; never its geometry.
_HARMLESS = ("KHR_materials_", "KHR_texture_", "KHR_lights_", "EXT_texture_", "EXT_lights_", "KHR_mesh_quantization")
_DRACO = "KHR_draco_mesh_compression"
_INSTANCES = "EXT_mesh_gpu_instancing"
_POINTS, _TRIANGLES, _STRIP, _FAN = 0, 4, 5, 6  # modes of a primitive; 1 to 3 are lines
_BYTES = 24  # per vertex, or per triangle


def read_glb(path: Path, max_bytes: int) -> Mesh | Raw:
    """All triangles of a .glb scene as one mesh, or all its points as one cloud, in the coordinates of the scene.

    A shape that the scene uses several times is read several times. Other files to which it refers are not opened.

    Raises:
        ValueError: it is not a complete .glb file; has lines, both points and triangles, or shapes that are compressed
            or deformed by joints; needs an unknown extension; or needs more than `max_bytes`.
    """
    data = read_bytes(path, max_bytes)
    with named(path):
        try:
            return _read(Glb(data), max_bytes)
        except (LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            raise ValueError(
                f"is not a complete .glb scene: {type(error).__name__}: {in_short(error)}; export it again"
            ) from None


def _read(glb: Glb, max_bytes: int) -> Mesh | Raw:
    for name in glb.json.get("extensionsRequired", []):
        if not str(name).startswith(_HARMLESS):
            raise ValueError(f"requires the extension {name}, which is not supported; export it without")
    instances: list[Instance] = []
    size = 0
    for primitive, matrix in _instances(glb):
        instances.append((primitive, matrix))
        position = primitive["attributes"]["POSITION"]
        size += _BYTES * (glb.count(position) + glb.count(primitive.get("indices", position)))
        if size > max_bytes:
            raise too_large("its shapes, each as often as the scene has it,", size, max_bytes)
    if not instances:
        raise ValueError("holds no shapes in its scene")
    modes = {primitive.get("mode", _TRIANGLES) for primitive, _ in instances}
    if modes == {_POINTS}:
        local = [_local_positions(glb, primitive) for primitive, _ in instances]
        found = _coarsest([stored(points) for points in local if len(points)])
        return Raw(np.concatenate([_positions(glb, *instance) for instance in instances]), stored=found)
    if not modes <= {_TRIANGLES, _STRIP, _FAN}:
        raise ValueError(f"holds {_told(modes)}; export it with triangles alone, or points alone")
    vertices: list[Floats] = []
    faces: list[Ints] = []
    known: list[Stored | None] = []
    before = 0
    for primitive, matrix in instances:
        corners = _faces(glb, primitive)
        vertices.append(_positions(glb, primitive, matrix))
        known.append(stored_corners(_local_positions(glb, primitive), corners))
        # A mirrored shape needs the reverse order of its corners, so that its outside does not change.
        faces.append(before + (corners[:, ::-1] if np.linalg.det(matrix[:3, :3]) < 0 else corners))
        before += len(vertices[-1])
    return Mesh(np.concatenate(vertices), np.concatenate(faces), stored=_coarsest(known))


def _coarsest(parts: Sequence[Stored | None]) -> Stored | None:
    """The first part whose shape the type of its numbers lost, in the part's own coordinates; None if there is none."""
    return next((part for part in parts if part is not None and part.coarse), None)


def _told(modes: set[Any]) -> str:
    names = {_POINTS: "points", **dict.fromkeys((1, 2, 3), "lines"), **dict.fromkeys((4, 5, 6), "triangles")}
    return " and ".join(sorted({names.get(mode, f"primitives of mode {mode}") for mode in modes}))


def _instances(glb: Glb) -> Iterator[Instance]:
    """All primitives of the nodes of the scene, or of all nodes if the file has no scene."""
    nodes = glb.json.get("nodes", [])
    if "scenes" in glb.json:
        roots = glb.item("scenes", glb.json.get("scene", 0)).get("nodes", [])
    else:
        inner = {child for node in nodes for child in node.get("children", [])}
        roots = [index for index in range(len(nodes)) if index not in inner]
    waiting = [(index, np.eye(4)) for index in reversed(roots)]
    met: set[int] = set()
    while waiting:
        index, outer = waiting.pop()
        node = glb.item("nodes", index)
        if index in met:
            raise ValueError(f"nodes[{index}] is in its scene twice; it may have one parent")
        met.add(index)
        matrix = outer @ _local(node)
        waiting += [(child, matrix) for child in reversed(node.get("children", []))]
        if "mesh" not in node:
            continue
        mesh = glb.item("meshes", node["mesh"])
        if "skin" in node or any(node.get("weights") or mesh.get("weights") or []):
            raise ValueError(
                f"nodes[{index}] is deformed by joints or weights, which are not supported; export the deformed shape"
            )
        if _INSTANCES in node.get("extensions", {}):
            raise ValueError(
                f"nodes[{index}] uses {_INSTANCES}, which is not supported; export each instance as a node"
            )
        for primitive in mesh["primitives"]:
            yield primitive, matrix


def _local(node: Json) -> Floats:
    """The transform of a node relative to its parent: a matrix, or translation, rotation (x y z w) and scale."""
    if "matrix" in node:
        return np.array(node["matrix"], dtype=np.float64).reshape(4, 4).T  # stored by columns
    matrix = np.eye(4)
    if "rotation" in node:
        x, y, z, w = np.array(node["rotation"], dtype=np.float64)
        turn = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])  # Rodrigues' formula of a unit quaternion
        matrix[:3, :3] += 2 * w * turn + 2 * turn @ turn
    matrix[:3, :3] *= np.array(node.get("scale", [1, 1, 1]), dtype=np.float64)
    matrix[:3, 3] = node.get("translation", [0, 0, 0])
    return matrix


def _positions(glb: Glb, primitive: Json, matrix: Floats) -> Floats:
    """The coordinates of a primitive's vertices in the scene, (V, 3)."""
    placed: Floats = _local_positions(glb, primitive).astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    return placed


def _local_positions(glb: Glb, primitive: Json) -> NDArray[Any]:
    """The coordinates of a primitive's vertices as they are stored, (V, 3)."""
    accessor = glb.item("accessors", primitive["attributes"]["POSITION"])
    if _DRACO in primitive.get("extensions", {}) and "bufferView" not in accessor:
        raise ValueError(f"holds shapes compressed by {_DRACO}, which is not supported; export it without")
    local = glb.array(primitive["attributes"]["POSITION"])
    if local.shape[1] != 3:
        raise ValueError("holds positions that are not x y z; it is damaged")
    return local


def _faces(glb: Glb, primitive: Json) -> Ints:
    """The triangles of a primitive, (F, 3), with consistent orientation."""
    if "indices" in primitive:
        listed = glb.array(primitive["indices"])
        if listed.dtype.kind != "u" or listed.shape[1] != 1:
            raise ValueError("holds corners that are not integers; it is damaged")
        corners = listed[:, 0].astype(np.int64)
        if len(corners) and corners.max() >= glb.count(primitive["attributes"]["POSITION"]):
            raise ValueError(f"names vertex {corners.max()} of a shape, which has fewer; it is damaged")
    else:
        corners = np.arange(glb.count(primitive["attributes"]["POSITION"]))
    match primitive.get("mode", _TRIANGLES):
        case 4 if len(corners) % 3:
            raise ValueError(f"has {len(corners)} corners of triangles, not a multiple of three; it is damaged")
        case 4:
            return corners.reshape(-1, 3)
        case 5:  # in every second triangle of a strip, two corners are swapped
            faces = np.stack([corners[:-2], corners[1:-1], corners[2:]], axis=-1)
            faces[1::2, 1:] = faces[1::2, :0:-1]
            return faces
        case _:
            return np.stack(
                [corners[1:-1], corners[2:], np.broadcast_to(corners[:1], (max(len(corners) - 2, 0),))], axis=-1
            )
