"""`pcgen runs`."""

import shutil

import torch

from pcgen import training
from pcgen.models.mixtures.gaussian import Gaussian
from pcgen.models.variational.vae import VAE


def test_runs_are_listed_and_what_is_damaged_is_named(pcgen, tmp_path):
    x = torch.randn(64, 3)
    training.fit(VAE((3,), code=2, widths=[8]), x, out=tmp_path / "vae", steps=3)
    training.fit(Gaussian((3,)), x, out=tmp_path / "gaussian")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "config.json").write_text("{")
    result = pcgen("runs", tmp_path)
    assert result.code == 0, result.err
    assert "gaussian" in result.out and "3 steps" in result.out and " MB" in result.out
    assert "left out:" in result.err and "config.json: damaged" in result.err


def test_two_runs_are_compared(pcgen, tmp_path):
    for name, code in (("a", 2), ("b", 1)):
        training.fit(
            VAE((3,), code=code, widths=[8]),
            torch.ones(64, 3) * torch.arange(64)[:, None],
            out=tmp_path / name,
            steps=2,
        )
    result = pcgen("runs", tmp_path / "a", tmp_path / "b", "--compare")
    assert result.code == 0, result.err
    assert "model.code" in result.out and "model.widths" not in result.out
    shutil.copytree(tmp_path / "a", tmp_path / "again")
    same = pcgen("runs", tmp_path / "a", tmp_path / "again", "--compare")
    assert same.code == 0 and "no option differs" in same.err
    one = pcgen("runs", tmp_path / "a", "--compare")
    assert one.code == 2 and "--compare: needs two runs, got 1" in one.err
    empty = tmp_path / "empty"
    empty.mkdir()
    none = pcgen("runs", empty)
    assert none.code == 2 and "has no runs" in none.err


def test_a_run_knows_its_size_without_its_model(tmp_path, monkeypatch):
    training.fit(VAE((3,), code=2, widths=[8]), torch.randn(64, 3), out=tmp_path / "vae", steps=3)
    run = training.Run.open(tmp_path / "vae")
    size = sum(value.numel() for value in run.model().state_dict().values())
    monkeypatch.setattr(training.Run, "_build", None)
    assert run.size() == size
