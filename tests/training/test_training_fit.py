"""`fit` around the loop: run folders, validation, signals, what is saved where."""

import json
import math
import os
import resource
import signal
import threading
from pathlib import Path

import pytest
import torch
from processes import start
from tiny_learners import Denoiser, Line, Shift, vectors
from torch import Tensor

from pcgen.data import Normalization
from pcgen.files import read_tensors
from pcgen.models.base import Batch, Learner
from pcgen.statistics import energy_distance
from pcgen.training import Interrupted, NotFinite, Run, Step, fit, load
from pcgen.training.validation import Validation


def equal(one: Learner, other: Learner) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in one.state_dict().items())


def test_python_users_call_fit_and_get_the_model_trained() -> None:
    model = Denoiser((5,))
    before = model.net[0].weight.clone()
    trained = fit(model, vectors(), steps=5, batch_size=8)
    assert trained is model
    assert not trained.training
    assert not torch.equal(before, trained.net[0].weight)


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


def test_the_best_checkpoint_is_the_one_that_validated_best(tmp_path: Path) -> None:
    class Bowl(Line):
        """Descends w, and is best on held-out rows at w = -3."""

        def validate(self, data: Batch) -> Tensor:
            return (self.weight.detach() + data.x.mean()).square()

    data = torch.ones(4, 1)
    model = fit(Bowl(), data, validation=3 * data, out=tmp_path / "run", steps=8, validate_every=1)
    assert model.weight.item() == -8
    assert load(tmp_path / "run", "best", model=Bowl()).weight.item() == -3
    assert load(tmp_path / "run", "last", model=Bowl()).weight.item() == -8
    assert load(tmp_path / "run", model=Bowl()).weight.item() == -3  # the best where there is one
    assert [row["validation"] for row in Run.open(tmp_path / "run").history] == [
        (step - 3) ** 2 for step in range(1, 9)
    ]


def test_validation_is_taken_twenty_times_and_at_the_end_unless_told_otherwise(tmp_path: Path) -> None:
    options = {"validation": vectors()[:9], "batch_size": 8}
    for steps, every, expected in ((60, None, 20), (7, None, 7), (10, 4, 3), (63, None, 20)):
        seen: list[Step] = []
        fit(Denoiser((5,)), vectors(), steps=steps, validate_every=every, progress=seen.append, **options)
        assert sum(step.validation is not None for step in seen) == expected
        assert seen[-1].validation is not None


def test_validation_leaves_training_untouched() -> None:
    def trained(**options: object) -> Denoiser:
        torch.manual_seed(2)
        return fit(Denoiser((5,)), vectors(), steps=12, batch_size=8, **options)

    assert equal(trained(), trained(validation=vectors()[:9], validate_every=1))


def test_validation_of_a_gradient_learner_is_its_loss_in_evaluation_mode() -> None:
    class Plain(Denoiser):
        def loss(self, batch: Batch) -> dict[str, Tensor]:
            assert not self.training and not torch.is_grad_enabled()
            return {"a": (self.net(batch.x) - batch.x).square().mean(), "b": batch.x.abs().mean()}

    model, rows = Plain((5,)), vectors(150)
    value = Validation(model, rows)(model)
    model.eval()
    expected = (model.net(rows) - rows).square().mean() + rows.abs().mean()
    assert value == pytest.approx(expected.item(), rel=1e-5)
    model.train()
    Validation(model, rows)(model)
    assert model.training


def test_validation_of_a_sampler_is_an_energy_distance_under_one_seed() -> None:
    model, rows = Shift((5,)), vectors(50)
    measure = Validation(model, rows, seed=3)
    torch.manual_seed(3)
    assert measure(model) == pytest.approx(float(energy_distance(model.sample(50), rows)))
    far, near = measure(model), None
    with torch.no_grad():
        model.mu.copy_(torch.full((5,), 3.0))
    near, far = far, measure(model)
    assert far > near
    assert measure(model) == far


def test_validation_compares_at_most_so_many_samples() -> None:
    sizes = []

    class Counting(Shift):
        def draw(self, n: int) -> Tensor:
            sizes.append(n)
            return super().draw(n)

    model = Counting((2,))
    Validation(model, torch.randn(3000, 2))(model)
    assert sizes == [1000]


def test_a_validation_that_is_no_number_is_never_the_best(tmp_path: Path) -> None:
    class Odd(Line):
        def validate(self, data: Batch) -> Tensor:
            return torch.tensor(math.nan)

    fit(Odd(), torch.ones(4, 1), validation=torch.ones(4, 1), out=tmp_path / "run", steps=3)
    assert not (tmp_path / "run" / "best.safetensors").exists()
    assert json.loads((tmp_path / "run" / "history.jsonl").read_text().splitlines()[-1])["step"] == 3


@pytest.mark.parametrize("average", [None, 0.9])
def test_validation_and_samples_use_averaged_weights(average: float | None) -> None:
    class Told(Line):
        def validate(self, data: Batch) -> Tensor:
            return self.weight.detach().clone()

    seen: list[Step] = []
    data = torch.ones(4, 1)
    model = fit(Told(), data, validation=data, steps=5, average=average, validate_every=1, progress=seen.append)
    assert seen[-1].validation == model.weight.item()
    assert (model.weight.item() == -5) == (average is None)


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
        with pytest.raises(OSError, match=r"run/last\.safetensors: could not be written .* is whole; free some space"):
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
