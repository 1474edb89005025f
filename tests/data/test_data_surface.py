import numpy as np
import pytest
import torch

from pcgen.data.surface import Mesh, Surface, cross, triangulate


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_polygons_become_fans() -> None:
    sides = np.array([4, 3, 5])
    corners = np.array([0, 1, 2, 3, 7, 8, 9, 10, 11, 12, 13, 14])
    expected = [[0, 1, 2], [0, 2, 3], [7, 8, 9], [10, 11, 12], [10, 12, 13], [10, 13, 14]]
    assert triangulate(sides, corners).tolist() == expected
    assert triangulate(sides[:0], corners[:0]).shape == (0, 3)


def test_a_face_of_two_corners_is_told() -> None:
    with pytest.raises(ValueError, match="face 1 has 2 corners"):
        triangulate(np.array([3, 2]), np.arange(5))


def test_cross_is_numpys() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 50, 3))
    assert np.allclose(cross(a, b), np.cross(a, b), rtol=0, atol=1e-15)


def test_points_fall_on_triangles_by_area_and_within_them_evenly() -> None:
    # A right triangle of area 1/2, one of area 2 elsewhere, and one of none between them.
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 5], [2, 0, 5], [0, 2, 5.0]])
    surface = Surface(Mesh(vertices, np.array([[0, 1, 2], [0, 0, 1], [3, 4, 5]])))
    count = 40_000
    points, normals, face = surface.sample(count, stream())
    assert set(face.tolist()) == {0, 2}
    share = (face == 0).mean()
    assert abs(share - 0.2) < 4 * np.sqrt(0.2 * 0.8 / count)
    assert np.allclose(normals, [0, 0, 1])
    on_large = points[face == 2]
    assert np.allclose(on_large[:, 2], 5) and (on_large[:, :2] >= 0).all() and (on_large[:, :2].sum(1) <= 2).all()
    # Uniform over the triangle: its four congruent quarters get a quarter each.
    quarter = np.where(on_large[:, 0] > 1, 0, np.where(on_large[:, 1] > 1, 1, 2 + (on_large[:, :2].sum(1) > 1)))
    counts = np.bincount(quarter, minlength=4)
    expected = len(on_large) / 4
    assert ((counts - expected) ** 2 / expected).sum() < 16.3  # chi square with 3 degrees, p = 0.001


def test_sampling_follows_its_generator_and_leaves_the_global_one_alone() -> None:
    surface = Surface(Mesh(np.eye(3), np.array([[0, 1, 2]])))
    before = torch.get_rng_state()
    first, again, other = (surface.sample(9, stream(seed))[0] for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("vertices", "faces", "told"),
    [
        (np.eye(3), np.zeros((0, 3), dtype=int), "has no faces"),
        (np.eye(3), np.array([[0, 1, 2], [0, 1, 3]]), r"face 1 names vertices \[0, 1, 3\], but there are 3"),
        (np.eye(3), np.array([[0, 1, -1]]), "face 0 names vertices"),
        (np.ones((3, 3)), np.array([[0, 1, 2]]), "has no area: all 1 faces"),
        (np.full((3, 3), np.nan), np.array([[0, 1, 2]]), "NaN or infinite"),
    ],
)
def test_a_mesh_that_cannot_be_sampled_is_told(vertices: np.ndarray, faces: np.ndarray, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Surface(Mesh(vertices.astype(np.float64), faces))
