"""Windows: what they would hold, what they show where one can be had, and what is said where none can."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pcgen.view import show
from pcgen.view.camera import Camera, frame
from pcgen.view.window import arrange


def test_clouds_stand_in_a_grid_without_touching() -> None:
    clouds = torch.randn(6, 40, 3)
    scene = arrange(torch.cat([clouds, clouds.flip(0)]), columns=6)  # rows of the same shapes, so of one height
    rows = scene.height / 2
    assert scene.width == 2400 and scene.captions == ()
    for i, cloud in enumerate(scene.points.reshape(12, 40, 3)):
        left, top = -1200 + i % 6 * 400, scene.height / 2 - i // 6 * rows
        assert (cloud[:, 0] > left).all() and (cloud[:, 0] < left + 400).all()
        assert (cloud[:, 1] < top).all() and (cloud[:, 1] > top - rows).all()


def test_a_cloud_keeps_its_shape() -> None:
    cloud = torch.randn(40, 3)
    scene = arrange(torch.stack([cloud, torch.randn(40, 3)]), camera=Camera(20, 10))
    seen = frame([cloud.double().numpy()], Camera(20, 10), 400).clouds[0]
    ours = np.linalg.norm(scene.points[:40, None] - scene.points[None, :40], axis=2)
    theirs = np.linalg.norm(seen[:, None] - seen[None], axis=2)
    ratio = ours[~np.eye(40, dtype=bool)] / theirs[~np.eye(40, dtype=bool)]
    np.testing.assert_allclose(ratio, ratio[0])


def test_captions_stand_below_their_clouds() -> None:
    scene = arrange(torch.randn(2, 40, 3), captions=["one", "two"], columns=2)
    for i, (image, corners) in enumerate(scene.captions):
        assert image.shape[2] == 3 and image.min() < 100 and image[0].min() == 255
        cloud = scene.points[i * 40 : (i + 1) * 40]
        assert corners[:, 1].max() <= cloud[:, 1].min()
        assert corners[:, 0].min() < cloud[:, 0].min() and corners[:, 0].max() > cloud[:, 0].max()
        assert (corners[0] == (corners[3][0], corners[1][1], 0)).all()  # from the top left, clockwise


def test_no_display_is_told_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(OSError, match=r"show: there is no display .* --png out\.png"):
        show(torch.randn(2, 10, 3))


def test_missing_open3d_is_told_with_the_line_that_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setitem(sys.modules, "open3d", None)
    with pytest.raises(OSError, match=r"show: Open3D cannot be imported .*; pip install open3d.*, or draw"):
        show(torch.randn(2, 10, 3))


def test_clouds_are_refused_before_a_window_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setitem(sys.modules, "open3d", None)
    with pytest.raises(ValueError, match="clouds: each must be"):
        show(torch.randn(2, 10, 4))


@pytest.mark.parametrize("points", [100, 120_000])  # balls, plain points
def test_a_window_shows_every_cloud_and_caption(tmp_path: Path, open3d_draws: None, points: int) -> None:
    # In a process of its own, as Open3D may abort; the window is hidden, all else is what `show` does.
    program = f"""
import numpy as np, open3d, torch
from pcgen.view.window import arrange, populate
torch.manual_seed(0)
balls = torch.nn.functional.normalize(torch.randn(2, {points}, 3), dim=2)
scene = arrange(balls, captions=["one", "two"], columns=2)
window = open3d.visualization.Visualizer()
assert window.create_window("test", round(scene.width), round(scene.height), visible=False)
populate(window, scene)
window.poll_events()
window.update_renderer()
window.capture_screen_image({str(tmp_path / "window.png")!r}, True)
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "window.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    saturation = pixels.max(axis=2) - pixels.min(axis=2)
    height, width = saturation.shape
    for half in (slice(0, width // 2), slice(width // 2, width)):
        cloud, text = saturation[:, half], pixels[height - 44 :, half]  # the unit of a scene is a pixel
        assert (cloud > 40).mean() > 0.05
        rows, columns = np.nonzero(cloud > 40)
        # In the middle of its cell, and as large as the cell allows.
        assert abs(columns.mean() - width / 4) < width / 40 and abs(rows.mean() - (height - 44) / 2) < height / 12
        assert np.ptp(columns) > 0.75 * width / 2
        assert (text.max(axis=2) < 100).any()
    assert (saturation[:, [0, -1]] < 20).all() and (saturation[[0, -1]] < 20).all()
