import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from pcgen import data, training

SMALL = ["--points", 32, "--set", "code=8", "--set", 'encoder={"name": "pointnet", "widths": [16, 16]}']
SMALL += ["--set", 'decoder={"name": "fully_connected", "widths": [32]}', "--batch-size", 8]


@pytest.fixture
def trained(pcgen, boxes, tmp_path):
    """The run folders of an autoencoder and of a head on its codes."""
    ae, head = tmp_path / "ae", tmp_path / "head"
    result = pcgen("train", "autoencoder", "--data", boxes, *SMALL, "--steps", 12, "--out", ae)
    assert result.code == 0, result.err
    result = pcgen("train", "gmm", "--codes", ae, "--set", "components=2", "--out", head)
    assert result.code == 0, result.err
    return ae, head


def test_the_main_job(pcgen, boxes, trained, tmp_path):
    samples, picture, report = tmp_path / "s.npz", tmp_path / "s.png", tmp_path / "e.json"
    result = pcgen("sample", trained[1], "-n", 6, "--out", samples, "--seed", 3)
    assert result.code == 0, result.err
    assert "6 clouds of 32 points, sampled by gmm" in result.err
    assert data.load(str(samples)).points.shape == (6, 32, 3)

    result = pcgen("evaluate", samples, "--reference", f"{boxes}@all", "--train", boxes, "--out", report)
    assert result.code == 0, result.err
    assert "32 of the 96 points of each cloud are used" in result.err
    numbers = json.loads(report.read_text())
    for name in ("jsd", "mmd_cd", "cov_cd", "one_nna_cd", "mmd_emd", "cov_emd", "one_nna_emd"):
        assert np.isfinite(numbers[name]), name
    assert numbers["protocol"]["points"] == 32
    assert "1-NNA" in result.out

    result = pcgen("view", samples, boxes, "--count", 2, "--png", picture, "--engine", "matplotlib", "--size", 64)
    assert result.code == 0, result.err
    assert picture.stat().st_size > 1000
    result = pcgen("view", trained[0], "--png", tmp_path / "losses.png")
    assert result.code == 0, result.err
    assert (tmp_path / "losses.png").stat().st_size > 1000


def test_what_is_decided_for_the_user_is_said(pcgen, boxes, tmp_path):
    result = pcgen("train", "autoencoder", "--data", boxes, *SMALL, "--steps", 2, "--out", tmp_path / "ae")
    assert f"{boxes} names no split" in result.err
    assert "held out" in result.err


def test_the_same_seed_gives_the_same_samples(pcgen, trained, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert pcgen("sample", trained[1], "-n", 3, "--seed", seed, "--out", tmp_path / f"{name}.npz").code == 0
    a, b, c = (data.load(str(tmp_path / f"{name}.npz")).points for name in "abc")
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_normalisation_is_undone_on_output(pcgen, boxes, tmp_path):
    """Boxes of sides below 1.2, moved far away and made large: samples must come back there."""
    clouds = data.load(str(boxes))
    far = data.save(tmp_path / "far.npz", data.Clouds(clouds.points * 50 + torch.tensor([0.0, 1000.0, 0.0])))
    options = ["--normalize", "global_std", "--steps", 30, "--out", tmp_path / "ae"]
    assert pcgen("train", "autoencoder", "--data", far, *SMALL, *options).code == 0
    assert pcgen("train", "gaussian", "--codes", tmp_path / "ae", "--out", tmp_path / "head").code == 0
    assert pcgen("sample", tmp_path / "head", "-n", 20, "--out", tmp_path / "s.npz").code == 0
    drawn = data.load(str(tmp_path / "s.npz")).points
    torch.testing.assert_close(drawn.mean(dim=(0, 1)), torch.tensor([0.0, 1000.0, 0.0]), atol=10, rtol=0)
    assert 2 < drawn.std(dim=1).mean() < 50


def test_resume_goes_on_and_an_existing_run_is_refused(pcgen, boxes, tmp_path):
    # The end may move where the learning rate does not depend on it.
    model = ["train", "autoencoder", "--data", boxes, *SMALL, "--schedule", "constant"]
    command = [*model, "--out", tmp_path / "ae"]
    assert pcgen(*command, "--steps", 4).code == 0
    before = (tmp_path / "ae" / "last.safetensors").read_bytes()
    result = pcgen(*command, "--steps", 8)
    assert result.code == 2
    assert f"{tmp_path / 'ae'}: has a run already" in result.err and "--resume auto" in result.err
    assert (tmp_path / "ae" / "last.safetensors").read_bytes() == before
    assert pcgen(*command, "--steps", 8, "--resume", "auto").code == 0
    assert pcgen(*model, "--steps", 8, "--out", tmp_path / "whole").code == 0
    one, other = (training.load(tmp_path / name, checkpoint="last").state_dict() for name in ("ae", "whole"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_run_that_goes_on_has_its_own_seed(pcgen, boxes, tmp_path):
    model = ["train", "autoencoder", "--data", boxes, *SMALL, "--schedule", "constant"]
    assert pcgen(*model, "--seed", 5, "--steps", 4, "--out", tmp_path / "ae").code == 0
    result = pcgen(*model, "--steps", 8, "--resume", "auto", "--out", tmp_path / "ae")
    assert result.code == 0, result.err
    assert pcgen(*model, "--seed", 5, "--steps", 8, "--out", tmp_path / "whole").code == 0
    one, other = (training.load(tmp_path / name, checkpoint="last").state_dict() for name in ("ae", "whole"))
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert pcgen(*model, "--steps", 1, "--resume", "auto", "--out", tmp_path / "new").code == 0
    seeds = [training.Run.open(tmp_path / name).config["training"]["seed"] for name in ("ae", "new")]
    assert seeds == [5, 0]
    result = pcgen(*model, "--seed", 0, "--steps", 8, "--resume", "auto", "--out", tmp_path / "ae")
    assert result.code == 2 and "seed was 5" in result.err


def test_a_leaderboard_goes_on_past_a_model_that_fails(pcgen, boxes, tmp_path, monkeypatch):
    from pcgen.models.mixtures.gaussian import Gaussian

    def fail(self, batch):
        raise RuntimeError("a fault of the model's own")

    monkeypatch.setattr(Gaussian, "update", fail)
    settings = [word.replace("code=", "autoencoder.code=") if isinstance(word, str) else word for word in SMALL[2:4]]
    result = pcgen(
        *("suite", "--data", boxes, "--points", 32, *settings, "--models", "gaussian,gmm", "--effort", 0.01),
        *("--set", "gmm.components=2", "--seeds", 2, "--metrics", "cd", "--out", tmp_path / "board"),
        *("--processes", 1),  # in this one, whose model fails
    )
    assert result.code == 1
    board = json.loads((tmp_path / "board" / "leaderboard.json").read_text())
    failed, done = board["rows"]
    assert failed["model"] == "gaussian" and "a fault of the model's own" in failed["failure"]
    found = done["results"]["exact"]
    assert done["model"] == "gmm" and np.isfinite(found["mean"]["one_nna_cd"]) and done["seeds"] == 2
    assert found["deviation"]["mmd_cd"] > 0
    table = (tmp_path / "board" / "leaderboard.md").read_text()
    assert "| gmm |" in table and "failed: RuntimeError" in table and "training set" in table
    for name in ("contact_sheet.png", "nearest.png", "fidelity_coverage.png", "gmm/samples-1.npz", "reference.npz"):
        assert (tmp_path / "board" / name).stat().st_size > 0


def test_a_leaderboard_keeps_other_models_and_refuses_other_settings(pcgen, boxes, trained, tmp_path):
    board, few = tmp_path / "board", ["--metrics", "cd", "--clouds", 3]
    command = ["suite", "--data", f"{boxes}@val", "--codes", trained[0], "--out", board, *few]
    assert pcgen(*command, "--models", "gmm", "--set", "gmm.components=2", "--effort", 0.1).code == 0
    result = pcgen(*command, "--models", "gaussian")
    assert result.code == 0, result.err
    assert [row["model"] for row in json.loads((board / "leaderboard.json").read_text())["rows"]] == ["gmm", "gaussian"]
    assert "gmm" in result.out and "gaussian" in result.out
    before = (board / "leaderboard.json").read_bytes()
    result = pcgen(*command, "--models", "gaussian", "--seed", 5)
    assert result.code == 2 and "its seed is 0, asked for is 5" in result.err
    assert (board / "leaderboard.json").read_bytes() == before
    result = pcgen(*command, "--models", "gaussian", "--emd-points", 7)
    assert result.code == 2 and "its emd_points is auto, asked for is 7" in result.err
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    result = pcgen("suite", "--data", boxes, "--models", "gaussian", "--out", tmp_path / "other")
    assert result.code == 2 and "notes.txt" in result.err


def test_a_leaderboard_under_several_protocols_says_how_the_order_changes(pcgen, boxes, trained, tmp_path):
    board, few = tmp_path / "board", ["--clouds", 4, "--reference-clouds", 3, "--models", "gmm,gaussian"]
    command = ["suite", "--data", boxes, "--codes", trained[0], "--out", board, *few, "--effort", 0.1]
    result = pcgen(*command, "--set", "gmm.components=2", "--protocol", "exact,lion,pointflow,dpm")
    assert result.code == 0, result.err
    found = json.loads((board / "leaderboard.json").read_text())
    assert {name: stamp["emd"] for name, stamp in found["stamps"].items()} == {
        "exact": "exact",
        "lion": "approxmatch_squared",
        "pointflow": "approxmatch_pointflow",
        "dpm": None,
    }
    assert found["stamps"]["lion"]["counts"]["cd"] == {"samples": 4, "reference": 3, "points": 32}
    values = found["rows"][0]["results"]
    means = {name: result["mean"] for name, result in values.items()}
    assert means["pointflow"]["mmd_cd"] == means["lion"]["mmd_cd"] != means["dpm"]["mmd_cd"]
    assert means["pointflow"]["mmd_emd"] != means["lion"]["mmd_emd"] and "mmd_emd" not in means["dpm"]
    table = (board / "leaderboard.md").read_text()
    assert "## Protocol dpm" in table and "points: 32, dpm has 2048" in table
    assert "| model | exact | lion | pointflow | dpm |" in table and "| model | exact | lion | pointflow |" in table
    assert len(data.load(str(board / "reference.npz"))) == 3


def test_samples_are_compared_on_the_codes_of_a_run(pcgen, boxes, trained, tmp_path):
    command = ["evaluate", f"{boxes}@train", "--reference", f"{boxes}@test", "--metrics", "cd", "--features"]
    result = pcgen(*command, trained[0], "--out", tmp_path / "report.json")
    assert result.code == 0, result.err
    values = json.loads((tmp_path / "report.json").read_text())["rows"][0]["values"]
    tested = [name for name in values if name.endswith(" p")]
    assert {name.partition("[")[0] for name in tested} == {"energy", "kernel_mmd"}
    assert all(trained[0].name in name and 0 < values[name] <= 1 for name in tested)
    assert "on the features of trained models" in result.out


def test_converted_clouds_keep_their_splits_and_are_normalised_if_asked(pcgen, boxes, tmp_path):
    assert pcgen("data", "convert", boxes, "--normalize", "unit_box", "--out", tmp_path / "unit.npz").code == 0
    before, after = data.load(f"{boxes}@all"), data.load(f"{tmp_path / 'unit.npz'}@all")
    sides = after.points.amax(1) - after.points.amin(1)  # (S, 3)
    assert torch.allclose(sides.amax(1), torch.ones(len(after)))
    assert after.labels.equal(before.labels) and after.names == before.names and set(after.splits) >= {"train", "test"}
    assert pcgen("data", "convert", boxes, "--normalize", "global_std", "--out", tmp_path / "std.npz").code == 0
    train = data.load(f"{tmp_path / 'std.npz'}@train").points.double()
    assert train.mean((0, 1)).abs().max() < 1e-6 and train.square().mean().item() == pytest.approx(1, abs=1e-6)
    result = pcgen("data", "convert", boxes, "--normalize", "unit_bx", "--out", tmp_path / "x.npz")
    assert result.code == 2 and "did you mean 'unit_box'?" in result.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "'train'"),
        (["train", "autoencoder", "--out", "x", "--stpes", "3"], "--steps"),
        (
            ["train", "autoencodr", "--data", "shapes:chair=9", "--points", "8", "--out", "x"],
            "did you mean 'autoencoder'?",
        ),
        (["train", "gan", "--out", "x"], "--data, --codes: give one of them"),
        (["train", "gan", "--codes", "nowhere", "--out", "x"], "nowhere: no such run folder"),
        (["sample", "nowhere", "--out", "x.npz"], "nowhere: no such run folder"),
        (["evaluate", "nowhere.npz", "--reference", "shapes:chair=9"], "nowhere.npz"),
        (
            ["evaluate", "shapes:chair=9", "--reference", "shapes:chair=9", "--protocol", "exat"],
            "did you mean 'exact'?",
        ),
        (["data", "info", "shapes:chiar"], "did you mean 'chair'?"),
        (["train", "gan", "--codes", "x", "--points", "9", "--out", "y"], "--points: is settled by the run"),
        (["train", "gan", "--codes", "x", "--out", "./x"], "x is the run that --codes reads"),
        (["evaluate", "shapes:chair=9", "--reference", "shapes:chair=9", "--metrics", "cdd"], "did you mean 'cd'?"),
        (["evaluate", "shapes:chair=9", "--reference", "shapes:chair=9", "--out", "e.txt"], "must end in .json"),
        (["suite", "--data", "shapes:chair=9", "--effort", "-1", "--out", "b"], "effort: must be a factor above 0"),
        (["suite", "--data", "shapes:chair=9", "--set", "lr=3", "--out", "b"], "must be MODEL.name=value"),
        (["train", "gan", "--data", "none", "--out", "x", "--schedule", "cosin"], "did you mean 'cosine'?"),
        (["train", "gan", "--data", "none", "--out", "x", "--clip", "-1"], "clip: must be a norm above 0"),
        (["train", "gan", "--data", "none", "--out", "x", "--minutes", "-1"], "minutes: must be above 0"),
        (["train", "gan", "--data", "none", "--out", "x", "--device", "gpu"], "device: must be cpu, cuda"),
        (["train", "gan", "--data", "none", "--out", "x", "--device", "mps"], "got 'mps'; this machine has cpu"),
        (["train", "gan", "--data", "none", "--out", "x", "--device", "meta"], "got 'meta'; this machine has cpu"),
        (["models", "gann"], "did you mean 'gan'?"),
    ],
)
def test_an_error_is_short_and_names_what_is_right(pcgen, words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = pcgen(*words)
    assert result.code == 2
    assert message in result.err
    assert 1 <= result.err.strip().count("\n") + 1 <= 3
    assert "Traceback" not in result.err
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("cod=3", "--set: must be one of .* got 'cod'; did you mean 'code'?"),
        ("code=many", "--set code: must be a whole number, got 'many'"),
        ("code", "--set: must be name=value, got 'code'"),
        ("shape=[3,3]", "--set: must be one of .* got 'shape'"),
    ],
)
def test_settings_are_checked_by_the_signature(pcgen, boxes, setting, message, tmp_path):
    import re

    result = pcgen("train", "autoencoder", "--data", boxes, "--points", 8, "--set", setting, "--out", tmp_path / "x")
    assert result.code == 2
    assert re.search(message.replace("?", r"\?"), result.err), result.err


def test_want_of_memory_is_told_as_such(pcgen, boxes, tmp_path, monkeypatch):
    from pcgen.models.clouds.autoencoder import Autoencoder

    monkeypatch.setattr(Autoencoder, "loss", lambda *_: torch.empty(10**15))
    result = pcgen("train", "autoencoder", "--data", boxes, *SMALL, "--steps", 1, "--out", tmp_path / "x")
    assert result.code == 2 and result.err.splitlines()[-1].startswith("pcgen: out of memory; take fewer clouds")


@pytest.mark.parametrize("words", [[], ["data"]])
def test_no_command_is_a_question_for_help(pcgen, words):
    result = pcgen(*words)
    assert result.code == 0 and "Usage: pcgen" in result.out and result.err == ""


def test_the_shell_completes_commands(monkeypatch, pcgen):
    monkeypatch.setenv("_PCGEN_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "pcgen e")
    monkeypatch.setenv("COMP_CWORD", "1")
    result = pcgen()
    assert result.code == 0 and result.out.split() == ["encode", "explore", "evaluate"]


@pytest.mark.parametrize(
    ("before", "given", "spins"),
    [
        ("", {}, "5000"),
        ("import torch", {}, "None"),
        ("", {"OMP_WAIT_POLICY": "active"}, "None"),
        ("", {"GOMP_SPINCOUNT": "100"}, "100"),
    ],
)
def test_waiting_threads_soon_sleep_unless_the_user_has_chosen(before, given, spins):
    kept = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    code = f"{before}\nimport os, sys, pcgen.cli\nprint(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], env=kept | given, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == [spins, str(bool(before))]  # and the command line has not loaded torch


def test_options_of_sampling_reach_the_model(pcgen, trained, tmp_path):
    head = tmp_path / "diffusion"
    settings = ["--set", "times=10", "--set", "width=16"]
    assert pcgen("train", "diffusion", "--codes", trained[0], *settings, "--steps", 3, "--out", head).code == 0
    result = pcgen("sample", head, "-n", 2, "--set", "steps=2", "--set", "sampler=ddim", "--out", tmp_path / "s.npz")
    assert result.code == 0, result.err
    result = pcgen("sample", head, "-n", 2, "--set", "steps=11", "--out", tmp_path / "t.npz")
    assert result.code == 2 and "steps: must be" in result.err


def test_debug_shows_the_trace(pcgen):
    result = pcgen("data", "info", "shapes:chiar", "--debug")
    assert result.code == 2 and "Traceback" in result.err and "did you mean 'chair'?" in result.err


def test_a_head_is_no_autoencoder_and_an_autoencoder_does_not_generate(pcgen, trained, tmp_path):
    result = pcgen("train", "gan", "--codes", trained[1], "--out", tmp_path / "x")
    assert result.code == 2 and "give the run folder of an autoencoder" in result.err
    result = pcgen("sample", trained[0], "--out", tmp_path / "x.npz")
    assert result.code == 2 and "autoencoder does not generate; train a head on its codes" in result.err


def test_models_and_their_options_are_listed(pcgen):
    from pcgen.models import MODELS

    result = pcgen("models")
    assert result.code == 0 and all(name in result.out for name in MODELS)
    result = pcgen("models", "gmm")
    assert result.code == 0 and "components" in result.out and "32" in result.out
    result = pcgen("models", "pointnet2_classifier")
    assert result.code == 0 and "neighbours" in result.out and "labelled clouds" not in result.out
    result = pcgen("models", "--markdown")
    assert result.out.count("\n| `") == len(MODELS)
