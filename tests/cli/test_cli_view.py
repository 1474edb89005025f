"""`pcgen view`: clouds of any sizes, told apart by their files."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pcgen import data, training, view
from pcgen.models import build


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Clouds of 38, 86 and 50 points in files, and a folder of three sizes."""
    for name, points in (("a.xyz", 38), ("b.xyz", 86), ("all/0.xyz", 10), ("all/1.xyz", 30), ("all/2.xyz", 20)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        np.savetxt(tmp_path / name, np.random.default_rng(points).normal(size=(points, 3)))
    return tmp_path


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the last picture or window was asked for."""
    asked: dict[str, Any] = {}

    def remember(clouds: Any, *_: Any, **options: Any) -> str:
        asked.clear()
        asked.update(options, sizes=[cloud.points.shape[1] for cloud in clouds])
        return "drawn"

    for name in ("picture", "film", "show"):
        monkeypatch.setattr(view, name, remember)
    return asked


@pytest.mark.parametrize("window", [False, True])
def test_clouds_of_different_sizes_are_drawn_side_by_side(pcgen, files, drawn, window):
    out = [] if window else ["--png", files / "x.png"]
    assert pcgen("view", files / "a.xyz", files / "b.xyz", *out).code == 0
    assert drawn["sizes"] == [38, 86] and drawn["captions"] == ["a.xyz", "b.xyz"] and "rows" not in drawn
    assert pcgen("view", files / "all", *out).code == 0
    assert drawn["sizes"] == [10, 30, 20] and "captions" not in drawn and "rows" not in drawn


@pytest.mark.parametrize("window", [False, True])
def test_several_sources_are_rows_with_their_names(pcgen, files, drawn, window):
    out = [] if window else ["--png", files / "x.png"]
    assert pcgen("view", files / "a.xyz", f"{files}/all/@all", "shapes:chair=9@all", "--count", 2, *out).code == 0
    assert drawn["rows"] == ["a.xyz", "all@all", "shapes:chair=9@all"]
    if window:  # where there are pages of two of each
        assert drawn["sizes"] == [38, 10, 30, 20, *[2048] * 9]
        assert drawn["groups"] == [1, 3, 9] and drawn["page"] == 2
    else:
        assert drawn["sizes"] == [38, 10, 30, 2048, 2048] and drawn["groups"] == [1, 2, 2]
    (files / "other").mkdir()
    (files / "other" / "a.xyz").write_text((files / "b.xyz").read_text())
    assert pcgen("view", files / "a.xyz", files / "other" / "a.xyz", *out).code == 0
    assert drawn["captions"] == [str(files / "a.xyz"), str(files / "other" / "a.xyz")]


def test_points_thin_the_larger_clouds(pcgen, files, drawn):
    assert pcgen("view", files / "all", "shapes:chair=1@all", "--points", 20).code == 0
    assert drawn["sizes"] == [10, 20, 20, 20]


def test_shuffled_clouds_are_drawn_by_seed(pcgen, files, drawn):
    for seed in (0, 1):
        order = torch.randperm(3, generator=torch.Generator().manual_seed(seed)).tolist()
        words = ["--seed", seed, "--count", 2, "--png", files / "x.png"]
        assert pcgen("view", files / "all", "--shuffle", *words).code == 0
        assert drawn["sizes"] == [[10, 30, 20][row] for row in order[:2]]


def test_built_in_shapes_are_those_of_training_whatever_the_seed(pcgen, files, monkeypatch):
    shown = []
    monkeypatch.setattr(view, "picture", lambda clouds, *_, **options: shown.append(clouds[0].points))
    for seed in (0, 1):
        words = ["--points", 12, "--count", 1, "--seed", seed, "--png", files / "x.png"]
        assert pcgen("view", "shapes:mug=2@all", *words).code == 0
    assert torch.equal(*shown) and torch.equal(shown[0], data.load("shapes:mug=1@all", points=12).points)


def test_bad_clouds_are_left_out_if_asked(pcgen, files, drawn):
    (files / "all" / "0.xyz").write_text("1 2 nan\n")
    result = pcgen("view", files / "all")
    assert result.code == 2 and "0.xyz" in result.err
    result = pcgen("view", files / "all", "--drop-bad")
    assert result.code == 0 and drawn["sizes"] == [30, 20]
    assert result.err.startswith("warning: left out: ") and "0.xyz: point 0 is [1.0, 2.0, nan]" in result.err
    result = pcgen("view", files / "all" / "0.xyz", "--drop-bad")
    assert result.code == 2 and "no cloud is left to draw" in result.err


def test_bad_points_of_a_cloud_are_left_out_if_asked(pcgen, files, drawn):
    for name in ("0.xyz", "2.xyz"):
        (files / "all" / name).write_text("1 2 nan\n" + (files / "all" / name).read_text())
    for words, sizes in (([], [10, 30, 20]), (["--points", 15], [10, 15, 15])):
        result = pcgen("view", files / "all", "--drop-bad", *words)
        assert result.code == 0 and drawn["sizes"] == sizes
        assert "left out: " not in result.err
        assert "0.xyz: 1 of 11 points left out, which are NaN or infinite\n" in result.err
        assert "2.xyz: 1 of 21 points left out, which are NaN or infinite\n" in result.err


def test_of_many_notes_on_clouds_the_first_are_printed(pcgen, tmp_path, drawn):
    for row in range(12):
        (tmp_path / f"{row:02}.xyz").write_text("1 2 nan\n1 2 3\n")
    result = pcgen("view", tmp_path, "--drop-bad", "--png", tmp_path / "x.png")
    lines = result.err.splitlines()
    assert [line[:6] for line in lines[:10]] == [f"{row:02}.xyz" for row in range(10)]
    assert lines[10:] == ["and 2 more notes on clouds", "drawn"]


def test_without_open3d_a_picture_says_so_once(pcgen, files, monkeypatch):
    failing = files / "python"
    failing.write_text("#!/bin/sh\necho \"No module named 'open3d'\" >&2\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(failing))
    result = pcgen("view", files / "a.xyz", "--png", files / "x.png", "--size", 64)
    assert result.code == 0
    warning, drawn = result.err.splitlines()
    assert warning.startswith("warning: drawn by matplotlib: Open3D failed: No module named 'open3d'; for Open3D: pip")
    assert drawn == f"{files / 'x.png'} (drawn by matplotlib)"


def test_samples_are_drawn_beside_their_nearest_training_clouds(pcgen, files, monkeypatch):
    """Ellipsoids of which two are training clouds, sampled again, and a third is new."""
    generator = torch.Generator().manual_seed(0)
    sides = torch.tensor([[0.2, 1, 1], [1, 0.2, 1], [1, 1, 0.2], [0.3, 0.3, 0.3]])

    def sampled(rows: list[int]) -> torch.Tensor:
        places = torch.randn(len(rows), 400, 3, generator=generator)
        return torch.nn.functional.normalize(places, dim=2) * sides[rows][:, None]

    known = sampled([0, 1, 3])
    data.save(files / "train.npz", known)
    data.save(files / "samples.npz", sampled([1, 0, 2]))
    asked: dict[str, Any] = {}
    monkeypatch.setattr(view, "picture", lambda clouds, *_, **options: asked.update(options, clouds=clouds))
    words = ("view", files / "samples.npz", "--nearest", f"{files / 'train.npz'}@all", "--png", files / "x.png")
    result = pcgen(*words)
    assert result.code == 0, result.err
    assert torch.equal(asked["clouds"][1], known[1]) and torch.equal(asked["clouds"][3], known[0])
    assert len(asked["clouds"]) == 6 and asked["captions"][::2] == ["sample 0", "sample 1", "sample 2"]
    ratios = [float(caption.split()[1]) for caption in asked["captions"][1::2]]
    assert ratios[:2] == pytest.approx([1, 1], abs=0.2) and ratios[2] > 3
    several = pcgen("view", files / "a.xyz", files / "b.xyz", "--nearest", files / "train.npz")
    assert several.code == 2 and "--nearest: takes one source of samples" in several.err


def test_it_is_said_that_there_are_more_clouds_than_are_drawn(pcgen, files, drawn):
    result = pcgen("view", files / "all", "--png", files / "x.png", "--count", 2)
    assert f"{files}/all: the first 2 of its clouds; --count shows more" in result.err and drawn["sizes"] == [10, 30]
    for words in (["--count", 3], ["--count", 9], []):
        assert "of its clouds" not in pcgen("view", files / "all", "--png", files / "x.png", *words).err
    result = pcgen("view", "shapes:mug=20@all", "--png", files / "x.png", "--points", 9, "--shuffle")
    assert "shapes:mug=20@all: 16 of its clouds" in result.err and len(drawn["sizes"]) == 16


def test_single_clouds_of_several_sources_stand_on_one_page(pcgen, files, drawn):
    assert pcgen("view", files / "a.xyz", files / "b.xyz", "--count", 1).code == 0
    assert drawn["captions"] == ["a.xyz", "b.xyz"] and drawn["page"] == 2


def test_a_film_turns_fewer_clouds_unless_told(pcgen, files, drawn):
    out = ["--film", files / "x.gif"]
    assert pcgen("view", "shapes:mug=20@all", "--points", 8, *out).code == 0
    assert drawn["sizes"] == [8] * 12 and (drawn["frames"], drawn["seconds"]) == (48, 4.0)
    words = ["--count", 13, "--frames", 6, "--seconds", 0.5, "--columns", 5, "--color", "order"]
    assert pcgen("view", "shapes:mug=20@all", "--points", 8, *out, *words).code == 0
    assert drawn["sizes"] == [8] * 13 and (drawn["frames"], drawn["seconds"]) == (6, 0.5)
    assert (drawn["columns"], drawn["colors"]) == (5, "order")


def test_a_film_is_written(pcgen, files):
    words = ["--frames", 3, "--seconds", 1, "--size", 64, "--engine", "matplotlib"]
    result = pcgen("view", files / "a.xyz", "--film", files / "x.gif", *words)
    assert result.code == 0 and result.err == f"{files / 'x.gif'} (drawn by matplotlib)\n"
    with Image.open(files / "x.gif") as gif:
        assert (gif.n_frames, gif.width) == (3, 64)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The run of a diffusion model of clouds, of two classes."""
    small = {"times": 10, "width": 8, "blocks": 1, "classes": ["low", "high"]}
    model = build({"name": "diffusion", "shape": [12, 3], **small})
    training.fit(model, torch.rand(16, 12, 3), labels=torch.arange(16) % 2, out=tmp_path / "run", steps=2)
    return tmp_path / "run"


def test_a_chain_is_a_row_of_its_states_for_each_cloud(pcgen, files, run, monkeypatch):
    asked: dict[str, Any] = {}
    monkeypatch.setattr(view, "picture", lambda clouds, *_, **options: asked.update(options, clouds=clouds) or "drawn")
    words = ["--count", 3, "--frames", 5, "--labels", "high", "--set", "guidance=2", "--seed", 4]
    result = pcgen("view", "--chain", run, "--png", files / "x.png", *words)
    assert result.code == 0 and result.err == "drawn: 5 states of 3 clouds, from t = 1.000 to t = 0.000\n"
    states, captions = training.states_of(training.Run.open(run), 3, 5, 4, ["high"], guidance=2.0)
    assert asked["columns"] == 5 and asked["captions"] == captions * 3
    assert torch.equal(torch.stack(asked["clouds"]).view(3, 5, 12, 3), states.transpose(0, 1))
    assert pcgen("view", "--chain", run, "--png", files / "x.png").code == 0
    assert len(asked["clouds"]) == 4 * 8


def test_a_chain_is_a_film_of_its_states(pcgen, files, run):
    words = ["--size", 64, "--engine", "matplotlib", "--seconds", 2, "--count", 2]
    result = pcgen("view", "--chain", run, "--film", files / "x.gif", *words)
    assert result.code == 0 and "11 states of 2 clouds" in result.err
    with Image.open(files / "x.gif") as gif:
        assert gif.n_frames == 11


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.xyz", "--film", "x.gif", "--png", "x.png"], "--film, --png: give one of them"),
        (["a.xyz", "--film", "x.avi"], "--film: must end in .gif, got"),
        (["a.xyz", "--png", "x.png", "--seconds", "2"], "--seconds: is for a film"),
        (["a.xyz", "--png", "x.png", "--frames", "4"], "--frames: is for a film or --chain"),
        (["a.xyz", "--png", "x.png", "--labels", "high"], "--labels and --set: are for --chain RUN; leave them out"),
        (["run", "--png", "x.png", "--nearest", "shapes:mug", "--shuffle"], "--nearest, --shuffle: for clouds, and"),
        (["run", "--png", "x.png", "--up", "z"], "is a run folder, whose losses are drawn; leave it out, or draw its"),
        (["--chain", "run"], "--chain: must be drawn into a file; give --png strip.png, or --film chain.gif"),
        (["a.xyz", "--chain", "run", "--png", "x.png"], "--chain: takes one run alone, got"),
        (["--png", "x.png"], "FILES: give clouds to look at, SOURCE[:CLASS][@SPLIT], or a run by --chain RUN"),
        (["--chain", "run", "--png", "x.png", "--set", "stepz=3"], "did you mean 'steps'?"),
        (["a.xyz", "--size", "64"], "--size: is for a picture or a film, --png or --film; leave it out"),
        (["a.xyz", "--engine", "auto", "--size", "64"], "--size, --engine: are for a picture or a film"),
        *(
            (["--chain", "run", "--png", "x.png", *words], f"{words[0]}: is for clouds, not for --chain; leave it out")
            for words in (
                ["--nearest", "shapes:mug"],
                ["--shuffle"],
                ["--points", "9"],
                ["--up", "y"],
                ["--drop-bad"],
                ["--max-bytes", str(4 * 2**30)],
            )
        ),
    ],
)
def test_what_cannot_be_shown_is_told_in_one_line(pcgen, files, run, words, message):
    paths = [str(files / word) if "." in word or word == "run" else word for word in words]
    result = pcgen("view", *paths)
    assert result.code == 2 and message in result.err, result.err
    assert len(result.err.strip().splitlines()) == 1
    assert not (files / "x.png").exists() and not (files / "x.gif").exists()


def test_a_run_that_draws_in_one_step_names_models_that_do_not(pcgen, files, tmp_path):
    parts = {"encoder": {"name": "pointnet", "widths": [8]}, "decoder": {"name": "fully_connected", "widths": [16]}}
    autoencoder = {"name": "autoencoder", "shape": [8, 3], "code": 2, **parts}
    head = {"name": "gaussian", "shape": [2]}
    training.save(build({"name": "latent_cloud_model", "autoencoder": autoencoder, "head": head}), tmp_path / "gauss")
    result = pcgen("view", "--chain", tmp_path / "gauss", "--png", files / "x.png")
    assert result.code == 2 and "a run of gaussian, which draws in one step" in result.err and "dae" in result.err
