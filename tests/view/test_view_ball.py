"""The ball of triangles against the geometry of the sphere."""

import numpy as np
import pytest

from pcgen.view.ball import balls, icosphere


@pytest.mark.parametrize("level", [0, 1, 2])
def test_icosphere_is_a_closed_outward_sphere(level: int) -> None:
    vertices, triangles = icosphere(level)
    assert vertices.shape == (10 * 4**level + 2, 3) and triangles.shape == (20 * 4**level, 3)
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 1)
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    assert len(np.unique(edges, axis=0)) == len(edges)  # each directed edge once,
    assert len(np.unique(np.sort(edges, axis=1), axis=0)) == len(edges) // 2  # and once the other way: closed
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    volume = (np.cross(a, b) * c).sum() / 6
    assert volume > 0  # outward
    assert volume == pytest.approx(4 / 3 * np.pi, rel=0.55 / 4**level)


def test_balls_are_copies_at_the_points_with_their_colours() -> None:
    points, colors = np.array([[0.0, 0, 0], [5, 1, 2]]), np.array([[1.0, 0, 0], [0, 0, 1]])
    vertices, shades, triangles = balls(points, colors, 0.5, 1)
    assert vertices.shape == shades.shape == (84, 3) and triangles.shape == (160, 3)
    np.testing.assert_allclose(np.linalg.norm(vertices[42:] - points[1], axis=1), 0.5)
    assert set(triangles[80:].ravel()) == set(range(42, 84))
    assert (shades[:42, 0] > shades[:42, 2]).all() and (shades[42:, 2] > shades[42:, 0]).all()
