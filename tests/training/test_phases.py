"""Trainings of several phases: what is entered when, how far each is, and that a kill changes nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_learners import Line, vectors
from torch import Tensor, nn

from pcgen.files import read_tensors
from pcgen.models.base import Batch, GradientLearner, Recipe
from pcgen.optim import descend
from pcgen.training import Run, State, Step, fit, load, steps
from pcgen.training.limits import END, Course
from pcgen.training.listing import summarise
from pcgen.training.options import Options

PHASES = {"first": 0.25, "second": 0.75}


class Greedy(GradientLearner):
    """Two layers, learned one after the other, each by its own optimizer; entering draws numbers, and begins anew."""

    def __init__(self, shape: Sequence[int], shares: Sequence[float] = (0.25, 0.75)) -> None:
        super().__init__()
        self.shape, self.shares = tuple(shape), tuple(shares)
        self.layers = nn.ModuleList(nn.Linear(shape[0], shape[0]) for _ in range(2))
        self.lower = torch.optim.Adam(self.layers[0].parameters(), lr=1e-2)
        self.upper = torch.optim.Adam(self.layers[1].parameters(), lr=1e-2)
        self.entered: list[tuple[str, Batch, int]] = []  # phase, data, updates before it
        self.seen: list[tuple[int, float, float]] = []  # phase, progress, rate

    @property
    def recipe(self) -> Recipe:
        return Recipe(steps=20, batch_size=8, phases=dict(zip(PHASES, self.shares, strict=True)))

    def enter(self, phase: str, data: Batch) -> None:
        super().enter(phase, data)
        self.entered.append((phase, data, int(self.learned)))
        layer = self.layers[int(self.phase)]
        nn.init.normal_(layer.weight, std=0.1)
        self.begun = layer.weight.detach().clone()
        setattr(self, ("lower", "upper")[int(self.phase)], torch.optim.Adam(layer.parameters(), lr=1e-2))

    @property
    def own(self) -> torch.optim.Optimizer:
        return (self.lower, self.upper)[int(self.phase)]

    def update(self, batch: Batch) -> dict[str, Tensor]:
        (loss,) = self.loss(batch).values()
        self.seen.append((int(self.phase), batch.progress, self.own.param_groups[0]["lr"]))
        descend(loss, self.own)
        return {"mse": loss.detach()}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        place = int(self.phase)
        with torch.no_grad():
            below = self.layers[0](batch.x) if place else batch.x
        return {"mse": (self.layers[place](below) - batch.x).square().mean() + place}


def entered(model: Greedy) -> list[tuple[str, int]]:
    return [(phase, at) for phase, _, at in model.entered]


def test_every_phase_is_entered_once_with_the_whole_data_and_runs_from_0_to_1() -> None:
    model, data = Greedy((5,)), vectors()
    taken = list(steps(model, data, steps=8))
    assert entered(model) == [("first", 0), ("second", 2)]
    for _, batch, _ in model.entered:
        assert torch.equal(batch.x, data) and batch.rows is not None and torch.equal(batch.rows, torch.arange(37))
    assert [step.phase for step in taken] == ["first"] * 2 + ["second"] * 6
    assert [place for place, _, _ in model.seen] == [0] * 2 + [1] * 6
    assert [progress for _, progress, _ in model.seen] == pytest.approx([0, 1 / 2, *(i / 6 for i in range(6))])
    assert [step.ends for step in taken] == [False, True, *5 * [False], True]
    assert int(model.phase) == 1 and [step.fraction for step in taken] == [(i + 1) / 8 for i in range(8)]


@pytest.mark.parametrize("updates", [2, 3, 5, 7, 30])
def test_each_phase_has_an_update_however_few_there_are(updates: int) -> None:
    model = Greedy((5,), shares=(0.02, 0.98))
    list(steps(model, vectors(), steps=updates))
    assert entered(model) == [("first", 0), ("second", 1)] and int(model.learned) == updates
    with pytest.raises(ValueError, match="steps: must be at least 2, one for each of the phases first, second, got 1"):
        steps(Greedy((5,)), vectors(), steps=1)
    assert Options().scaled(model.recipe, 0.001).steps == 2


def test_the_updates_of_phases_are_their_shares() -> None:
    course = Course({"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4}, 100)
    present, counts = -1, [0, 0, 0, 0]
    for step in range(100):
        present, _ = course.at(step, step / 100, present)
        counts[present] += 1
    assert counts == [10, 20, 30, 40]


def test_a_training_of_minutes_leaves_no_phase_out_however_slow_an_update_is() -> None:
    course = Course({"a": 0.1, "b": 0.1, "c": 0.8}, None)
    assert course.at(0, 0.0, -1) == (0, 0.0)
    assert course.at(1, 0.9, 0) == (1, pytest.approx(1, abs=1e-6))  # late: b lies behind, and is not left out
    place, progress = course.at(2, 0.95, 1)
    assert place == 2 and progress == pytest.approx(0.75 / 0.8)
    model = Greedy((5,))
    list(steps(model, vectors(), minutes=1e-9))  # over before its first update
    assert [phase for phase, _ in entered(model)] == ["first", "second"]


def test_schedule_and_warmup_begin_again_on_the_optimizer_of_the_phase() -> None:
    model = Greedy((5,))
    list(steps(model, vectors(), steps=16, schedule="linear", warmup=2))
    rates = [rate / 1e-2 for _, _, rate in model.seen]
    curves = [1 - i / 4 for i in range(4)] + [1 - i / 12 for i in range(12)]
    starts = [0.5, 1, 1, 1] + [0.5] + [1] * 11
    assert rates == pytest.approx([curve * start for curve, start in zip(curves, starts, strict=True)])


def test_clipping_reaches_the_optimizer_of_every_phase() -> None:
    model = Greedy((5,))
    for _ in steps(model, vectors(), steps=8, clip=1e-3):
        gradients = [p.grad for p in model.layers[int(model.phase)].parameters()]
        assert torch.nn.utils.get_total_norm(gradients) == pytest.approx(1e-3, rel=1e-3)


def test_the_average_begins_again_with_each_phase() -> None:
    model, state = Greedy((5,)), State()
    counts = []
    for step in steps(model, vectors(), steps=8, average=0.9, state=state):
        assert state.average is not None
        counts.append(state.average.count)
        if step.step == 3:  # of the second phase the first
            decay = 0.5**20  # the first update of an average forgets what it began with
            expected = decay * model.begun + (1 - decay) * model.layers[1].weight
            torch.testing.assert_close(state.average.values["layers.1.weight"], expected)
    assert counts == [1, 2, 1, 2, 3, 4, 5, 6]


class Stop(Exception):
    pass


def train(out: Path, stop: int = 0, resume: bool = True, **options: Any) -> Greedy:
    torch.manual_seed(3)
    model = Greedy((5,))

    def progress(step: Any) -> None:
        if step.step == stop:
            raise Stop

    settings: dict[str, Any] = {"steps": 12, "seed": 3, "save_every": 1, "schedule": "cosine", "average": 0.9}
    settings |= {"validation": vectors()[:9], "validate_every": 2, "log_every": 1}
    return fit(model, vectors(), out=out, resume="auto" if resume else None, progress=progress, **(settings | options))


def test_killed_in_the_middle_of_each_phase_and_resumed_is_bit_equal(tmp_path: Path) -> None:
    train(tmp_path / "whole", save_every=1000)
    for stop in (2, 3, 4, 8):  # in the first of three updates, at its end, and in the second
        with pytest.raises(Stop):
            train(tmp_path / "parts", stop=stop)
        # The update of the stop is not in `last` yet, and in `best` only where it has been validated.
        kept = [path for name in ("last", "best") if (path := tmp_path / "parts" / f"{name}.safetensors").exists()]
        about = max((read_tensors(path)[1] for path in kept), key=lambda each: each["step"])
        assert stop - 1 <= about["step"] <= stop
        assert (about["phase"], about["entered"]) == ((0, 0) if about["step"] <= 3 else (1, 3))
    train(tmp_path / "parts")
    for name in ("last.safetensors", "best.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes(), name
    assert [row["phase"] for row in Run.open(tmp_path / "parts").history] == ["first"] * 3 + ["second"] * 9


def test_the_best_checkpoint_is_one_of_the_last_phase(tmp_path: Path) -> None:
    # The second phase measures another thing, above 1 throughout, where the first was below.
    train(tmp_path / "run")
    validations = {row["step"]: row["validation"] for row in Run.open(tmp_path / "run").history if "validation" in row}
    assert validations[2] < 1 < min(value for step, value in validations.items() if step > 3)
    assert read_tensors(tmp_path / "run" / "best.safetensors")[1]["phase"] == 1
    best = load(tmp_path / "run", "best", model=Greedy((5,)))
    assert int(best.phase) == 1
    found, kept = summarise(tmp_path / "run"), read_tensors(tmp_path / "run" / "best.safetensors")[1]["step"]
    assert found.best == kept and found.validation == validations[kept]


@pytest.mark.parametrize("save_every", [1, 1000])
def test_a_stop_before_the_first_validation_of_a_phase_leaves_no_best_one_of_the_phase_before(
    tmp_path: Path, save_every: int
) -> None:
    with pytest.raises(Stop):
        train(tmp_path / "run", stop=5, validate_every=3, save_every=save_every)
    assert int(load(tmp_path / "run", model=Greedy((5,))).phase) == 1
    train(tmp_path / "run", validate_every=3, save_every=save_every)
    train(tmp_path / "whole", validate_every=3, save_every=save_every)
    for name in ("last.safetensors", "best.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "run" / name).read_bytes(), name


def test_every_row_of_the_history_is_of_one_phase(tmp_path: Path) -> None:
    taken: list[Step] = []
    fit(Greedy((5,)), vectors(), out=tmp_path / "run", steps=12, log_every=2, progress=taken.append)
    history, begin = Run.open(tmp_path / "run").history, 0
    assert [(row["step"], row["phase"]) for row in history] == [
        *((step, "first") for step in (2, 3)),
        *((step, "second") for step in (4, 6, 8, 10, 12)),
    ]
    for row in history:
        losses = [step.losses["mse"] for step in taken[begin : row["step"]]]
        assert row["losses"]["mse"] == pytest.approx(sum(losses) / len(losses))
        begin = row["step"]


def test_a_second_training_goes_on_in_the_last_phase() -> None:
    model = Greedy((5,))
    fit(model, vectors(), steps=8)
    model.seen.clear()
    fit(model, vectors(), steps=4)
    assert entered(model) == [("first", 0), ("second", 2)] and int(model.phase) == 1
    assert [(place, progress) for place, progress, _ in model.seen] == [(1, END)] * 4


def test_a_training_that_stopped_before_the_last_phase_is_not_passed_over() -> None:
    model, state = Greedy((5,)), State()
    taken = steps(model, vectors(), steps=8, state=state)
    next(taken)
    with pytest.raises(
        ValueError, match="model: its last training stopped in the phase first, before second: continue"
    ):
        steps(model, vectors(), steps=8)
    list(steps(model, vectors(), steps=8, state=state))
    assert entered(model) == [("first", 0), ("second", 2)]


def test_another_end_would_move_the_phases_and_is_refused(tmp_path: Path) -> None:
    train(tmp_path / "run", schedule="constant")
    with pytest.raises(ValueError, match=r"resume: steps was 12 .* is 48 now"):
        train(tmp_path / "run", schedule="constant", steps=48)


@pytest.mark.parametrize("shares", [(0.5, 0.6), (0.25, 0.25), (1.0, 0.0), (1.5, -0.5)])
def test_bad_shares_are_refused(shares: tuple[float, float]) -> None:
    with pytest.raises(
        ValueError, match=r"recipe: its phases must have shares above 0 that are 1 in all, got {'first'"
    ):
        steps(Greedy((5,), shares), vectors(), steps=8)


def test_a_model_without_phases_has_one_without_a_name() -> None:
    taken = list(steps(Line(), torch.ones(4, 1), steps=3))
    assert [step.phase for step in taken] == [""] * 3


def test_rates_and_clipping_of_an_earlier_training_do_not_stay() -> None:
    # The gradient of w mean(x) is 10: three updates of rate 1 move w by -30, whatever was trained before.
    model, data = Line(), torch.full((4, 1), 10.0)
    fit(model, data, steps=5, schedule="linear", clip=0.5)
    before = model.weight.item()
    fit(model, data, steps=3)
    assert model.weight.item() - before == pytest.approx(-30)
