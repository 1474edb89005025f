import numpy as np
import pytest
import torch

from pcgen.data.polygons import polygon_mesh
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


TURNED = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]  # an orthogonal matrix


def placed(outline: np.ndarray) -> np.ndarray:
    """An outline (n, 2) in a tilted plane that does not contain the origin, (n, 3)."""
    return outline @ TURNED[:2] + 3 * TURNED[2]


def area_of(outline: np.ndarray) -> float:
    """The signed area of an outline (n, 2), by the shoelace formula."""
    x, y = outline.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def star(points: int) -> np.ndarray:
    angle = np.arange(2 * points) * np.pi / points
    return np.where(np.arange(2 * points) % 2, 1.0, 0.3)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


L_SHAPE = np.array([[2, 0], [2, 1], [1, 1], [1, 2], [0, 2], [0, 0.0]])
# A square with a square hole, whose outline is joined to that of the hole by a side that is there twice.
FRAME = np.array([[0, 0], [3, 0], [3, 3], [0, 3], [0, 0], [1, 1], [1, 2], [2, 2], [2, 1], [1, 1.0]])


@pytest.mark.parametrize("begin", range(10))
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(
    ("outline", "area"),
    [(L_SHAPE, 3.0), (FRAME, 8.0), (star(5), 5 * 0.3 * np.sin(np.pi / 5)), (star(30), 30 * 0.3 * np.sin(np.pi / 30))],
)
def test_polygons_that_are_not_convex_are_covered_once(
    outline: np.ndarray, area: float, begin: int, backwards: bool
) -> None:
    outline = np.roll(outline[::-1] if backwards else outline, begin, axis=0)
    assert area_of(outline) == pytest.approx(-area if backwards else area)
    mesh = polygon_mesh(placed(outline), np.array([len(outline)]), np.arange(len(outline)))
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
    up = np.linalg.det(TURNED) * TURNED[2] * (-1 if backwards else 1)
    assert np.linalg.norm(normals, axis=1).sum() == pytest.approx(area) and not mesh.notes
    assert np.allclose(normals.sum(0), area * up) and (normals @ up > -1e-12).all()
    points, arrows, _ = Surface(mesh).sample(2000, stream())
    x, y, height = (points @ TURNED.T).T
    assert np.allclose(height, 3) and np.allclose(arrows, up)
    if len(outline) == len(L_SHAPE):
        inside = (x <= 1) | (y <= 1)
    elif len(outline) == len(FRAME) and area == 8:
        inside = (np.abs(x - 1.5) >= 0.5) | (np.abs(y - 1.5) >= 0.5)
    else:  # within the star, the radius is at most that of the line from a tip to the notch beside it
        tips = len(outline) // 2
        angle = np.abs((np.arctan2(y, x) - np.pi / tips) % (2 * np.pi / tips))
        angle = np.minimum(angle, 2 * np.pi / tips - angle)
        notch = np.pi / tips
        inside = np.hypot(x, y) * (0.3 * np.sin(notch - angle) + np.sin(angle)) <= 0.3 * np.sin(notch) + 1e-9
    assert inside.all()


def test_convex_polygons_stay_fans_beside_one_that_is_not() -> None:
    square = np.array([[0, 0], [1, 0], [2, 0], [2, 2], [0, 2.0]])  # with a corner on a straight side
    vertices = np.concatenate([placed(square), placed(L_SHAPE) + 5, placed(square) * 1e5])
    mesh = polygon_mesh(vertices, np.array([5, 6, 5, 3]), np.array([*range(16), 0, 1, 3]))
    fans = triangulate(np.array([5, 6, 5, 3]), np.array([*range(16), 0, 1, 3]))
    kept = [0, 1, 2, *range(7, 11)]
    assert np.array_equal(mesh.faces[kept], fans[kept]) and set(mesh.faces[3:7].flat) == set(range(5, 11))


@pytest.mark.parametrize("outline", [[[0, 0], [1, 1], [1, 0], [0, 1]], [[0, 0], [2, 2], [2, 0], [0, 1]]])
def test_a_polygon_that_crosses_itself_stays_a_fan_with_a_note(outline: list[list[float]]) -> None:
    vertices = np.concatenate([placed(np.array(outline)), placed(L_SHAPE)])
    mesh = polygon_mesh(vertices, np.array([6, 4]), np.array([*range(4, 10), *range(4)]))
    assert mesh.faces[4:].tolist() == [[0, 1, 2], [0, 2, 3]]
    assert len(mesh.notes) == 1 and mesh.notes[0].startswith("1 of 2 faces, such as face 1, cross themselves: ")


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
