"""`pcgen report`: the page of a leaderboard and of runs, and in a browser, where there is one, what it draws."""

import importlib
import json
import re
import shutil

import pytest
import torch
from browser import coloured, dark, needs_browser, shot, shown

from pcgen import data

AUTOENCODER = ["--set", "autoencoder.code=4", "--set", 'autoencoder.encoder={"name": "pointnet", "widths": [8]}']
AUTOENCODER += ["--set", 'autoencoder.decoder={"name": "fully_connected", "widths": [8]}']
FEW = ["--points", 64, "--metrics", "cd", "--effort", 0.003]


@pytest.fixture(scope="module")
def clouds(tmp_path_factory):
    """An npz of 36 boxes of 128 points: 24 to learn, 12 to be compared with."""
    generator = torch.Generator().manual_seed(0)
    points = (torch.rand(36, 128, 3, generator=generator) - 0.5) * (torch.rand(36, 1, 3, generator=generator) + 0.2)
    splits = tuple("test" if row % 3 == 2 else "train" for row in range(36))
    return data.save(tmp_path_factory.mktemp("boxes") / "boxes.npz", data.Clouds(points, splits=splits))


@pytest.fixture
def board(pcgen, clouds, tmp_path, monkeypatch):
    """A leaderboard of two models, and of one that failed."""
    for name in ("_draw", "_draw_nearest"):
        monkeypatch.setattr(importlib.import_module("pcgen.cli.suite"), name, lambda *_: None)
    out = tmp_path / "board"
    made = pcgen("suite", "--data", clouds, *FEW, *AUTOENCODER, "--models", "gaussian,gmm", "--out", out)
    assert made.code == 0, made.err
    table = json.loads((out / "leaderboard.json").read_text())
    failed = {**table["rows"][0], "model": "vae", "failure": "ValueError: <no> such thing"}
    (out / "leaderboard.json").write_text(json.dumps({**table, "rows": [*table["rows"], failed]}))
    return out


def embedded(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_a_leaderboard_is_shown_as_it_stands(pcgen, board, tmp_path):
    result = pcgen("report", board, "--out", tmp_path / "page.html", "--clouds", 5)
    assert result.code == 0, result.err
    text = (tmp_path / "page.html").read_text()
    shown = embedded(text)
    reports = {name: json.loads((board / name / "report-exact-0.json").read_text()) for name in ("gaussian", "gmm")}
    values = {name: report["rows"][0]["values"] for name, report in reports.items()}
    off = {name: abs(each["one_nna_cd"] - each["one_nna_cd_chance"]) for name, each in values.items()}
    order = sorted(off, key=lambda name: off[name])
    assert [each["name"] for each in shown["galleries"]] == [*order, "reference"]
    samples = data.load(str(board / "gmm" / "samples-0.npz"))
    gallery = shown["galleries"][order.index("gmm")]
    assert gallery["clouds"] == 5 and gallery["points"] == samples.points.shape[1] == 64
    assert len(set(gallery["beside"])) <= shown["train"]["clouds"] and max(gallery["beside"]) < shown["train"]["clouds"]
    report = reports["gmm"]
    assert f">{100 * report['one_nna_cd']:.1f}<" in text and "memoriser" in text and report["protocol"]["hash"] in text
    assert "Failed: ValueError: &lt;no&gt; such thing" in text
    assert "the first 5 of 12 clouds of a set" in text
    assert "vae: ValueError: <no> such thing" in result.err and "open it in a browser" in result.err


def test_runs_are_sampled_and_measured(pcgen, board, clouds, tmp_path):
    runs = [board / "gaussian", board / "gmm"]
    result = pcgen("report", *runs, "--out", tmp_path / "page.html", "--clouds", 12, "--metrics", "cd")
    assert result.code == 0, result.err
    text = (tmp_path / "page.html").read_text()
    shown = embedded(text)
    assert [(each["name"], each["clouds"]) for each in shown["galleries"]] == [
        ("gaussian", 12),
        ("gmm", 12),
        ("reference", 12),
    ]
    from pcgen.training import Run

    torch.manual_seed(0)
    drawn = Run.open(board / "gmm").sample(12)
    spans = (drawn.amax(1) - drawn.amin(1)).amax(1).tolist()
    assert shown["galleries"][1]["size"] == pytest.approx(spans, rel=1e-5)
    assert "training set decoded" in text and "pcgen train --again" in text
    assert "12 clouds per set are few" in text and "12 clouds per set are few" in result.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["board", "board"], "is a leaderboard; make a page of it alone, or of runs alone"),
        (["board", "--reference", "shapes:chair"], "--reference: is given by the leaderboard"),
        (["board", "--metrics", "cd", "--data", "x"], "--data, --metrics: is given by the leaderboard"),
        (["board/autoencoder"], "autoencoder does not generate; train a head on its codes"),
        (["nowhere"], "no such run folder"),
        (["board", "--out", "page.png"], r"--out: must end in \.html"),
    ],
)
def test_what_has_no_page_is_named(pcgen, board, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    out = [] if "--out" in words else ["--out", "page.html"]
    result = pcgen("report", *words, *out)
    assert result.code == 2 and re.search(said, result.err), result.err
    assert not (tmp_path / "page.html").exists()


def test_a_page_without_the_training_clouds_says_so(pcgen, board, tmp_path):
    shutil.rmtree(board / "autoencoder")
    result = pcgen("report", board, "--out", tmp_path / "page.html")
    assert result.code == 0, result.err
    text = (tmp_path / "page.html").read_text()
    assert "The nearest training clouds are not shown:" in text and embedded(text)["train"] is None


@needs_browser
def test_a_browser_draws_every_cloud_and_says_nothing(pcgen, board, tmp_path):
    page = tmp_path / "page.html"
    assert pcgen("report", board, "--out", page, "--clouds", 5).code == 0
    assert shown(page).count('<figure class="cell"') == 15
    light, night = shot(page, 1200, 3000), shot(dark(page), 1200, 3000)
    for picture in (light, night):
        assert coloured(picture) > 15 * 500  # balls of viridis in each of 15 cells
    assert light[:20].mean() > 200 > 60 > night[:20].mean()
