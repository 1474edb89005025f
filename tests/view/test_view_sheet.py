"""Pictures, read back from their PNG."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pcgen.view import engines, picture
from pcgen.view.camera import Camera, frame
from pcgen.view.colors import by_label


def read(path: Any) -> Any:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def saturation(pixels: Any) -> Any:
    """Zero for white, grey shadow and dark text; large where a coloured point is."""
    return pixels.max(axis=2) - pixels.min(axis=2)


def script(path: Path, line: str) -> Path:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(params=["matplotlib", "open3d"])
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "open3d":
        request.getfixturevalue("open3d_draws")
    return str(request.param)


def test_picture_has_every_cloud_in_its_cell(tmp_path: Path, engine: str) -> None:
    clouds = torch.randn(5, 300, 3)
    clouds[3:, :, 1] *= 0.1  # the second row is flat
    made = picture(clouds, tmp_path / "sheet.png", columns=3, size=150, engine=engine)
    assert (made.engine, made.note) == (engine, "")
    pixels = read(made)
    heights = frame([cloud.double().numpy() for cloud in clouds], Camera(), 150).heights
    first = max(heights[:3])
    assert max(heights[3:]) < 0.8 * first
    assert pixels.shape == (first + max(heights[3:]), 450, 3)
    cells = [row[:, c * 150 : (c + 1) * 150] for row in (pixels[:first], pixels[first:]) for c in range(3)]
    for cell in cells[:5]:
        assert (saturation(cell) > 40).mean() > 0.05
        border = np.concatenate([cell[:, :3].reshape(-1, 3), cell[:, -3:].reshape(-1, 3), cell[:3].reshape(-1, 3)])
        assert (border.max(axis=1) - border.min(axis=1)).max() < 20
    assert (cells[5] == 255).all()


def test_points_are_where_the_camera_says_in_their_colour(tmp_path: Path, engine: str) -> None:
    corners = np.array([[x, y, z] for x in (-1.0, 1) for y in (-1.0, 1) for z in (-1.0, 1)])
    made = picture(corners, tmp_path / "cube.png", size=300, point_size=12, engine=engine)
    pixels = read(made)
    framed = frame([corners], Camera(), 300)
    places = framed.project(framed.clouds[0])
    assert pixels.shape[:2] == (framed.height, 300)
    expected = np.zeros(pixels.shape[:2], dtype=bool)
    for (x, y), height in zip(places, corners[:, 1], strict=True):
        column, row = round(150 + x - 0.5), round(framed.height / 2 - y - 0.5)
        _, green, blue = pixels[row, column]
        assert saturation(pixels)[row, column] > 40
        assert (green > blue + 40) == (height > 0)  # yellow above, violet below
        rows, columns = np.ogrid[: framed.height, :300]
        expected |= (rows - row) ** 2 + (columns - column) ** 2 <= 9**2
    assert (saturation(pixels)[~expected] < 20).all()  # and nowhere else


def test_engines_agree(tmp_path: Path, open3d_draws: None) -> None:
    cloud = torch.randn(400, 3)
    one, other = (read(picture(cloud, tmp_path / f"{e}.png", size=240, engine=e)) for e in ("open3d", "matplotlib"))
    ours, theirs = saturation(one) > 40, saturation(other) > 40
    assert (ours & theirs).sum() / (ours | theirs).sum() > 0.9
    assert np.abs(one[ours & theirs] - other[ours & theirs]).mean() < 30


def test_a_cell_has_the_pixels_asked_for(tmp_path: Path) -> None:
    cloud = torch.randn(20, 3)
    for size in (33, 57, 113, 229):  # widths that inches times dots per inch would round down
        assert read(picture(cloud, tmp_path / f"{size}.png", size=size, engine="matplotlib")).shape[1] == size


def test_the_nearer_point_hides_the_farther(tmp_path: Path, engine: str) -> None:
    towards = Camera().axes()[2]
    cloud = np.stack([-towards, towards, np.array([1.0, 0, 0]), np.array([-1.0, 0, 0])])
    for order in ([0, 1, 2, 3], [1, 0, 2, 3]):
        made = picture(cloud[order], tmp_path / f"{order[0]}.png", size=200, point_size=20, engine=engine)
        pixels = read(made)
        framed = frame([cloud], Camera(), 200)
        x, y = framed.project(framed.clouds[0])[1]
        _, green, blue = pixels[round(framed.height / 2 - y - 0.5), round(100 + x - 0.5)]
        assert green > blue + 40  # the near one is the higher one: yellow


def test_a_cloud_of_very_many_points(tmp_path: Path, engine: str) -> None:
    ball = torch.nn.functional.normalize(torch.randn(210_000, 3), dim=1)
    pixels = read(picture(ball, tmp_path / "ball.png", size=96, engine=engine))
    across = np.nonzero((saturation(pixels) > 40).any(axis=0))[0]
    assert np.ptp(across) > 0.7 * 96
    middle = pixels[pixels.shape[0] // 2 - 8 : pixels.shape[0] // 2 + 8, 40:56]
    assert (saturation(middle) > 40).mean() > 0.99  # a closed surface


def test_labels_give_colours_and_class_names(tmp_path: Path) -> None:
    class Set:
        points, labels = torch.rand(2, 500, 3), torch.tensor([1, 0])
        classes, names = ("chair", "mug"), ("chair/1", "mug/2")

    captioned = read(picture(Set(), tmp_path / "label.png", colors="label", size=128, engine="matplotlib"))
    bare = read(picture(Set(), tmp_path / "bare.png", colors="label", size=128, engine="matplotlib", captions=()))
    assert captioned.shape[0] > bare.shape[0]
    np.testing.assert_array_equal(captioned[: bare.shape[0]], bare)
    assert (captioned[bare.shape[0] :] < 128).any()
    for cell, label in ((bare[:, :128], 1), (bare[:, 128:], 0)):
        ink = cell[saturation(cell) > 40]
        direction = (255 - ink).mean(axis=0)
        expected = 1 - by_label(label)
        assert direction @ expected / np.linalg.norm(direction) / np.linalg.norm(expected) > 0.97


def test_rows_have_titles_in_a_gutter(tmp_path: Path) -> None:
    clouds = torch.rand(4, 100, 3)
    plain = read(picture(clouds, tmp_path / "plain.png", columns=2, size=100, engine="matplotlib"))
    titled = read(
        picture(clouds, tmp_path / "rows.png", columns=2, size=100, rows=["data", "gan"], engine="matplotlib")
    )
    gutter = titled.shape[1] - plain.shape[1]
    np.testing.assert_array_equal(titled[:, gutter:], plain)
    half = titled.shape[0] // 2
    assert (titled[:half, :gutter] < 128).any() and (titled[half:, :gutter] < 128).any()


def test_groups_of_clouds_of_different_sizes_begin_rows(tmp_path: Path) -> None:
    clouds = [torch.randn(points, 3) for points in (380, 866, 50)]
    given: dict[str, Any] = {"size": 100, "engine": "matplotlib", "groups": [1, 2]}
    plain = read(picture(clouds, tmp_path / "plain.png", **given))
    titled = read(picture(clouds, tmp_path / "titled.png", rows=["one file", "another"], **given))
    gutter = titled.shape[1] - plain.shape[1]
    np.testing.assert_array_equal(titled[:, gutter:], plain)
    heights = frame([cloud.double().numpy() for cloud in clouds], Camera(), 100).heights
    assert plain.shape[:2] == (heights[0] + max(heights[1:]), 200)
    for top, bottom in ((0, heights[0]), (heights[0], len(titled))):
        rows = np.nonzero((titled[top:bottom, :gutter] < 128).any(axis=(1, 2)))[0]
        assert abs(rows.mean() - (bottom - top) / 2) < 5
    assert (plain[: heights[0], 100:] == 255).all()  # the first group has one cloud
    with pytest.raises(ValueError, match="rows: must be one title for each of the 2 groups, got 1"):
        picture(clouds, tmp_path / "no.png", rows=["a"], columns=1, **given)


def test_a_long_title_is_shortened(tmp_path: Path) -> None:
    made = picture(torch.rand(1, 50, 3), tmp_path / "a.png", rows=["title " * 100], size=100, engine="matplotlib")
    assert read(made).shape[1] < 100 + 160 + 40


def test_falling_back_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(script(tmp_path / "python", "echo 'ImportError: libusb' >&2; exit 1")))
    cloud = torch.randn(50, 3)
    with pytest.warns(
        UserWarning, match="drawn by matplotlib: Open3D failed: ImportError: libusb; .*apt-get install libusb"
    ):
        made = picture(cloud, tmp_path / "fallback.png", size=64)
    assert made.engine == "matplotlib" and "apt-get install libusb-1.0-0" in made.note
    assert str(made) == f"{made.path} (drawn by matplotlib)"  # the reason has been told once
    with Image.open(made.path) as image:
        assert image.info["Software"] == "pcgen, matplotlib"
    with pytest.raises(ValueError, match="engine: 'open3d' cannot draw here: Open3D failed"):
        picture(cloud, tmp_path / "no.png", engine="open3d")
    assert not (tmp_path / "no.png").exists()


def test_an_abort_of_open3d_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(script(tmp_path / "python", "kill -ABRT $$")))
    with pytest.raises(engines.NotDrawn, match="Open3D died of signal 6"):
        engines.by_open3d(frame([np.eye(3)], Camera(), 64), [np.eye(3)], 0.1)


def test_a_picture_that_exists_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "sheet.png"
    cloud = torch.randn(20, 3)
    picture(cloud, path, size=64, engine="matplotlib")
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match=r"sheet\.png: exists already"):
        picture(torch.randn(20, 3), path, size=64, engine="matplotlib")
    assert path.read_bytes() == before
    picture(torch.randn(20, 3), path, size=64, engine="matplotlib", overwrite=True)
    assert path.read_bytes() != before
    assert [entry.name for entry in path.parent.iterdir()] == ["sheet.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "a.jpg"}, r"path: must end in \.png, got 'a\.jpg'"),
        ({"engine": "open3D"}, "engine: must be one of auto, open3d, matplotlib; got 'open3D'; did you mean 'open3d'"),
        ({"scale": "same"}, "scale: must be one of shared, each"),
        ({"captions": ["a", "b"]}, "captions: must be one for each of the 3 clouds, got 2"),
        ({"captions": "abc"}, "captions: must be one for each of the 3 clouds, got 'abc'"),
        ({"columns": 0}, "columns: must be at least 1, got 0"),
        ({"rows": ["a", "b"], "columns": 3}, "rows: must be one title for each of the 1 rows of the grid, got 2"),
        ({"size": 8}, "size: must be 32 to 4096 pixels, got 8"),
        ({"point_size": 0}, "point_size: must be a diameter in pixels, above 0 and below 640, got 0"),
    ],
)
def test_refused(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    given = {"engine": "matplotlib", **arguments}
    with pytest.raises(ValueError, match=message):
        picture(torch.randn(3, 20, 3), given.pop("path", tmp_path / "sheet.png"), **given)
    assert not list(tmp_path.iterdir())


def test_real_shapes(tmp_path: Path, shapes_dir: Path) -> None:
    with np.load(shapes_dir / "ldraw_parts.npz") as parts:
        points = parts["points"][::400].astype(np.float32)
    made = picture(points, tmp_path / "parts.png", size=160)
    pixels = read(made)
    assert (saturation(pixels) > 40).mean() > 0.08
