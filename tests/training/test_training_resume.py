"""A training that was stopped and continued ends as if it had never been: file by file, byte by byte."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tiny_learners import train

from pcgen.training import Run
from pcgen.training.files import read_tensors

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


def test_kill_9_at_random_moments_and_resume_is_bit_equal(tmp_path: Path) -> None:
    train("vectors", str(tmp_path / "whole"), save_every=10_000)
    draw, killed = random.Random(0), 0
    command = [
        sys.executable,
        str(Path(__file__).with_name("tiny_learners.py")),
        "vectors",
        str(tmp_path / "killed"),
        "1",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    for _ in range(4):
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
        before = steps_of(tmp_path / "killed")
        while process.poll() is None and steps_of(tmp_path / "killed") == before:
            time.sleep(0.002)  # Killed only once it has got further, or the test would never end.
        time.sleep(draw.uniform(0, 0.15))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.communicate()
    assert killed > 0
    subprocess.run(command, env=environment, check=True)
    same(tmp_path / "whole", tmp_path / "killed")
    assert Run.open(tmp_path / "killed").config.get("notes", []) == []


def steps_of(run: Path) -> int:
    path = run / "last.safetensors"
    return read_tensors(path)[1]["step"] if path.is_file() else 0
