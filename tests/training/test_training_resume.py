"""A training that was stopped and continued ends as if it had never been: file by file, byte by byte."""

import copy
import json
import random
import signal
import time
import warnings
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from processes import start
from tiny_learners import Denoiser, jitter, train, vectors

from pcgen.data import Augmentation
from pcgen.files import read_tensors, write_tensors
from pcgen.models import MODELS, Learner
from pcgen.training import Run, fit, load
from pcgen.training.resume import compare

FILES = ("last.safetensors", "best.safetensors")


def timeless(run: Path) -> list[dict[str, object]]:
    rows = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def same(one: Path, other: Path) -> None:
    for name in FILES:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert timeless(one) == timeless(other)


class Stop(Exception):
    pass


def stop_at(number: int):
    def progress(step):
        if step.step == number:
            raise Stop

    return progress


@pytest.mark.parametrize("kind", ["vectors", "clouds"])
@pytest.mark.parametrize("save_every", [7, 10])
def test_stopped_anywhere_in_an_epoch_and_resumed_is_bit_equal(tmp_path: Path, kind: str, save_every: int) -> None:
    train(kind, str(tmp_path / "whole"), save_every=10_000)
    for stop in (3, 48, 121, 202):  # before the first checkpoint, and after steps that are and are not saved ones
        with pytest.raises(Stop):
            train(kind, str(tmp_path / "parts"), save_every=save_every, progress=stop_at(stop))
    train(kind, str(tmp_path / "parts"), save_every=save_every)
    same(tmp_path / "whole", tmp_path / "parts")


def train_saving_often(out: str) -> None:
    train("vectors", out, save_every=3)


def test_kill_9_at_random_moments_and_resume_is_bit_equal(tmp_path: Path) -> None:
    train("vectors", str(tmp_path / "whole"), save_every=10_000)
    draw, killed = random.Random(0), 0
    for longest in (0.0, 0.03, 0.06, 0.1):  # the first at once: a busy machine may be late, and the training be over
        process = start(train_saving_often, str(tmp_path / "killed"))
        before = steps_of(tmp_path / "killed")
        while process.is_alive() and steps_of(tmp_path / "killed") == before:
            time.sleep(0.002)  # Killed only once it has got further, or the test would never end.
        time.sleep(draw.uniform(0, longest))
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
    assert killed > 0
    train_saving_often(str(tmp_path / "killed"))
    same(tmp_path / "whole", tmp_path / "killed")
    assert Run.open(tmp_path / "killed").config.get("notes", []) == []


def steps_of(run: Path) -> int:
    path = run / "last.safetensors"
    return read_tensors(path)[1]["step"] if path.is_file() else 0


def short(out: Path, **options: object) -> Denoiser:
    torch.manual_seed(1)
    model = Denoiser((5,))
    settings = {"steps": 10, "batch_size": 8, "seed": 1, "save_every": 5}
    return fit(model, options.pop("data", vectors()), out=out, **(settings | options))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"batch_size": 9}, "batch_size was 8 .* is 9 now"),
        ({"data": vectors() + 1e-6}, "data.sha256 was"),
        ({"data": vectors()[:36]}, r"data.sha256 was|data.shape was \[37, 5\]"),
        ({"schedule": "cosine"}, "schedule was 'constant' .* is 'cosine' now"),
        ({"average": 0.5}, "average was 0.0 .* is 0.5 now"),
        ({"validate_every": 5}, "validate_every was None .* is 5 now"),
        ({"seed": 2}, "seed was 1 .* is 2 now"),
        ({"augment": jitter}, "augment was None .* is 'jitter' now"),
        ({"validation": vectors()[:5]}, "validation"),
        ({"labels": torch.zeros(37, dtype=torch.int64)}, "data.sha256 was"),
    ],
)
def test_resume_refuses_another_training_and_names_both_values(tmp_path: Path, changed: dict, told: str) -> None:
    short(tmp_path / "run")
    before = (tmp_path / "run" / "last.safetensors").read_bytes()
    with pytest.raises(ValueError, match=told):
        short(tmp_path / "run", resume="auto", **({"steps": 20} | changed))
    assert (tmp_path / "run" / "last.safetensors").read_bytes() == before


def test_resume_refuses_another_end_where_the_schedule_depends_on_it(tmp_path: Path) -> None:
    short(tmp_path / "run", schedule="linear")
    with pytest.raises(ValueError, match=r"steps was 10 .* is 20 now"):
        short(tmp_path / "run", schedule="linear", steps=20, resume="auto")


def test_a_constant_schedule_is_extended_as_if_it_had_been_longer(tmp_path: Path) -> None:
    short(tmp_path / "long", steps=20)
    short(tmp_path / "run")
    short(tmp_path / "run", steps=20, resume="auto")
    long, run = (load(tmp_path / name, model=Denoiser((5,))) for name in ("long", "run"))
    for name, value in long.state_dict().items():
        assert torch.equal(value, run.state_dict()[name]), name
    assert Run.open(tmp_path / "run").config["training"]["steps"] == 20
    assert [row["step"] for row in Run.open(tmp_path / "run").history] == [10, 20]


def test_resume_notes_what_may_differ(tmp_path: Path) -> None:
    short(tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    config = json.loads(path.read_text())
    config["versions"]["torch"], config["threads"] = "2.10.0", 64
    path.write_text(json.dumps(config))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        short(tmp_path / "run", resume="auto")  # it is finished: nothing continues that could differ
    with pytest.warns(UserWarning, match="threads was 64"), pytest.warns(UserWarning, match=r"torch was '2.10.0'"):
        short(tmp_path / "run", steps=20, resume="auto")
    assert len(Run.open(tmp_path / "run").config["notes"]) == 2


def test_a_damaged_checkpoint_is_passed_over_for_a_whole_one(tmp_path: Path) -> None:
    short(tmp_path / "run", validation=vectors()[:9], validate_every=5)
    whole = (tmp_path / "run" / "last.safetensors").read_bytes()
    (tmp_path / "run" / "last.safetensors").write_bytes(whole[:-10])
    with pytest.warns(UserWarning, match=r"last\.safetensors: damaged"):
        short(tmp_path / "run", validation=vectors()[:9], validate_every=5, resume="auto")
    assert (tmp_path / "run" / "last.safetensors").read_bytes() == whole
    for name in FILES:
        (tmp_path / "run" / name).write_bytes(whole[:100])
    with pytest.raises(ValueError, match="no whole checkpoint is left"):
        short(tmp_path / "run", validation=vectors()[:9], validate_every=5, resume="auto")


def test_resume_of_nothing_starts_afresh(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "absent"):
        short(tmp_path / folder, resume="auto")
        assert steps_of(tmp_path / folder) == 10


def test_resume_of_what_is_no_training_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("years of work")
    with pytest.raises(FileNotFoundError, match="other: not a run folder"):
        short(tmp_path / "other", resume="auto")
    assert (tmp_path / "other" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ({"steps": 3}, "and steps 3 asks for no more; give more steps"),
        ({"steps": None, "epochs": 1}, "and epochs 1 asks"),
    ],
)
def test_an_end_that_lies_behind_is_refused_and_leaves_the_run_as_it_was(
    tmp_path: Path, limit: dict, told: str
) -> None:
    short(tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with pytest.raises(ValueError, match=f"run is at step 10, {told}"):
        short(tmp_path / "run", resume="auto", **limit)
    short(tmp_path / "run", resume="auto", steps=None, epochs=2)  # of 5 batches each: the end where it stands
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_the_screen_tells_where_a_training_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short(tmp_path / "run")
    short(tmp_path / "run", resume="auto", progress=True)
    assert f"note: {tmp_path / 'run'}: is finished, at step 10; nothing is left to train" in capsys.readouterr().err
    short(tmp_path / "run", resume="auto", steps=12, progress=True)
    assert f"note: {tmp_path / 'run'}: resumed at step 10" in capsys.readouterr().err


def test_another_model_or_reading_of_the_data_is_told_before_what_follows_from_it(tmp_path: Path) -> None:
    def train(model: Learner, normalize: str, scale: float, **options: object) -> None:
        about = {"training_set": {"spec": "shapes", "normalize": normalize}, "normalization": {"name": normalize}}
        fit(model, scale * vectors(), out=tmp_path / "run", about=about, steps=2, batch_size=8, **options)

    train(MODELS["gan"]((5,)), "none", 1.0)
    with pytest.raises(ValueError, match=r"^resume: normalize was 'none' in \S+/run and is 'unit_sphere' now; give"):
        train(MODELS["gan"]((5,)), "unit_sphere", 2.0, resume="auto")
    with pytest.raises(ValueError, match=r"^resume: model\.name was 'gan' in \S+/run and is 'vae' now; give"):
        train(MODELS["vae"]((5,)), "unit_sphere", 2.0, resume="auto")


def test_a_finished_training_is_resumed_without_a_step(tmp_path: Path) -> None:
    done = short(tmp_path / "run", average=0.9)
    again = short(tmp_path / "run", average=0.9, resume="auto")
    for name, value in done.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_minutes_go_on_from_the_time_that_was_spent(tmp_path: Path) -> None:
    for _ in range(2):
        short(tmp_path / "run", steps=None, minutes=0.01, resume="auto")
    spent = read_tensors(tmp_path / "run" / "last.safetensors")[1]["seconds"]
    assert 0.6 <= spent < 5  # twice as much, had the second begun anew, is excluded by the history
    rows = Run.open(tmp_path / "run").history
    assert [row["step"] for row in rows] == sorted({row["step"] for row in rows})


def test_what_is_left_open_is_as_the_run_had_it(tmp_path: Path) -> None:
    """A recipe's warm-up follows from the length of the training, and bfloat16 from the device."""
    options = {"batch_size": 8, "warmup": None, "bf16": True, "seed": 1, "average": 0.5, "clip": 2.0, "log_every": 7}
    fit(Denoiser((5,)), vectors(), out=tmp_path / "run", steps=30, **options)
    model = fit(Denoiser((5,)), vectors(), out=tmp_path / "run", steps=40, resume="auto")
    kept = Run.open(tmp_path / "run").config["training"]
    assert {name: kept[name] for name in ("batch_size", "bf16", "seed", "average", "clip", "log_every", "steps")} == {
        "batch_size": 8,
        "bf16": True,
        "seed": 1,
        "average": 0.5,
        "clip": 2.0,
        "log_every": 7,
        "steps": 40,
    }
    assert [row["step"] for row in Run.open(tmp_path / "run").history] == [7, 14, 21, 28, 30, 35, 40]
    whole = fit(Denoiser((5,)), vectors(), out=tmp_path / "run", resume="auto")  # nor is the end to be told again
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in whole.state_dict().items())


def test_what_is_written_when_may_change(tmp_path: Path) -> None:
    short(tmp_path / "whole", steps=20)
    short(tmp_path / "run", log_every=4, save_every=3)
    short(tmp_path / "run", log_every=3, save_every=100, steps=20, resume="auto")
    whole, run = (load(tmp_path / name, model=Denoiser((5,))).state_dict() for name in ("whole", "run"))
    assert all(torch.equal(value, run[name]) for name, value in whole.items())
    assert [row["step"] for row in Run.open(tmp_path / "run").history] == [4, 8, 10, 12, 15, 18, 20]
    kept = Run.open(tmp_path / "run").config["training"]
    assert (kept["log_every"], kept["save_every"]) == (3, 100)


def test_a_checkpoint_with_one_count_for_all_losses_is_resumed(tmp_path: Path) -> None:
    with pytest.raises(Stop):
        short(tmp_path / "run", progress=stop_at(8))
    tensors, about = read_tensors(tmp_path / "run" / "last.safetensors")
    assert about["counted"] == {"mse": 5}
    write_tensors(tmp_path / "run" / "last.safetensors", tensors, {**about, "counted": 5})
    short(tmp_path / "run", resume="auto")
    short(tmp_path / "whole")
    assert timeless(tmp_path / "run") == timeless(tmp_path / "whole")


def test_the_end_of_a_training_that_follows_its_progress_does_not_move(tmp_path: Path) -> None:
    x = torch.randn(60, 3)
    fit(MODELS["som"]((3,), height=2, width=2), x, out=tmp_path / "run", steps=10)
    with pytest.raises(ValueError, match=r"resume: steps was 10 .* is 20 now"):
        fit(MODELS["som"]((3,), height=2, width=2), x, out=tmp_path / "run", steps=20, resume="auto")


def test_a_run_of_before_an_argument_of_augmentation_goes_on(tmp_path: Path) -> None:
    short(tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    config = json.loads(path.read_text())
    config["training"]["augment"] = asdict(Augmentation(stretch=0.1))
    written = copy.deepcopy(config)
    del written["training"]["augment"]["rotated"]
    path.write_text(json.dumps(written))
    assert compare(Run.open(tmp_path / "run"), config) == []
    config["training"]["augment"]["rotated"] = 0.5
    with pytest.raises(ValueError, match=r"augment\.rotated was 1\.0 .* is 0\.5 now"):
        compare(Run.open(tmp_path / "run"), config)
