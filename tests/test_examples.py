"""Every example runs at its default size, and prints what it is there to show."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "examples"
SHOWN = {
    "distances": r"EMD, exact: .*within 0\.00%",
    "estimator": r"score_function: error of the mean \d+\.\d%",
    "evaluate": r"shapes:lamp=60@train: 1-NNA-CD \d+",
    "own_loop": r"at the end, exact: 0\.\d+",
    "own_model": r"samples \(8, 128, 3\)",
    "train": r"samples \(8, 128, 3\)",
}

if not FOLDER.is_dir():
    pytest.skip("no source tree with its examples", allow_module_level=True)


@cache
def run(name: str, *words: str) -> str:
    command = [sys.executable, str(FOLDER / f"{name}.py"), *words]
    done = subprocess.run(command, cwd=FOLDER.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_example_is_here_and_in_the_list() -> None:
    names = {path.stem for path in FOLDER.glob("*.py")}
    listed = set(re.findall(r"\((\w+)\.py\)", (FOLDER / "README.md").read_text(encoding="utf-8")))
    assert names == set(SHOWN) == listed


@pytest.mark.parametrize("name", SHOWN)
def test_example_shows_what_it_is_for(name: str) -> None:
    assert re.search(SHOWN[name], run(name))


def test_fewer_samples_than_the_reference_has_are_all_measured() -> None:
    few = ["shapes:chair=10@train", "--reference", "shapes:chair=100@test", "--points", "32"]
    assert re.search(r"shapes:chair=10@train: 1-NNA-CD \d+", run("evaluate", *few))


def test_the_loop_of_ones_own_descends_the_distance() -> None:
    first, *_, last = (float(found) for found in re.findall(r": (\d\.\d{4})", run("own_loop")))
    assert last < first / 2
