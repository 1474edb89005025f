"""Films, read back from their files: how many pictures, how long, and that what they show moves as it should."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from pcgen.view import animate, film
from pcgen.view.camera import Camera, fit, frame
from pcgen.view.colors import by_height
from pcgen.view.inputs import drawables
from pcgen.view.movies import Movie

L_SHAPE = torch.cat([torch.rand(300, 3) * torch.tensor([2.0, 0.2, 0.2]), torch.rand(300, 3) * 0.3])


def read(path: Any) -> tuple[Any, list[int]]:
    """The pictures, (F, height, width, 3), and milliseconds of each."""
    with Image.open(path) as gif:
        each = [
            (np.asarray(part.convert("RGB")).astype(int), part.info["duration"]) for part in ImageSequence.Iterator(gif)
        ]
    return np.stack([pixels for pixels, _ in each]), [duration for _, duration in each]


def ink(pixels: Any) -> Any:
    """Where a coloured point is."""
    return pixels.max(axis=-1) - pixels.min(axis=-1) > 40


def test_a_turn_is_once_round_and_ends_where_it_began(tmp_path: Path) -> None:
    made = film(L_SHAPE, tmp_path / "a.gif", frames=8, seconds=1.6, size=120, camera=Camera(0, 20), engine="matplotlib")
    assert made.engine == "matplotlib" and made.path.name == "a.gif"
    pictures, durations = read(made)
    assert len(pictures) == 8 and sum(durations) == 1600
    widths = [float(np.ptp(np.nonzero(ink(each).any(axis=0))[0])) for each in pictures]
    assert widths[0] > 0.7 * 120  # the long arm is seen from its side
    assert widths[2] < 0.5 * widths[0] and widths[6] < 0.5 * widths[0]  # and after a quarter turn from its end
    assert widths[4] == pytest.approx(widths[0], abs=8)
    with Image.open(made.path) as gif:
        assert gif.info["loop"] == 0  # for ever


def test_nothing_leaves_its_cell_while_it_turns_and_all_turn_at_one_scale(tmp_path: Path) -> None:
    clouds = torch.stack([L_SHAPE, L_SHAPE * torch.tensor([0.2, 2.0, 1.0]), L_SHAPE / 3])
    pictures, _ = read(film(clouds, tmp_path / "a.gif", frames=6, seconds=1, columns=3, size=90, engine="matplotlib"))
    for each in pictures:
        assert not ink(each)[:, [0, 89, 90, 179, 180, 269]].any() and not ink(each)[[0, -1]].any()
        cells = [ink(each)[:, k * 90 : (k + 1) * 90] for k in range(3)]
        assert all(cell.any() for cell in cells) and cells[2].sum() < 0.4 * cells[0].sum()


def test_the_outermost_points_of_a_cloud_take_its_room() -> None:
    cloud = torch.randn(3000, 3)
    (item,) = drawables(cloud)
    assert len(item.outermost) < 200
    cameras = [Camera(angle, 22) for angle in range(0, 360, 30)]
    all_of_it = fit([([item.points], camera) for camera in cameras], 200)
    outline = fit([([item.outermost], camera) for camera in cameras], 200)
    assert outline.focal == pytest.approx(all_of_it.focal, rel=0.03)
    assert outline.heights[0] == pytest.approx(all_of_it.heights[0], abs=4)


def test_one_shot_is_placed_as_a_picture_is() -> None:
    cloud = np.random.default_rng(0).normal(size=(100, 3))
    alone, first = frame([cloud], Camera(), 200), fit([([cloud], Camera())], 200).frame([cloud], Camera())
    np.testing.assert_array_equal(alone.clouds[0], first.clouds[0])
    several = fit([([cloud], Camera(angle, 22)) for angle in (0, 90)], 200)
    middles = [several.frame([cloud], Camera(angle, 22)).clouds[0].mean(0)[1] for angle in (0, 90)]
    assert np.ptp(middles) < 0.2  # the same shift in both, whatever each alone would have had


def test_states_follow_each_other_below_their_titles_and_the_last_one_stays(tmp_path: Path) -> None:
    states = [torch.randn(2, 200, 3) * (4 - k) / 4 + 10 for k in range(4)]
    options: dict[str, Any] = {"seconds": 1.2, "size": 100, "engine": "matplotlib"}
    plain, durations = read(animate(states, tmp_path / "plain.gif", hold=0.5, **options))
    assert durations == [300, 300, 300, 800]
    areas = [float(ink(each).mean()) for each in plain]
    assert areas == sorted(areas, reverse=True) and areas[3] < 0.5 * areas[0]  # one scale for all states
    titled, _ = read(animate(states, tmp_path / "titled.gif", titles=["t = 1", "", "c", "d"], **options))
    band = titled.shape[1] - plain.shape[1]
    assert band > 10 and (titled[0, :band] < 128).any() and not (titled[1, :band] < 128).any()


def test_a_gif_keeps_white_shadows_and_the_colours_of_points(tmp_path: Path) -> None:
    ramp = np.rint(255 * by_height(np.linspace(0, 1, 200)[:, None].repeat(3, axis=1)))  # (200, 3)
    picture = np.full((60, 200, 3), 255.0)
    picture[:20] = ramp
    picture[20:40] = np.linspace(178, 255, 200)[:, None]  # as dark as shadows are
    frames = [Image.fromarray(np.roll(picture, k, axis=1).astype(np.uint8)) for k in range(3)]
    Movie(tmp_path / "a.gif", 3, 1.0).write(iter(frames))
    found, _ = read(tmp_path / "a.gif")
    assert (found[:, 40:] == 255).all()
    assert np.abs(found[0, 20:40] - picture[20:40]).max() <= 8
    assert np.abs(found[0, :20] - picture[:20]).max() <= 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "a.avi"}, r"path: must end in \.gif or \.mp4, got 'a\.avi'"),
        ({"frames": 1}, "frames: must be at least 2, got 1"),
        ({"seconds": 0}, "seconds: must be a positive number, got 0"),
        ({"seconds": 0.1}, r"seconds: must be at least 0\.96 for 48 frames, got 0\.1: no more than 50 frames a second"),
        ({"size": 8}, "size: must be 32 to 4096 pixels, got 8"),
        ({"columns": 0}, "columns: must be at least 1, got 0"),
    ],
)
def test_what_is_no_film_is_refused_before_anything_is_drawn(
    tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        film(torch.randn(2, 20, 3), arguments.pop("path", tmp_path / "a.gif"), **arguments)
    assert not list(tmp_path.iterdir())


def test_states_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    clouds = torch.randn(3, 20, 3)
    with pytest.raises(ValueError, match="states: must all have as many clouds, got 2 to 3"):
        animate([clouds, clouds[:2]], tmp_path / "a.gif")
    with pytest.raises(ValueError, match="states: must be at least 2, got 1"):
        animate([clouds], tmp_path / "a.gif")
    with pytest.raises(ValueError, match="titles: must be one for each of the 2 states, got 1"):
        animate([clouds, clouds], tmp_path / "a.gif", titles=["a"])


def test_a_film_that_exists_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=r"a\.gif: exists already"):
        film(torch.randn(1, 20, 3), tmp_path / "a.gif")
    assert (tmp_path / "a.gif").read_bytes() == b"mine"


@pytest.fixture
def ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH, where a test puts what stands for ffmpeg."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin" / "ffmpeg"


def script(path: Path, lines: str) -> None:
    path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{lines}\n")
    path.chmod(0o755)


def test_without_ffmpeg_an_mp4_names_the_gif(ffmpeg: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"film\.mp4: an \.mp4 is made by ffmpeg, which is not on the PATH; .*film\.gif"):
        film(torch.randn(1, 20, 3), tmp_path / "film.mp4")


def test_an_mp4_is_fed_with_every_picture_and_the_last_one_again(ffmpeg: Path, tmp_path: Path) -> None:
    script(ffmpeg, f'echo "$@" > {tmp_path}/words\nfor last; do :; done\ncat > "$last"')
    pictures = [Image.new("RGB", (6, 4), (k, 0, 0)) for k in range(3)]
    movie = Movie(tmp_path / "film.mp4", 3, 0.3, hold=0.2)
    movie.write(iter(pictures))
    fed = np.frombuffer((tmp_path / "film.mp4").read_bytes(), dtype=np.uint8).reshape(-1, 4, 6, 3)
    assert fed[:, 0, 0, 0].tolist() == [0, 1, 2, 2, 2]
    words = (tmp_path / "words").read_text()
    assert "-s 6x4 -r 10.000000" in words and "yuv420p" in words


def test_an_ffmpeg_that_fails_is_told_with_its_last_words(ffmpeg: Path, tmp_path: Path) -> None:
    script(ffmpeg, "echo 'Unknown encoder' >&2\nexit 1")
    with pytest.raises(OSError, match=r"film\.mp4: ffmpeg failed: Unknown encoder; name a gif: .*film\.gif"):
        film(torch.randn(1, 20, 3), tmp_path / "film.mp4", frames=4, seconds=1, size=64, engine="matplotlib")
    assert not (tmp_path / "film.mp4").exists()


def test_open3d_draws_a_film_in_one_process(tmp_path: Path, open3d_draws: None) -> None:
    clouds = torch.stack([L_SHAPE, L_SHAPE.flip(1)])
    made = film(clouds, tmp_path / "a.gif", frames=6, seconds=1, size=100, engine="open3d")
    other = film(clouds, tmp_path / "b.gif", frames=6, seconds=1, size=100, engine="matplotlib")
    assert (made.engine, made.note) == ("open3d", "")
    ours, theirs = (ink(read(path)[0]) for path in (made, other))
    assert (ours & theirs).sum() / (ours | theirs).sum() > 0.8
