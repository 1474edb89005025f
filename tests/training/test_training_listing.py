import json

import pytest
import torch

from pcgen import training
from pcgen.models.mixtures.gaussian import Gaussian
from pcgen.models.variational.vae import VAE
from pcgen.training.listing import differences, find_runs, summarise


def test_a_run_is_summed_up_from_its_files(tmp_path):
    torch.manual_seed(0)
    x = torch.randn(64, 3)
    about = {"training_set": {"spec": "shapes:chair"}}
    training.fit(
        VAE((3,), code=2, widths=[8]), x, out=tmp_path / "deep" / "vae", steps=10, validation=x[:8], about=about
    )
    training.fit(Gaussian((3,)), x, out=tmp_path / "gaussian")
    assert list(find_runs(tmp_path)) == [tmp_path / "deep" / "vae", tmp_path / "gaussian"]
    found = summarise(tmp_path / "deep" / "vae")
    history = training.Run.open(tmp_path / "deep" / "vae").history
    taken = {row["step"]: row["validation"] for row in history if row.get("validation") is not None}
    assert (found.model, found.data, found.steps, found.share) == ("vae", "shapes:chair", 10, 1.0)
    assert found.validation == min(taken.values()) == taken[found.best]
    assert found.losses == history[-1]["losses"] and found.seconds == history[-1]["seconds"]
    assert found.bytes == sum(path.stat().st_size for path in (tmp_path / "deep" / "vae").iterdir())
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        next(find_runs(tmp_path / "nowhere"))


def test_a_training_that_stopped_half_way_is_half_done(tmp_path):
    training.fit(VAE((3,), code=2, widths=[8]), torch.randn(64, 3), out=tmp_path, steps=10, log_every=5)
    history = (tmp_path / "history.jsonl").read_text().splitlines()
    (tmp_path / "history.jsonl").write_text(history[0] + "\n")
    found = summarise(tmp_path)
    assert (found.steps, found.share, found.validation, found.best) == (5, 0.5, None, None)


def test_options_that_differ_are_told_by_their_names(tmp_path):
    x = torch.randn(64, 3)
    for name, code in (("a", 2), ("b", 1)):
        training.fit(VAE((3,), code=code, widths=[8]), x, out=tmp_path / name, steps=2 + code)
    config = json.loads((tmp_path / "b" / "config.json").read_text())
    config["extra"] = {"new": 7}
    (tmp_path / "b" / "config.json").write_text(json.dumps(config))
    found = differences(tmp_path / "a", tmp_path / "b")
    assert found == {"model.code": (2, 1), "training.steps": (4, 3), "extra.new": (None, 7)}


def test_a_training_of_epochs_is_done_after_the_last_update_of_the_last(tmp_path):
    training.fit(VAE((3,), code=2, widths=[8]), torch.randn(40, 3), out=tmp_path, epochs=2, batch_size=8, log_every=5)
    assert summarise(tmp_path).share == 1.0
    history = (tmp_path / "history.jsonl").read_text().splitlines()
    (tmp_path / "history.jsonl").write_text(history[0] + "\n")
    assert summarise(tmp_path).share == 0.5  # 5 of 10 updates, of the first epoch all
