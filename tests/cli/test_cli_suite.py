"""`pcgen suite`: two small models, the quality of their codes in the table, and boards that were stopped or damaged."""

import importlib
import json
import re

import pytest
import torch

from pcgen import data
from pcgen.models.clouds.set_autoencoder import SetAutoencoder
from pcgen.training import save

AUTOENCODER = ["--set", "autoencoder.code=4", "--set", 'autoencoder.encoder={"name": "pointnet", "widths": [8]}']
AUTOENCODER += ["--set", 'autoencoder.decoder={"name": "fully_connected", "widths": [8]}']
FEW = ["--points", 16, "--metrics", "cd", "--effort", 0.003]


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """An npz of 24 boxes of 32 points, of two classes: 16 to learn, 8 to be compared with."""
    generator = torch.Generator().manual_seed(0)
    points = (torch.rand(24, 32, 3, generator=generator) - 0.5) * (torch.rand(24, 1, 3, generator=generator) + 0.2)
    splits = tuple("test" if row % 3 == 2 else "train" for row in range(24))
    clouds = data.Clouds(points, labels=torch.arange(24) % 2, classes=("even", "odd"), splits=splits)
    return data.save(tmp_path_factory.mktemp("few") / "few.npz", clouds)


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    """Pictures take seconds, and the leaderboards of test_cli_main.py draw them."""
    for name in ("_draw", "_draw_nearest"):
        monkeypatch.setattr(importlib.import_module("pcgen.cli.suite"), name, lambda *_: None)


def suite(pcgen, few, out, models, *words):
    return pcgen("suite", "--data", few, *FEW, *AUTOENCODER, "--models", models, "--out", out, *words)


def test_two_models_stand_in_one_table_with_the_quality_of_their_codes(pcgen, few, tmp_path):
    out = tmp_path / "board"
    result = suite(pcgen, few, out, "gmm,vae", "--set", "vae.code=2", "--set", "vae.widths=[8]")
    assert result.code == 0, result.err
    board = json.loads((out / "leaderboard.json").read_text())
    assert [row["model"] for row in board["rows"]] == ["gmm", "vae"]  # a mixture of few rows does not fail
    for row in board["rows"]:
        own, floor, independent, *_ = row["quality"]
        assert own["name"] == row["model"] and own["interval"][0] <= own["interval"][1]
        assert (floor["score"], independent["score"]) == (0, 1)
        mean = row["results"]["exact"]["mean"]
        assert mean["one_nna_cd"] >= 0 and {"z_u_cd", "authenticity_cd", "copies", "vendi_cd"} <= mean.keys()
    oracles = {oracle["row"]: oracle["values"] for oracle in board["oracles"]["exact"]}
    assert list(oracles) == ["training set", "training set decoded", "memoriser", "second sample"]
    assert oracles["memoriser"]["z_u_cd"] < oracles["second sample"]["z_u_cd"]
    assert "z_u_cd" not in oracles["training set"]
    table = (out / "leaderboard.md").read_text()
    assert "quality of codes" in table
    head, _, copying = table.partition("Copying:")
    assert re.search(r"\n\| \*chance\* \|.* 46\.7 \|", head)  # (8 - 1) / (2 * 8 - 1)
    assert re.search(r"\n\| gmm \|.* \d+\.\d \(\d+-\d+\) \|", head)
    assert copying.count("\n| *memoriser* |") == 1 and "| *training set* | - |" in copying  # but for its Vendi
    report = json.loads((out / "gmm" / "report-exact-0.json").read_text())
    new = report["rows"][0]["values"]["copies_reference"]
    assert f" Of the reference, {100 * new:.1f}% are as near to a training cloud as a copy." in copying
    row = re.search(r"\n\| \*independent Gaussians\*( \| -)+ \| 1\.00 \| \|\n", table)
    assert (
        bool(row) == own["resolved"] != ("Quality of codes: not computed" in table)
    )  # eight held-out codes tell little
    assert data.load(str(out / "vae" / "samples-0.npz")).classes == ("even", "odd")
    assert data.load(str(out / "gmm" / "samples-0.npz")).labels is None
    before = (out / "vae" / "last.safetensors").read_bytes()
    again = suite(pcgen, few, out, "gaussian")
    assert again.code == 0, again.err
    rows = json.loads((out / "leaderboard.json").read_text())["rows"]
    assert [row["model"] for row in rows] == ["gmm", "vae", "gaussian"]
    assert [row["quality"] for row in rows[:2]] == [row["quality"] for row in board["rows"]]
    assert (out / "vae" / "last.safetensors").read_bytes() == before


def test_a_suite_that_was_stopped_in_its_first_model_or_whose_table_is_damaged_goes_on(
    pcgen, few, tmp_path, monkeypatch
):
    from pcgen.models.mixtures.gaussian import Gaussian

    out = tmp_path / "board"

    def stop(self, batch):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Gaussian, "update", stop)
        assert suite(pcgen, few, out, "gaussian").code == 130
    assert (out / "reference.npz").exists() and not (out / "leaderboard.json").exists()
    autoencoder = (out / "autoencoder" / "last.safetensors").read_bytes()
    result = suite(pcgen, few, out, "gaussian")
    assert result.code == 0, result.err
    (out / "leaderboard.json").write_text((out / "leaderboard.json").read_text()[:-30])
    damaged = suite(pcgen, few, out, "gaussian")
    assert damaged.code == 2 and len(damaged.err.strip().splitlines()) == 1
    assert "leaderboard.json: damaged" in damaged.err and "delete it" in damaged.err
    (out / "leaderboard.json").unlink()
    assert suite(pcgen, few, out, "gaussian").code == 0
    assert (out / "autoencoder" / "last.safetensors").read_bytes() == autoencoder


def test_a_suite_that_is_started_again_and_stopped_keeps_the_rows_it_has_not_reached(pcgen, few, tmp_path, monkeypatch):
    from pcgen.studies import leaderboard

    out = tmp_path / "board"
    assert suite(pcgen, few, out, "gaussian,gmm").code == 0
    before = json.loads((out / "leaderboard.json").read_text())["rows"]
    (out / "gaussian" / "report-exact-0.json").unlink()  # the row is lost, and the model is measured again
    run = leaderboard.run

    def stopped(*given, **named):
        yield next(run(*given, **named))
        raise KeyboardInterrupt

    monkeypatch.setattr(leaderboard, "run", stopped)
    assert suite(pcgen, few, out, "gaussian,gmm").code == 130
    rows = json.loads((out / "leaderboard.json").read_text())["rows"]
    assert {row["model"]: row["results"] for row in rows} == {row["model"]: row["results"] for row in before}


def test_a_row_stays_when_its_model_is_named_again_with_another_effort(pcgen, few, tmp_path):
    out, vae = tmp_path / "board", ["--set", "vae.code=2", "--set", "vae.widths=[8]"]
    assert suite(pcgen, few, out, "vae", *vae, "--processes", 1).code == 0
    before = json.loads((out / "leaderboard.json").read_text())["rows"]
    assert (before[0]["effort"], before[0]["options"]) == (0.003, {"code": 2, "widths": [8]})
    more = ["suite", "--data", few, "--codes", out / "autoencoder", "--metrics", "cd", "--effort", 0.01, "--out", out]
    again = pcgen(*more, "--models", "vae", *vae, "--processes", 1)
    assert again.code == 1 and "vae: failed: resume: " in again.err
    assert "vae: its earlier row stays" in again.err and "failed: vae; the reasons are above" in again.err
    assert json.loads((out / "leaderboard.json").read_text())["rows"] == before
    other = pcgen(*more, "--models", "gaussian")
    assert other.code == 0, other.err
    told = "Effort differs between models (times the default steps of each): 0.003 for vae; 0.01 for gaussian."
    assert told in (out / "leaderboard.md").read_text()
    assert "Effort differs between models" in other.err


def test_a_model_that_is_named_twice_is_trained_once(pcgen, few, tmp_path, monkeypatch):
    from pcgen.studies import leaderboard

    planned = []
    monkeypatch.setattr(leaderboard, "run", lambda codes, out, plan, **_: planned.append(plan) or iter(()))
    result = suite(pcgen, few, tmp_path / "board", "gmm, gaussian,gmm", "--metrics", "cd,cd")
    assert result.code == 0, result.err
    assert (planned[0].models, planned[0].distances) == (["gmm", "gaussian"], ["cd"])


def test_a_model_that_draws_by_class_has_a_board_for_each_class(pcgen, few, tmp_path, monkeypatch):
    monkeypatch.setattr("pcgen.studies.leaderboard.runner.LEAST_OF_A_CLASS", 4)
    out = tmp_path / "board"
    result = suite(pcgen, few, out, "gmm,vae", "--set", "vae.code=2", "--set", "vae.widths=[8]")
    assert result.code == 0, result.err
    board = json.loads((out / "leaderboard.json").read_text())
    assert [row["classes"] for row in board["rows"]] == [[], ["even", "odd"]]
    for name in ("even", "odd"):
        table = (out / f"leaderboard-{name}.md").read_text()
        assert table.startswith(f"# {name}\n") and "| vae |" in table and "| gmm |" not in table
        assert "| *training set decoded* |" in table
        report = json.loads((out / "vae" / f"report-exact-0-{name}.json").read_text())
        assert report["samples"]["clouds"] == report["reference"]["clouds"] == 4  # of this class alone
        assert report["train"]["clouds"] in (7, 8)  # of the 16, one is held out
    again = suite(pcgen, few, out, "gaussian")
    assert again.code == 0, again.err
    assert (out / "leaderboard-odd.md").read_text().count("| vae |") == 2  # in each of two tables


def test_codes_that_are_sets_have_heads_that_learn_sets(pcgen, tmp_path):
    run = tmp_path / "sets"
    save(SetAutoencoder((32, 3), tokens=4, channels=2, width=8, features=8, heads=2), run)
    given = ["suite", "--data", "shapes:chair=20", "--codes", run, "--out", tmp_path / "board"]
    result = pcgen(*given, "--models", "gmm")
    assert result.code == 2 and "--models: must be one of" in result.err and "diffusion" in result.err
    assert pcgen(*given[:3], "--out", tmp_path / "board", "--models", "set_autoencoder").code == 2
