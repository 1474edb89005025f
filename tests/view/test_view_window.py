"""Windows: what they would hold, what they show where one can be had, and what is said where none can."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pcgen.data import Clouds
from pcgen.view import display, show, window
from pcgen.view.camera import Camera, frame
from pcgen.view.scene import Scene, arrange, pages


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


def test_titles_stand_left_of_the_first_row_of_their_group() -> None:
    scene = arrange(torch.randn(5, 40, 3), rows=["one", "two"], groups=[3, 2], columns=2)
    assert (scene.width, len(scene.captions)) == (240 + 800, 2)
    for (_, corners), clouds in zip(scene.captions, ((0, 1), (3, 4)), strict=True):
        assert corners[:, 0].min() == -scene.width / 2 and corners[:, 0].max() == -scene.width / 2 + 240
        row = scene.points.reshape(5, 40, 3)[list(clouds)]
        assert row[..., 0].min() > corners[:, 0].max()
        assert row[..., 1].min() < corners[:, 1].mean() < row[..., 1].max()


def test_a_scene_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    scene = arrange(torch.randn(3, 40, 3), captions=["a", "", "c"])
    scene.save(tmp_path / "scene.npz")
    back = Scene.load(tmp_path / "scene.npz")
    assert (back.radius, back.width, back.height) == (scene.radius, scene.width, scene.height)
    np.testing.assert_array_equal(back.points, scene.points)
    assert list(back.colors) == list(scene.colors) == ["height", "order"]
    for name, colors in scene.colors.items():
        np.testing.assert_array_equal(back.colors[name], colors)
    for name in ("sizes", "middles", "up", "edges", "edge_sizes"):
        np.testing.assert_array_equal(getattr(back, name), getattr(scene, name))
    for ours, theirs in zip(scene.captions, back.captions, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


def test_every_cloud_turns_about_its_own_upright_axis() -> None:
    clouds, camera = torch.randn(3, 40, 3), Camera(30, 25)
    scene = arrange(clouds, camera=camera)
    points, _ = scene.turned(40)
    for k, middle in enumerate(scene.middles):
        before, after = (each.reshape(3, 40, 3)[k] - middle for each in (scene.points, points))
        np.testing.assert_allclose(after @ scene.up, before @ scene.up, atol=1e-9)  # nothing rises or sinks
        np.testing.assert_allclose(np.linalg.norm(after, axis=1), np.linalg.norm(before, axis=1))
    # As seen from a camera that goes round the other way.
    round_it = frame([clouds[0].double().numpy()], Camera(30 - 40, 25), 400).clouds[0]
    ours = points[:40] - points[:40].mean(0)
    theirs = (round_it - round_it.mean(0)) * np.linalg.norm(ours) / np.linalg.norm(round_it - round_it.mean(0))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    np.testing.assert_allclose(scene.turned(360)[0], scene.points, atol=1e-9)


def test_pages_hold_some_of_each_set_side_by_side() -> None:
    clouds = torch.randn(8, 20, 3)
    names = [f"cloud {k}" for k in range(8)]
    found = pages(clouds, names, rows=["a", "b"], groups=[5, 3], page=2)
    assert [scene.sizes.tolist() for scene in found] == [[20] * 4, [20] * 3, [20]]
    assert [len(scene.captions) for scene in found] == [4 + 2, 3 + 2, 1 + 1]  # with a title for each set that is there
    ordered = pages(clouds, page=3, colors="order")
    assert [len(scene.sizes) for scene in ordered] == [3, 3, 2]
    assert list(ordered[1].colors) == ["order", "height"]
    with pytest.raises(ValueError, match="page: must be at least 1, got 0"):
        pages(clouds, page=0)
    with pytest.raises(ValueError, match="rows: must be one title for each of the 2 groups, got 1"):
        pages(clouds, rows=["a"], groups=[5, 3])


@pytest.mark.parametrize("scale", ["shared", "each"])
def test_clouds_on_different_pages_have_one_scale_and_one_size_of_points(scale: str) -> None:
    shape = torch.randn(1, 50, 3)
    found = pages(torch.cat([shape, 3 * shape, shape]), page=1, scale=scale)
    spans = [float(np.ptp(scene.points, axis=0).max()) for scene in found]
    assert spans[0] == pytest.approx(spans[2]) and len({scene.radius for scene in found}) == 1
    assert spans[1] == pytest.approx((3 if scale == "shared" else 1) * spans[0])
    together = arrange(torch.cat([shape, 3 * shape, shape]), scale=scale)
    np.testing.assert_allclose(np.ptp(together.points[:50], axis=0), np.ptp(found[0].points, axis=0))


def test_pages_have_the_same_colourings_where_only_some_clouds_have_labels() -> None:
    labelled = Clouds(torch.randn(2, 9, 3), labels=torch.tensor([0, 1]), classes=("a", "b"))
    found = pages([labelled, torch.randn(9, 3)], page=2)
    assert [list(scene.colors) for scene in found] == [["height", "order"]] * 2
    assert [list(scene.colors) for scene in pages(labelled, page=1)] == [["height", "label", "order"]] * 2


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(window, "find_spec", lambda name: object())


@pytest.fixture
def silent() -> Iterator[str]:
    """A display that takes connections and never answers."""
    with socket.create_server(("localhost", 0)) as server:
        # An X display D of a machine listens on port 6000 + D.
        yield f"localhost:{server.getsockname()[1] - 6000}"


@pytest.mark.usefixtures("nowhere")
def test_no_display_is_told_with_a_way_out() -> None:
    with pytest.raises(OSError, match=r"show: there is no display .* --png out\.png"):
        show(torch.randn(2, 10, 3))


@pytest.mark.usefixtures("nowhere")
def test_a_display_that_leads_nowhere_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":4711")
    with pytest.raises(OSError, match=r"show: (the display :4711 cannot be opened|libX11).* --png out\.png"):
        show(torch.randn(2, 10, 3))
    monkeypatch.delenv("DISPLAY")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-4711")
    with pytest.raises(OSError, match="show: the Wayland display wayland-4711 does not answer"):
        show(torch.randn(2, 10, 3))


@pytest.mark.usefixtures("nowhere")
def test_a_display_that_never_answers_is_given_up(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", silent)
    begun = time.monotonic()
    assert display.obstacle(timeout=2.0) == f"the display {silent} does not answer within 2 s (DISPLAY)"
    assert time.monotonic() - begun < 10


@pytest.mark.usefixtures("nowhere")
def test_a_wayland_display_answers_by_its_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "w"))
        server.listen()
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
        monkeypatch.setenv("WAYLAND_DISPLAY", "w")
        assert display.obstacle() == ""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "echo 'falling back to EGL offscreen rendering'; sleep 600",
            "show: Open3D got no window on the display :0; or",
        ),
        (
            "echo 'ImportError: libusb' >&2; exit 1",
            r"opened no window: ImportError: libusb; apt-get install libusb.* --png",
        ),
        ("sleep 600", r"show: Open3D opened no window within 1 s; or draw"),
        ("echo 'pcgen: the window is open'; kill -SEGV $$", r"show: the window ended of signal 11"),
    ],
)
@pytest.mark.usefixtures("nowhere")
def test_a_window_that_does_not_open_is_told_in_time(
    line: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path / 'pid'}\n{line.replace('sleep', 'exec sleep')}\n")
    program.chmod(0o755)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(display, "obstacle", lambda: "")
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(window, "_OPENING", 1.0 if "within" in message else 60.0)
    with pytest.raises(OSError, match=message):
        show(torch.randn(2, 10, 3))
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)  # nothing is left over


@pytest.mark.usefixtures("nowhere")
def test_open3d_that_draws_where_nobody_sees_it_is_told(open3d_draws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a display Open3D itself opens what it calls a window, and would wait in it for ever."""
    monkeypatch.setattr(display, "obstacle", lambda: "")
    with pytest.raises(OSError, match=r"show: Open3D (got no window on the display|opened no window)"):
        show(torch.randn(2, 10, 3))


def test_ctrl_c_ends_the_window(tmp_path: Path) -> None:
    """In a process that is interrupted while its window, here one that never closes, is open."""
    stand_in = tmp_path / "python"
    stand_in.write_text(f"#!/bin/sh\necho $$ > {tmp_path / 'pid'}\necho 'pcgen: the window is open'\nexec sleep 600\n")
    stand_in.chmod(0o755)
    # A shell that runs the tests in the background has all that they start ignore the signal.
    program = f"""
import signal, sys, torch
from pcgen.data import Clouds
from pcgen.view import display, show, window
signal.signal(signal.SIGINT, signal.default_int_handler)
display.obstacle, window.find_spec, sys.executable = lambda: "", lambda name: object(), {str(stand_in)!r}
show(torch.randn(2, 10, 3))
"""
    root = Path(__file__).resolve().parents[2]
    shown = subprocess.Popen([sys.executable, "-c", program], cwd=root, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert shown.poll() is None, shown.communicate()[1]
        time.sleep(0.05)
    time.sleep(0.5)
    shown.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in shown.communicate(timeout=20)[1]
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_missing_open3d_is_told_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(window, "find_spec", lambda name: None)
    with pytest.raises(OSError, match=r"show: Open3D is not installed; pip install open3d.*, or draw"):
        show(torch.randn(2, 10, 3))


def test_clouds_are_refused_before_a_window_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(window, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="clouds: each must be"):
        show(torch.randn(2, 10, 4))


@pytest.mark.parametrize("points", [100, 120_000])  # balls, plain points
def test_a_window_shows_every_cloud_and_caption(tmp_path: Path, open3d_draws: None, points: int) -> None:
    # In a process of its own, as Open3D may abort; the window is hidden, all else is what `show` does.
    program = f"""
import numpy as np, open3d, torch
from pathlib import Path
from pcgen.view.onscreen import Window
from pcgen.view.scene import arrange
torch.manual_seed(0)
balls = torch.nn.functional.normalize(torch.randn(2, {points}, 3), dim=2)
scene = arrange(balls, captions=["one", "two"], columns=2)
window = open3d.visualization.Visualizer()
assert window.create_window("test", round(scene.width), round(scene.full_height), visible=False)
Window(window, [scene], Path("."))
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
        # The unit of a scene is a pixel; there is a line below the captions, and as much room above.
        cloud, text = saturation[:, half], pixels[height - 88 : height - 44, half]
        assert (cloud > 40).mean() > 0.05
        rows, columns = np.nonzero(cloud > 40)
        # In the middle of its cell, and as large as the cell allows.
        assert abs(columns.mean() - width / 4) < width / 40 and abs(rows.mean() - (height - 44) / 2) < height / 12
        assert np.ptp(columns) > 0.75 * width / 2
        assert (text.max(axis=2) < 100).any()
    assert (saturation[:, [0, -1]] < 20).all() and (saturation[[0, -1]] < 20).all()


def test_keys_change_what_is_seen(tmp_path: Path, open3d_draws: None) -> None:
    """In a hidden window: another page, colours, size, the list of keys, a turn, a picture, the first view."""
    program = f"""
import numpy as np, open3d, torch
from pathlib import Path
from pcgen.view.onscreen import Window
from pcgen.view.scene import pages
torch.manual_seed(0)
clouds = torch.rand(4, 300, 3) * torch.tensor([2.0, 1, 0.5])
scenes = pages(clouds, page=2)
hidden = open3d.visualization.VisualizerWithKeyCallback()
assert hidden.create_window("test", round(scenes[0].width), round(scenes[0].full_height), visible=False)
shown = Window(hidden, scenes, Path({str(tmp_path)!r}))
def seen():
    hidden.poll_events()
    hidden.update_renderer()
    return (255 * np.asarray(hidden.capture_screen_float_buffer(True))).round().astype(int)
def differ(one, other):
    return float((np.abs(one - other).max(axis=2) > 30).mean())
def inked(image):
    return float((image.max(axis=2) - image.min(axis=2) > 40).mean())
first = seen()
shown.pressed("next"); second = seen()
assert shown.viewing.page == 1 and differ(first, second) > 0.03
shown.pressed("previous"); assert differ(seen(), first) < 0.001
shown.pressed("colours"); assert differ(seen(), first) > 0.05
shown.pressed("colours"); shown.pressed("reset"); assert differ(seen(), first) < 0.001
shown.pressed("larger"); assert inked(seen()) > 1.05 * inked(first)
shown.pressed("smaller"); assert differ(seen(), first) < 0.001
shown.pressed("keys"); assert inked(seen()) < 0.8 * inked(first)
shown.pressed("keys"); assert differ(seen(), first) < 0.001
shown.pressed("turn"); shown.viewing.pass_time(2.0); shown.tick(hidden)
assert differ(seen(), first) > 0.03
shown.pressed("turn"); shown.pressed("reset"); assert differ(seen(), first) < 0.001
shown.pressed("save"); shown.pressed("save")
assert shown.viewing.said == "saved as pcgen-2.png"
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "pcgen-1.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert (pixels.max(axis=2) - pixels.min(axis=2) > 40).mean() > 0.02
