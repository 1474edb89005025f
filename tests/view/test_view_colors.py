"""Colours by height, label and order, and the light."""

import numpy as np
import pytest

from pcgen.view import colors
from pcgen.view.inputs import Drawable


def test_height_runs_from_dark_to_light_and_ignores_the_other_axes() -> None:
    points = np.array([[9.0, 2, 0], [0, 4, 7], [5, 3, 1]])
    painted = colors.by_height(points)
    assert painted.sum(axis=1).argsort().tolist() == [0, 2, 1]
    np.testing.assert_array_equal(painted, colors.by_height(points * [0, 10, 0] - 3))


def test_flat_cloud_has_the_middle_colour() -> None:
    flat = colors.by_height(np.zeros((2, 3)))
    np.testing.assert_array_equal(flat[0], colors.by_height(np.array([[0, 0, 0], [0, 1, 0], [0, 0.5, 0.0]]))[2])


def test_order_is_height_of_a_ladder() -> None:
    ladder = np.stack([np.zeros(7), np.arange(7.0), np.zeros(7)], axis=1)
    np.testing.assert_allclose(colors.by_order(7), colors.by_height(ladder))


def test_labels_have_thirty_distinct_colours() -> None:
    palette = np.stack([colors.by_label(label) for label in range(30)])
    apart = np.linalg.norm(palette[:, None] - palette[None], axis=2) + np.eye(30)
    assert apart.min() > 0.05
    assert (palette >= 0).all() and (palette <= 1).all()
    np.testing.assert_allclose(colors.by_label(0), [0, 0x72 / 255, 0xB2 / 255])
    np.testing.assert_array_equal(colors.by_label(33), colors.by_label(3))


def test_paint_by_label_needs_labels() -> None:
    clouds = [Drawable(np.zeros((2, 3)), label=1), Drawable(np.zeros((2, 3)))]
    with pytest.raises(ValueError, match="colors: 'label' needs a label for each cloud, got none for cloud 1"):
        colors.paint(clouds, "label")
    assert colors.paint(clouds[:1], "label")[0].tolist() == [colors.by_label(1).tolist()] * 2


def test_paint_names_the_nearest_right_name() -> None:
    with pytest.raises(ValueError, match="colors: must be one of height, label, order; got 'hight'; did you mean"):
        colors.paint([Drawable(np.zeros((2, 3)))], "hight")


def test_fade_leaves_the_nearest_and_mixes_the_farthest() -> None:
    painted = np.array([[1.0, 0, 0], [1, 0, 0], [1, 0, 0]])
    faded = colors.fade(painted, np.array([1.0, -1.0, 0.0]), amount=0.4)
    np.testing.assert_allclose(faded, [[1, 0, 0], [1, 0.4, 0.4], [1, 0.2, 0.2]])
    np.testing.assert_array_equal(colors.fade(painted, np.ones(3)), painted)


def test_light_is_brightest_towards_the_lamp() -> None:
    light = colors.LIGHT / np.linalg.norm(colors.LIGHT)
    factor, gloss = colors.lit(np.stack([light, -light, np.array([0.0, 0, 1])]))
    assert factor[0] > factor[2] > factor[1] > 0.5
    assert gloss[1] == 0 and (gloss <= 0.3).all()
