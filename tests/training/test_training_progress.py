"""What a training shows, on a terminal and elsewhere."""

import io
import re

import pytest
import torch
from tiny_learners import Line, vectors

from pcgen.models import MODELS
from pcgen.training import Step, fit, progress
from pcgen.training.progress import Display


def step(number: int, seconds: float, fraction: float, validation: float | None = None) -> Step:
    return Step(number, 0, {"loss": 1 / number}, seconds, fraction, fraction, validation)


def test_elsewhere_than_on_a_terminal_it_writes_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now, file = [100.0], io.StringIO()
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Display("Line", file) as display:
        for number in range(1, 101):
            now[0] = 100.0 + number / 4
            display.show(step(number, number / 4, number / 200, validation=0.5 if number == 50 else None))
    lines = file.getvalue().splitlines()
    assert len(lines) == 4  # the first, after 10 and 20 seconds, and the last
    assert lines[0].startswith("Line   0% step 1, epoch 0, loss 1")
    assert lines[2] == "Line  40% step 81, epoch 0, loss 0.01235, validation 0.5, 4/s, 0:30 left"
    assert "step 100" in lines[3]


def test_the_last_line_tells_the_whole_time() -> None:
    file = io.StringIO()
    with Display("Line", file) as display:
        display.show(step(1, 3000.0, 0.25))
        display.show(step(4, 12_345.0, 1.0))
    assert file.getvalue().splitlines()[-1].endswith("3:25:45 in all")


def test_speed_and_time_left_of_a_resumed_training_are_those_of_this_process() -> None:
    file = io.StringIO()
    with Display("Line", file) as display:
        display.show(step(1000, 9000.0, 0.5))
        display.show(step(1010, 9001.0, 0.6))
    assert "10/s, 0:04 left" in file.getvalue().splitlines()[-1]


def test_speed_and_time_left_are_those_of_the_last_minute() -> None:
    file = io.StringIO()
    with Display("Line", file) as display:
        for number in range(1, 200):  # a step a second, then ten
            display._shown = -float("inf")
            display.show(step(number, float(number), number / 1000))
        for number in range(200, 901):
            display._shown = -float("inf")
            display.show(step(number, 200 + (number - 200) / 10, number / 1000))
    assert ", 10/s, 0:10 left" in file.getvalue().splitlines()[-1]


def test_on_a_terminal_it_draws_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "xterm")
    file = io.StringIO()
    with Display("Line", file) as display:
        display.note("a remark [not markup]")
        display.show(step(3, 1.0, 0.3))
        display.show(step(10, 5.0, 1.0))
    text = file.getvalue()
    assert "note: a remark [not markup]" in text
    assert "30%" in text and "100%" in text and "━" in text


@pytest.mark.parametrize(
    ("name", "losses", "shown", "left_out"),
    [
        ("diffusion", {"mse": 0.16543}, ["mse 0.1654"], []),
        ("autoencoder", {"chamfer": 0.00388}, ["chamfer 0.00388"], []),
        ("gan", {"generator": 0.6883, "discriminator": 1.386, "r1": 4.7e-6}, ["generator 0.6883"], ["r1"]),
        ("pointnet2_classifier", {"cross_entropy": 0.6883}, ["cross_entropy 0.6883"], ["pointnet2_classifier"]),
    ],
)
def test_a_terminal_of_80_columns_shows_what_matters_uncut(
    name: str, losses: dict[str, float], shown: list[str], left_out: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    now, file = [100.0], io.StringIO()
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Display(name, file) as display:
        for number in (1, 12_000):
            now[0] += 10
            display.show(Step(number, 240, losses, number / 2, number / 40_000, number / 40_000, 0.2231))
    lines = re.split(r"[\r\n]", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue()))
    line = next(line for line in reversed(lines) if "step 12000" in line)
    assert len(line.rstrip()) <= 80 and "━" in line
    for part in [" 30%", "step 12000", *shown, "validation 0.2231", "3:53:20 left", name[:4]]:
        assert part in line, line
    assert "…" not in line.partition("%")[2] and "/s" not in line
    assert not any(part in line for part in left_out)


def test_a_wide_terminal_shows_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.setenv("TERM", "xterm")
    file = io.StringIO()
    with Display("gan", file) as display:
        display.show(step(1, 1.0, 0.1))
        display.show(Step(10, 3, {"generator": 0.5, "r1": 0.25}, 5.0, 1.0, 1.0, 0.125))
    line = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue()).splitlines()[-1]
    assert "100% step 10, epoch 3, generator 0.5, r1 0.25, validation 0.125, 2.25/s, 0:05 in all" in line
    assert "━" * 40 in line


def test_fit_shows_on_the_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    fit(Line((5,)), vectors(), steps=3, progress=True)
    told = capsys.readouterr()
    assert told.out == ""
    assert "step 3" in told.err
    fit(Line((5,)), torch.ones(4, 5), steps=3)
    assert capsys.readouterr().err == ""


def test_a_model_of_the_suite_is_shown_by_the_name_that_it_was_asked_for_by(capsys: pytest.CaptureFixture[str]) -> None:
    fit(MODELS["gmm"]((5,), components=2), vectors(), steps=1, progress=True)
    assert capsys.readouterr().err.startswith("gmm 100% step 1")
    fit(Line((5,)), vectors(), steps=1, progress=True)
    assert capsys.readouterr().err.startswith("Line 100% step 1")
