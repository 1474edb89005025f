"""`pcgen view`: clouds of any sizes, told apart by their files."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pcgen import data, view


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

    monkeypatch.setattr(view, "picture", remember)
    monkeypatch.setattr(view, "show", remember)
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
    assert pcgen("view", files / "a.xyz", files / "all", "shapes:chair=9@all", "--count", 2, *out).code == 0
    assert drawn["sizes"] == [38, 10, 30, 2048, 2048]
    assert drawn["rows"] == ["a.xyz", "all", "shapes:chair=9@all"] and drawn["groups"] == [1, 2, 2]
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
        assert pcgen("view", files / "all", "--shuffle", "--seed", seed, "--count", 2).code == 0
        assert drawn["sizes"] == [[10, 30, 20][row] for row in order[:2]]


def test_bad_clouds_are_left_out_if_asked(pcgen, files, drawn):
    (files / "all" / "0.xyz").write_text("1 2 nan\n")
    result = pcgen("view", files / "all")
    assert result.code == 2 and "0.xyz" in result.err
    result = pcgen("view", files / "all", "--drop-bad")
    assert result.code == 0 and drawn["sizes"] == [30, 20]
    assert result.err.startswith("warning: left out: ") and "0.xyz: point 0 is [1.0, 2.0, nan]" in result.err
    result = pcgen("view", files / "all" / "0.xyz", "--drop-bad")
    assert result.code == 2 and "no cloud is left to draw" in result.err


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
    assert several.code == 2 and "--nearest: is of one source of samples" in several.err
