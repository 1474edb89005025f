"""What `fit` returns and writes, and what it refuses to overwrite."""

import os
from pathlib import Path

import pytest
import torch
from tiny_learners import Denoiser, Line, equal, vectors
from torch import Tensor

from pcgen.data import Normalization
from pcgen.files import read_tensors
from pcgen.models.base import Batch
from pcgen.training import Run, Step, fit, load


def test_python_users_call_fit_and_get_the_model_trained() -> None:
    model = Denoiser((5,))
    before = model.net[0].weight.clone()
    trained = fit(model, vectors(), steps=5, batch_size=8)
    assert trained is model
    assert not trained.training
    assert not torch.equal(before, trained.net[0].weight)


def test_a_second_training_takes_the_optimizers_state_to_where_the_weights_are() -> None:
    model = fit(Denoiser((5,)), vectors(), steps=3)
    weight = model.net[0].weight
    # Of another type, as if it were on another device.
    model.optimizer.state[weight]["exp_avg"] = model.optimizer.state[weight]["exp_avg"].double()
    fit(model, vectors(), steps=2)
    assert model.optimizer.state[weight]["exp_avg"].dtype == torch.float32
    assert int(model.optimizer.state[weight]["step"]) == 5


@pytest.mark.parametrize("average", [None, 0.9])
def test_load_gives_back_what_fit_returned(tmp_path: Path, average: float | None) -> None:
    trained = fit(Denoiser((5,)), vectors(), out=tmp_path / "run", steps=9, batch_size=8, average=average)
    loaded = load(tmp_path / "run", model=Denoiser((5,)))
    assert equal(trained, loaded)
    assert not loaded.training
    raw, _ = read_tensors(tmp_path / "run" / "last.safetensors")
    assert torch.equal(raw["model.net.0.weight"], loaded.net[0].weight) == (average is None)


def test_a_run_tells_how_it_was_made(tmp_path: Path) -> None:
    about = {"spec": "shapes:chair@train", "normalization": Normalization("bbox").to_dict()}
    fit(Denoiser((5,)), vectors(), out=tmp_path / "run", about=about, epochs=3, batch_size=8, seed=4, log_every=6)
    run = Run.open(tmp_path / "run")
    assert run.normalization == Normalization("bbox")
    assert run.config["data"]["spec"] == "shapes:chair@train"
    assert run.config["data"]["shape"] == [37, 5]
    assert run.config["training"]["epochs"] == 3 and run.config["training"]["seed"] == 4
    assert run.config["versions"]["torch"] == torch.__version__
    assert run.config["threads"] == torch.get_num_threads()
    assert [row["step"] for row in run.history] == [6, 12, 15]
    assert {"epoch", "seconds", "losses", "rates"} < run.history[0].keys()
    assert sorted(os.listdir(run.path)) == ["config.json", "history.jsonl", "last.safetensors"]


def test_history_holds_means_of_the_losses_since_the_row_before(tmp_path: Path) -> None:
    seen: list[Step] = []
    fit(Line(), torch.randn(8, 1), out=tmp_path / "run", steps=7, batch_size=4, log_every=3, progress=seen.append)
    losses = [step.losses["line"] for step in seen]
    rows = [row["losses"]["line"] for row in Run.open(tmp_path / "run").history]
    assert rows == pytest.approx([sum(losses[:3]) / 3, sum(losses[3:6]) / 3, losses[6]])


def test_the_mean_of_a_loss_is_over_the_updates_that_have_it(tmp_path: Path) -> None:
    class Seldom(Line):
        """Every third update has another value."""

        def update(self, batch: Batch) -> dict[str, Tensor]:
            seldom = {} if int(self.learned) % 3 else {"learned": self.learned.clone()}
            return {**super().update(batch), **seldom}

    fit(Seldom(), torch.ones(4, 1), out=tmp_path / "run", steps=10, log_every=5)
    rows = [row["losses"] for row in Run.open(tmp_path / "run").history]
    assert [row["learned"] for row in rows] == [(0 + 3) / 2, (6 + 9) / 2]
    assert [row["line"] for row in rows] == [-2, -7]  # from 0 down by 1 an update


def test_a_folder_with_something_in_it_is_not_overwritten(tmp_path: Path) -> None:
    run, other, file = tmp_path / "run", tmp_path / "other", tmp_path / "file"
    fit(Line(), torch.ones(4, 1), out=run, steps=2)
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    file.write_text("text")
    before = (run / "last.safetensors").read_bytes()
    for path, overwrite, told in (
        (run, False, "run: has a run already; choose another"),
        (other, False, "other: exists and is not a run folder"),
        (other, True, "other: exists and is not a run folder"),
        (file, True, "file: is a file"),
    ):
        with pytest.raises(FileExistsError, match=told):
            fit(Line(), torch.ones(4, 1), out=path, steps=3, overwrite=overwrite)
    assert (run / "last.safetensors").read_bytes() == before
    assert (other / "thesis.txt").read_text() == "years of work"
    fit(Line(), torch.ones(4, 1), out=run, steps=3, overwrite=True)
    assert [row["step"] for row in Run.open(run).history] == [3]


def test_a_training_that_fails_before_it_has_saved_anything_leaves_nothing(tmp_path: Path) -> None:
    class Refusing(Line):
        def setup(self, data: Tensor) -> None:
            raise ValueError("components: must be at most 4")

    (tmp_path / "stood").mkdir()
    for _ in range(2):
        for out in ("new", "stood"):
            with pytest.raises(ValueError, match="components"):
                fit(Refusing(), torch.ones(4, 1), out=tmp_path / out, steps=3)
    assert os.listdir(tmp_path) == ["stood"]
    assert os.listdir(tmp_path / "stood") == []


def test_nothing_is_made_or_deleted_for_options_that_are_refused(tmp_path: Path) -> None:
    fit(Line(), torch.ones(4, 1), out=tmp_path / "run", steps=2)
    for out in ("run", "new"):
        with pytest.raises(ValueError, match="schedule"):
            fit(Line(), torch.ones(4, 1), out=tmp_path / out, schedule="none", overwrite=True)
        with pytest.raises(TypeError, match="JSON"):
            fit(Line(), torch.ones(4, 1), out=tmp_path / out, about={"spec": object()}, overwrite=True)
    assert os.listdir(tmp_path) == ["run"]
    assert load(tmp_path / "run", model=Line()).weight.item() == -2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"resume": "auto"}, "resume: needs a run folder"),
        ({"overwrite": True}, "overwrite: needs a run folder"),
        ({"out": "x", "resume": "yes"}, "resume: must be one of auto"),
        ({"out": "x", "resume": "auto", "overwrite": True}, "resume, overwrite: give one"),
        ({"save_every": 0}, "save_every: must be at least 1, got 0"),
        ({"device": "cuda:99"}, r"device: cuda:99 was asked for .* \d+ CUDA device"),
        ({"device": "gpu"}, "device: must be cpu, cuda"),
        ({"validation": torch.ones(3, 2)}, r"validation: must be \(S, 1\)"),
    ],
)
def test_options_of_fit_that_make_no_sense_are_refused(options: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        fit(Line(), torch.ones(4, 1), **options)


def test_tensorboard_is_used_where_it_is_and_asked_for_where_it_is_not(tmp_path: Path) -> None:
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        with pytest.raises(ValueError, match="tensorboard: is not installed"):
            fit(Line(), torch.ones(4, 1), out=tmp_path / "run", steps=2, tensorboard=True)
        assert os.listdir(tmp_path) == []
    else:
        fit(Line(), torch.ones(4, 1), out=tmp_path / "run", steps=2, tensorboard=True)
        assert len(os.listdir(tmp_path / "run" / "events")) == 1
