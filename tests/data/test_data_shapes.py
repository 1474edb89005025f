from dataclasses import fields

import numpy as np
import pytest
import torch

from pcgen.data import load, shapes
from pcgen.data.shapes import parts as solids


def inside_by_winding(vertices: np.ndarray, faces: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points with a winding number above one half: the sum of the solid angles of all triangles, over 4 pi."""
    a, b, c = np.moveaxis(vertices[faces][None] - points[:, None, None], 2, 0)
    la, lb, lc = (np.linalg.norm(side, axis=-1) for side in (a, b, c))
    volume = (a * np.cross(b, c)).sum(-1)
    across = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (a * c).sum(-1) * lb
    winding: np.ndarray = np.arctan2(volume, across).sum(1) / (2 * np.pi)
    return winding > 0.5


TURN = solids.rotation("x", 30) @ solids.rotation("z", 70)
SOLIDS = {
    "box": solids.box((0, 0, 0), (1, 2, 3), top=0.5),
    "bar": solids.bar((0, 0, 0), (1, 2, 3), 0.3, 0.1),
    "beam": solids.beam((0, 0, 0), (1, 0.2, 0), 0.3, 0.1),
    "cup": solids.lathe([(0.6, 0), (1, 1), (0.8, 1), (0.5, 0.2)]),
    "shade": solids.lathe([(1, 0), (0.5, 1), (0.4, 1), (0.9, 0)], closed=True),
    "tube": solids.tube([(0, 0, 0), (1, 0, 0), (1.5, 0.5, 0), (1.5, 1, 0)], 0.2, flat=0.5),
    "wedge": solids.extrude([(0, 0), (2, 0), (1.5, 1), (0.5, 1)], -1, 1),
}


@pytest.mark.parametrize("name", SOLIDS)
@pytest.mark.parametrize("moved", [False, True])
def test_a_solid_is_closed_faces_outwards_and_knows_its_inside(name: str, moved: bool) -> None:
    import trimesh

    part = SOLIDS[name]
    part = part.turn(TURN).stretch(1.5, 1, 0.5).move(1, 2, 3) if moved else part
    mesh = trimesh.Trimesh(part.vertices, part.faces)
    assert mesh.is_watertight and mesh.is_winding_consistent and mesh.volume > 0
    low, high = part.vertices.min(0) - 0.1, part.vertices.max(0) + 0.1
    points = np.random.default_rng(0).uniform(low, high, (2000, 3))
    # What turns and bends is taken as smooth inside, within a hair of its flat triangles.
    agree = (part.inside(points) == inside_by_winding(part.vertices, part.faces, points)).mean()
    assert agree > (0.985 if name in ("tube", "cup", "shade") else 0.9999)


@pytest.mark.parametrize("family", shapes.FAMILIES)
def test_a_family_has_many_parameters_and_closed_parts(family: str) -> None:
    import trimesh

    assert len(fields(shapes.FAMILIES[family])) >= 10  # type: ignore[arg-type]
    for index in range(12):
        for part in shapes.shape(family, index).parts():
            mesh = trimesh.Trimesh(part.vertices, part.faces)
            assert mesh.is_watertight and mesh.is_winding_consistent and mesh.volume > 0


@pytest.mark.parametrize("family", shapes.FAMILIES)
def test_shapes_are_centred_of_diagonal_one_and_in_the_ball(family: str) -> None:
    for index in range(12):
        low, high = shapes.mesh(family, index).bounds
        assert np.allclose(low + high, 0, atol=1e-12)
        assert np.isclose(np.linalg.norm(high - low), 1)
        points, normals = shapes.cloud(family, index, 512)
        assert (np.linalg.norm(points, axis=1) <= 0.5).all()
        assert np.allclose(np.linalg.norm(normals, axis=1), 1)


@pytest.mark.parametrize("family", shapes.FAMILIES)
def test_points_lie_on_the_mesh_and_inside_no_other_part(family: str) -> None:
    mesh = shapes.mesh(family, 3)
    points, normals = shapes.cloud(family, 3, 400)
    corners = mesh.vertices[mesh.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    keep = np.linalg.norm(normal, axis=1) > 1e-12
    corners, normal = corners[keep], normal[keep] / np.linalg.norm(normal[keep], axis=1, keepdims=True)
    for point, arrow in zip(points, normals, strict=True):
        height = ((point - corners[:, 0]) * normal).sum(1)
        foot = point - height[:, None] * normal
        sides = [np.cross(corners[:, (i + 1) % 3] - corners[:, i], foot - corners[:, i]) for i in range(3)]
        within = np.all([(side * normal).sum(1) > -1e-9 for side in sides], axis=0)
        on = within & (np.abs(height) < 1e-9)
        assert (on & (normal @ arrow > 0.999)).any()
    # A hair outside of where a point lies, no part covers it, but for the few within a hair of where parts meet.
    parts = shapes.shape(family, 3).parts()
    vertices = np.concatenate([part.vertices for part in parts])
    low, high = vertices.min(0), vertices.max(0)
    out = (points + 1e-4 * normals) * np.linalg.norm(high - low) + (low + high) / 2
    covered = np.any([inside_by_winding(part.vertices, part.faces, out) for part in parts], axis=0)
    assert covered.mean() < 0.01


def test_a_shape_is_the_same_whatever_the_number_and_company() -> None:
    few, many = load("shapes:mug=3", surface_points=64), load("shapes:chair=2,mug=5", surface_points=64)
    assert torch.equal(few.points, many.points[2:5])
    assert few.names == many.names[2:5] == ("mug/0", "mug/1", "mug/2")
    assert many.classes == ("chair", "mug") and many.labels is not None and many.labels.tolist() == [0, 0] + [1] * 5


def test_index_family_and_seed_each_make_another_shape() -> None:
    first = shapes.shape("chair", 0)
    assert first == shapes.shape("chair", 0)
    assert first != shapes.shape("chair", 1) and first != shapes.shape("chair", 0, seed=1)
    assert len({shapes.shape("lamp", index) for index in range(50)}) == 50


def test_making_shapes_leaves_the_global_stream_alone() -> None:
    before = torch.get_rng_state()
    shapes.cloud("car", 0, 64)
    assert torch.equal(before, torch.get_rng_state())


def test_splits_are_seventeen_one_and_two_of_twenty() -> None:
    splits = [shapes.split(index) for index in range(1000)]
    assert {name: splits.count(name) for name in set(splits)} == {"train": 850, "val": 50, "test": 100}
    assert {shapes.split(index) for index in range(3)} == {"train", "val", "test"}
    assert load("shapes:mug=40@test", surface_points=8).names == ("mug/2", "mug/12", "mug/22", "mug/32")


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("shapes:chiar", "did you mean 'chair'"),
        ("shapes:chair=0", "FAMILY=COUNT with COUNT >= 1"),
        ("shapes:chair=many", "FAMILY=COUNT with COUNT >= 1"),
        ("shapes:chair,chair=3", "twice"),
    ],
)
def test_what_is_no_family_is_told(spec: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        load(spec)


def test_built_in_shapes_are_y_up_already() -> None:
    turned = load("shapes:mug=3", surface_points=16, up="z")
    assert turned.notes == ("shapes:mug=3: says that its up axis is y, so up z (--up z) is ignored",)
    assert torch.equal(turned.points, load("shapes:mug=3", surface_points=16).points)


def test_families_can_be_told_apart() -> None:
    # Each family's clouds are nearer to their own family's mean occupancy than to any other's, most of the time.
    count, cells = 40, 6
    grids = {}
    for family in shapes.FAMILIES:
        points = load(f"shapes:{family}={count}", surface_points=512).points
        place = ((points + 0.5) * cells).long().clamp(0, cells - 1)
        cell = (place * torch.tensor([cells * cells, cells, 1])).sum(-1)
        grids[family] = torch.zeros(count, cells**3).scatter_add_(1, cell, torch.ones_like(cell, dtype=torch.float32))
    means = torch.stack([grid[: count // 2].mean(0) for grid in grids.values()])
    held = torch.cat([grid[count // 2 :] for grid in grids.values()])
    truth = torch.arange(len(grids)).repeat_interleave(count // 2)
    assert (torch.cdist(held, means).argmin(1) == truth).float().mean() > 0.85
