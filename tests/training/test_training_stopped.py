"""What stops a training: values that are not finite, signals, a full disk; and what it leaves behind."""

import math
import os
import resource
import signal
import threading
from pathlib import Path

import pytest
import torch
from processes import start
from tiny_learners import Denoiser, Line, Shift, equal, vectors
from torch import Tensor

from pcgen.files import read_tensors
from pcgen.models.base import Batch
from pcgen.training import Interrupted, NotFinite, Step, fit


def test_a_model_that_diverged_before_its_validation_stops_with_the_batch_that_did_it(tmp_path: Path) -> None:
    clouds = vectors(6, 24).reshape(6, 8, 3)
    model = Shift((8, 3))
    model.first.param_groups[0]["lr"] = math.inf
    with pytest.raises(
        NotFinite, match=r"^step 1: validation: a sample is not finite .*batch-1\.safetensors"
    ) as raised:
        fit(model, clouds, validation=clouds, out=tmp_path / "run", steps=2, batch_size=4)
    assert raised.value.step == 1
    saved, _ = read_tensors(tmp_path / "run" / "batch-1.safetensors")
    assert torch.equal(saved["x"], clouds[saved["rows"]])


def test_a_batch_that_is_not_finite_is_saved_and_the_checkpoint_stays(tmp_path: Path) -> None:
    class Bad(Line):
        def loss(self, batch: Batch) -> dict[str, Tensor]:
            return {"line": self.weight * batch.x.mean() * (math.nan if float(self.weight) < -3 else 1.0)}

    data = torch.ones(6, 1)
    with pytest.raises(NotFinite, match=r"step 5: loss nan .* the batch is in .*/run/batch-5\.safetensors") as raised:
        fit(Bad(), data, out=tmp_path / "run", steps=9, batch_size=4, save_every=2)
    tensors, about = read_tensors(tmp_path / "run" / "batch-5.safetensors")
    assert torch.equal(tensors["x"], raised.value.batch.x)
    assert torch.equal(tensors["rows"], raised.value.batch.rows)
    assert about["step"] == 5
    assert read_tensors(tmp_path / "run" / "last.safetensors")[1]["step"] == 4
    with pytest.raises(NotFinite, match="step 5: loss nan"):
        fit(Bad(), data, steps=9, batch_size=4)


def send(number: int, at: int):
    def progress(step: Step) -> None:
        if step.step == at:
            os.kill(os.getpid(), number)

    return progress


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_saves_after_the_update_and_raises(tmp_path: Path, number: signal.Signals) -> None:
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]
    options = {"out": tmp_path / "run", "steps": 9, "batch_size": 8, "seed": 1}
    torch.manual_seed(1)
    whole = fit(Denoiser((5,)), vectors(), **(options | {"out": tmp_path / "whole"}))
    torch.manual_seed(1)
    with (
        pytest.warns(
            UserWarning, match=f"{number.name} stopped the training; step 4 is saved in .*; continue with --resume auto"
        ),
        pytest.raises(Interrupted) as raised,
    ):
        fit(Denoiser((5,)), vectors(), progress=send(number, 4), **options)
    assert raised.value.code == 128 + number
    assert raised.value.signal is number
    assert read_tensors(tmp_path / "run" / "last.safetensors")[1]["step"] == 4
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)] == handlers
    assert equal(whole, fit(Denoiser((5,)), vectors(), resume="auto", **options))


def train_until_told(out: str) -> None:
    def progress(step: Step) -> None:
        if step.step == 3:
            Path(out, "ready").touch()

    fit(Denoiser((5,)), vectors(), out=out, minutes=5, progress=progress)


def test_a_process_that_is_told_to_end_exits_with_its_own_code(tmp_path: Path) -> None:
    process = start(train_until_told, str(tmp_path / "run"))
    while process.is_alive() and not (tmp_path / "run" / "ready").exists():
        process.join(0.01)
    os.kill(process.pid, signal.SIGTERM)
    process.join()
    assert process.exitcode == 143
    assert read_tensors(tmp_path / "run" / "last.safetensors")[1]["step"] >= 3


def test_a_disk_that_fills_up_stops_the_training_which_goes_on_where_it_was(tmp_path: Path) -> None:
    options = {"steps": 6, "batch_size": 8, "seed": 1, "save_every": 2}
    torch.manual_seed(1)
    whole = fit(Denoiser((5,)), vectors(), out=tmp_path / "whole", **options)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)

    def progress(step: Step) -> None:
        if step.step == 4:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limit[1]))

    torch.manual_seed(1)
    try:
        with pytest.raises(
            OSError, match=r"run/last\.safetensors: could not be written .* is unchanged; free some space"
        ):
            fit(Denoiser((5,)), vectors(), out=tmp_path / "run", progress=progress, **options)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert read_tensors(tmp_path / "run" / "last.safetensors")[1]["step"] == 2
    assert sorted(os.listdir(tmp_path / "run")) == ["config.json", "history.jsonl", "last.safetensors"]
    assert equal(whole, fit(Denoiser((5,)), vectors(), out=tmp_path / "run", resume="auto", **options))


def test_without_a_run_folder_signals_act_as_ever() -> None:
    # A shell starts what it runs in the background with SIGINT ignored, and this test may be run so.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(Denoiser((5,)), vectors(), steps=9, progress=send(signal.SIGINT, 2))
    finally:
        signal.signal(signal.SIGINT, before)


def test_training_in_another_thread_leaves_signals_alone(tmp_path: Path) -> None:
    done = []
    thread = threading.Thread(
        target=lambda: done.append(fit(Denoiser((5,)), vectors(), out=tmp_path / "run", steps=3, batch_size=8))
    )
    thread.start()
    thread.join()
    assert len(done) == 1
