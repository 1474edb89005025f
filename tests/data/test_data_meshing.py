"""Meshes of clouds whose surface is known, and their files."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pcgen.data import Clouds, load, mesh, meshing, save_meshes
from pcgen.data.surface import Mesh

FAR = np.array([5000.0, -30.0, 7.0])  # the place and the unit of a cloud must not matter


needs_open3d = pytest.mark.usefixtures("open3d_imports")


def sphere(count: int, radius: float = 3.0) -> NDArray[np.float64]:
    points = np.random.default_rng(0).normal(size=(count, 3))
    return FAR + radius * points / np.linalg.norm(points, axis=1, keepdims=True)


def area(made: Mesh) -> float:
    a, b, c = np.moveaxis(made.vertices[made.faces], 1, 0)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def volume(made: Mesh) -> float:
    """Within a closed mesh whose triangles are seen from outside counted against the clock."""
    a, b, c = np.moveaxis(made.vertices[made.faces] - made.vertices.mean(0), 1, 0)
    return float((a * np.cross(b, c)).sum() / 6)


def border(made: Mesh) -> int:
    """Edges of one triangle alone."""
    edges = np.sort(np.concatenate([made.faces[:, [0, 1]], made.faces[:, [1, 2]], made.faces[:, [2, 0]]]), axis=1)
    return sum(count == 1 for count in Counter(map(tuple, edges.tolist())).values())


@needs_open3d
def test_poissons_sphere_is_closed_and_has_its_area_and_volume() -> None:
    made = mesh(torch.from_numpy(sphere(2000)))
    assert border(made) == 0
    assert area(made) == pytest.approx(4 * np.pi * 9, rel=0.03)
    assert volume(made) == pytest.approx(4 / 3 * np.pi * 27, rel=0.03)  # positive: seen from outside
    assert np.abs(np.linalg.norm(made.vertices - FAR, axis=1) - 3).max() < 0.2


@needs_open3d
def test_balls_roll_over_a_sphere_and_rest_on_its_own_points() -> None:
    cloud = sphere(2000)
    made = mesh(cloud, "ball_pivoting")
    assert area(made) == pytest.approx(4 * np.pi * 9, rel=0.03) and volume(made) > 0
    ours = {tuple(point) for point in np.round(made.vertices[np.unique(made.faces)], 6).tolist()}
    assert ours <= {tuple(point) for point in np.round(cloud, 6).tolist()}


@needs_open3d
def test_balls_leave_a_plane_a_plane() -> None:
    places = np.stack(np.meshgrid(np.arange(30), np.arange(20), indexing="ij"), axis=-1).reshape(-1, 2)
    jittered = places + np.random.default_rng(0).uniform(-0.2, 0.2, places.shape)
    plane = FAR + np.stack([jittered[:, 0], np.zeros(600), jittered[:, 1]], axis=1)
    made = mesh(plane, "ball_pivoting")
    assert area(made) == pytest.approx(29 * 19, rel=0.05)
    np.testing.assert_allclose(made.vertices[:, 1], FAR[1], atol=1e-9)


@needs_open3d
def test_what_poisson_makes_far_from_all_points_is_cut_off() -> None:
    cloud = sphere(4000)
    half = cloud[cloud[:, 1] > FAR[1]]  # a bowl upside down, which Poisson closes by itself
    made = mesh(half)
    assert border(made) > 20
    assert area(made) == pytest.approx(2 * np.pi * 9, rel=0.25)
    assert made.vertices[:, 1].min() > FAR[1] - 1.5


@needs_open3d
def test_two_parts_that_do_not_touch_both_look_outwards() -> None:
    made = mesh(np.concatenate([sphere(1500, 1.0), sphere(1500, 1.0) + np.array([3.0, 0.5, 0])]))
    assert volume(made) == pytest.approx(2 * 4 / 3 * np.pi, rel=0.06)


@needs_open3d
def test_the_same_cloud_gives_the_same_mesh_in_any_order_of_its_points() -> None:
    cloud = sphere(500)
    one, other = mesh(cloud), mesh(np.concatenate([cloud, cloud])[np.random.default_rng(1).permutation(1000)])
    assert np.array_equal(one.vertices, other.vertices) and np.array_equal(one.faces, other.faces)


@pytest.mark.parametrize(
    ("points", "options", "message"),
    [
        (np.zeros((100, 2)), {}, r"points: must be one cloud, \(N, 3\), got \(100, 2\)"),
        (
            np.random.default_rng(0).normal(size=(49, 3)),
            {},
            "points: must be 50 or more different ones .* got 49 among",
        ),
        (np.ones((500, 3)), {}, "points: must be 50 or more different ones to have a surface, got 1 among 500"),
        (np.arange(300.0).repeat(3).reshape(-1, 3), {}, "points: all lie on a line"),
        (sphere(100) * [1, 1, np.nan], {}, "points: must be finite, got NaN or infinity in 100 of 100"),
        (sphere(100), {"method": "poison"}, "method: must be one of poisson, ball_pivoting; .* did you mean 'poisson'"),
        (sphere(100), {"depth": 13}, "depth: must be 2 to 12, and for poisson only, got 13 for poisson"),
        (sphere(100), {"method": "ball_pivoting", "depth": 6}, "depth: .* got 6 for ball_pivoting; leave it out"),
    ],
)
def test_what_has_no_surface_is_refused(points: NDArray[np.float64], options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mesh(points, **options)


def test_without_open3d_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open3d", None)
    with pytest.raises(OSError, match=r"mesh: is made by Open3D, which cannot be imported here .*; pip install open3d"):
        mesh(sphere(100))


@pytest.mark.parametrize("ending", ["ply", "obj"])
def test_a_mesh_is_read_back_by_us_and_by_trimesh(tmp_path: Path, ending: str) -> None:
    import trimesh

    from pcgen.data.readers import READERS

    corners = np.array([[0.1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1 / 3]])
    made = Mesh(corners, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]))
    path = save_meshes(tmp_path / f"a.{ending}", [(Clouds(torch.zeros(1, 1, 3)), made)])
    ours, theirs = READERS[f".{ending}"](path, 2**20), trimesh.load(path, process=False)
    assert isinstance(ours, Mesh) and isinstance(theirs, trimesh.Trimesh)
    assert np.array_equal(ours.vertices, corners) and np.array_equal(ours.faces, made.faces)
    assert theirs.is_watertight and theirs.volume == pytest.approx(volume(made)) and volume(made) > 0
    assert load(str(path)).points.shape == (1, 2048, 3)  # a mesh is sampled


def test_meshes_stand_in_a_folder_as_their_clouds_would(tmp_path: Path) -> None:
    made = Mesh(np.eye(3), np.array([[0, 1, 2]]))
    clouds = Clouds(torch.zeros(2, 1, 3), labels=torch.tensor([0, 1]), classes=("mug", "car"), names=("a.ply", "b"))
    each = [(clouds.select([row]), made) for row in range(2)]
    target = save_meshes(f"{tmp_path}/out/", each, format="obj")
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*.obj")) == ["car/b.obj", "mug/a.obj"]
    with pytest.raises(ValueError, match=r"a\.obj: holds one mesh, got 2; name a folder, .*/a/"):
        save_meshes(tmp_path / "a.obj", each)
    with pytest.raises(ValueError, match=r"must end in \.ply or \.obj for one mesh, or in / for a folder of them"):
        save_meshes(tmp_path / "a.stl", each[:1])
    with pytest.raises(ValueError, match="format: must be one of ply, obj; got 'xyz'"):
        save_meshes(f"{tmp_path}/b/", each, format="xyz")


def test_an_error_of_meshing_is_not_told_as_one_of_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open3d", None)
    clouds = Clouds.of(torch.from_numpy(sphere(100))[None])
    with pytest.raises(OSError, match=r"^mesh: is made by Open3D, which cannot be imported here"):
        save_meshes(f"{tmp_path}/out/", ((clouds, mesh(each)) for each in clouds.points))
    assert list(tmp_path.iterdir()) == []


def test_depth_follows_the_number_of_points() -> None:
    assert [meshing._depth(count) for count in (50, 2_000, 100_000, 10_000_000)] == [5, 7, 10, 10]
