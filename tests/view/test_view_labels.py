"""Names beside points: none covers another or a point."""

import numpy as np
import pytest

from pcgen.view.labels import place

BOX = (0.0, 0.0, 1000.0, 800.0)
RADIUS = 8.0


def crosses(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two boxes, left, bottom, right, top, share more than an edge."""
    return bool((np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]) > 1e-6).all())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("spread", [60.0, 300.0])
def test_labels_are_clear_of_each_other_and_of_points(seed: int, spread: float) -> None:
    generator = np.random.default_rng(seed)
    anchors = np.array([500.0, 400.0]) + generator.uniform(-spread, spread, (14, 2))
    sizes = np.stack([generator.uniform(30, 90, 14), np.full(14, 14.0)], axis=1)
    corners = place(anchors, sizes, BOX, RADIUS)
    boxes = np.concatenate([corners, corners + sizes], axis=1)
    dots = np.concatenate([anchors - RADIUS, anchors + RADIUS], axis=1)
    for i in range(14):
        assert not any(crosses(boxes[i], boxes[j]) for j in range(i))
        assert not any(crosses(boxes[i], dot) for dot in dots)
        assert boxes[i, 0] >= 0 and boxes[i, 1] >= 0 and boxes[i, 2] <= 1000 and boxes[i, 3] <= 800


def test_a_lone_label_stands_right_of_its_point_at_its_height() -> None:
    corner = place(np.array([[100.0, 100.0]]), np.array([[40.0, 10.0]]), BOX, RADIUS)[0]
    assert corner[1] == pytest.approx(95)
    assert RADIUS <= corner[0] - 100 <= 1.2 * RADIUS


def test_at_the_right_edge_it_stands_left() -> None:
    corner = place(np.array([[990.0, 100.0]]), np.array([[40.0, 10.0]]), BOX, RADIUS)[0]
    assert corner[1] == pytest.approx(95)
    assert RADIUS <= 990 - (corner[0] + 40) <= 1.2 * RADIUS


def test_points_on_one_place_still_get_labels_apart() -> None:
    corners = place(np.full((4, 2), 300.0), np.full((4, 2), (50.0, 12.0)), BOX, RADIUS)
    boxes = np.concatenate([corners, corners + np.array([50, 12])], axis=1)
    assert not any(crosses(boxes[i], boxes[j]) for i in range(4) for j in range(i))
