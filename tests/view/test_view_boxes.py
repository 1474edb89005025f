"""Boxes of scenes in pictures and windows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pcgen.data import Clouds, load
from pcgen.view import picture
from pcgen.view.boxes import COLOR, edges
from pcgen.view.camera import Camera, frame
from pcgen.view.inputs import drawables
from pcgen.view.scene import Scene, arrange
from pcgen.view.sheet import captions_of

BOX = [0.1, 0.2, 0.3, 1.0, 0.5, 0.25]


def red(path: object) -> np.ndarray:
    """Where a picture has the colour of boxes."""
    with Image.open(path) as image:  # type: ignore[arg-type]
        pixels = np.asarray(image.convert("RGB")).astype(int)
    found: np.ndarray = np.abs(pixels - np.rint(255 * COLOR)).max(2) <= 2
    return found


def test_a_box_has_twelve_edges_of_its_three_lengths() -> None:
    lines = edges(np.array([BOX])).reshape(-1, 2, 3)
    assert sorted(np.linalg.norm(lines[:, 1] - lines[:, 0], axis=1)) == pytest.approx(
        [0.25] * 4 + [0.5] * 4 + [1.0] * 4
    )
    assert lines.reshape(-1, 3).min(0) == pytest.approx([-0.4, -0.05, 0.175])
    assert lines.reshape(-1, 3).max(0) == pytest.approx([0.6, 0.45, 0.425])
    assert edges(None).shape == (0, 3)


def test_absent_boxes_are_not_drawn_and_the_caption_counts_the_others() -> None:
    boxes = torch.tensor([[BOX, [float("nan")] * 6], [[float("nan")] * 6] * 2])
    items = drawables(Clouds(torch.rand(2, 9, 3), boxes=boxes, names=("a", "b")))
    assert [len(item.boxes) for item in items if item.boxes is not None] == [1, 0]
    assert captions_of(items, None, "height") == ["a: 1", "b: 0"]
    assert captions_of(drawables(Clouds(torch.rand(1, 9, 3), names=("a",))), None, "height") == ["a"]


@pytest.mark.parametrize("engine", ["matplotlib", "open3d"])
def test_the_corners_of_boxes_are_where_the_camera_sees_them(
    tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    if engine == "open3d":
        request.getfixturevalue("open3d_draws")
    points = np.random.default_rng(0).uniform(-1, 1, (200, 3))
    clouds = Clouds(torch.from_numpy(points).float()[None], boxes=torch.tensor([[BOX]]))
    picture(clouds, tmp_path / "box.png", size=300, point_size=2, captions=(), engine=engine)
    drawn = red(tmp_path / "box.png")
    framed = frame([points], Camera(), 300, marks=[edges(np.array([BOX]))])
    for x, y in framed.project(framed.marks[0]):
        column, row = round(150 + x), round(framed.height / 2 - y)
        assert drawn[row - 2 : row + 3, column - 2 : column + 3].any()
    picture(replace(clouds, boxes=None), tmp_path / "none.png", size=300, point_size=2, captions=(), engine=engine)
    assert not red(tmp_path / "none.png").any()


def test_a_window_holds_the_boxes_where_their_scenes_are(tmp_path: Path) -> None:
    clouds = load("shapes:scene=4", points=256)
    scene = arrange(clouds)
    assert clouds.counts is not None and len(scene.edges) == 24 * int(clouds.counts.sum())
    scene.save(tmp_path / "scene.npz")
    assert np.array_equal(Scene.load(tmp_path / "scene.npz").edges, scene.edges)
    # The corners of the first scene's boxes lie among its own points, in the cell where these are.
    ends = scene.edges[: 24 * int(clouds.counts[0])]
    own = scene.points[:256]
    assert (ends >= own.min(0) - 5).all() and (ends <= own.max(0) + 5).all()
