"""An evaluation that is killed, or shared by several processes, writes the report of an undisturbed one to the bit."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pcgen import data


def chairs(count: int, seed: int) -> torch.Tensor:
    return data.load(f"shapes:chair={count}", points=300, seed=seed).points


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    data.save(folder / "samples.npz", chairs(30, 1))
    data.save(folder / "reference.npz", chairs(34, 2))
    data.save(folder / "train.npz", chairs(40, 3))
    return folder


def words(sets: Path, out: Path) -> list[str]:
    named = [str(sets / "samples.npz"), "--reference", f"{sets / 'reference.npz'}@all"]
    return ["evaluate", *named, "--train", f"{sets / 'train.npz'}@all", "--out", str(out)]


@pytest.fixture(scope="module")
def undisturbed(sets: Path) -> bytes:
    out = sets / "undisturbed.json"
    subprocess.run([sys.executable, "-m", "pcgen", *words(sets, out)], check=True, capture_output=True, timeout=120)
    return out.read_bytes()


def test_killed_and_run_again(sets: Path, undisturbed: bytes, tmp_path: Path, pcgen: Callable) -> None:
    out = tmp_path / "e.json"
    tiles = tmp_path / "e.json.tiles"
    files = 9  # six matrices of CD, then the EMD's bounds and neighbours one after the other
    killed = subprocess.Popen([sys.executable, "-m", "pcgen", *words(sets, out)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 100
    while not (tiles.is_dir() and len(list(tiles.glob("*.npz"))) >= files):
        assert killed.poll() is None and time.monotonic() < deadline, "it ended before it could be killed"
        time.sleep(0.002)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait(20) == -signal.SIGKILL
    assert not out.exists()
    before = {path: path.stat().st_mtime_ns for path in tiles.glob("*.npz")}
    assert len(before) >= files

    result = pcgen(*words(sets, out), "--tiles", tiles)
    assert result.code == 0 and "finished parts in it are used" in result.err
    assert out.read_bytes() == undisturbed
    # All are used, none is computed again, but for a search that was under way.
    assert sum(path.stat().st_mtime_ns == time for path, time in before.items()) >= len(before) - 1


def test_two_ranks_write_the_report_of_one(sets: Path, undisturbed: bytes, tmp_path: Path) -> None:
    out = tmp_path / "e.json"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "pcgen"]
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*torchrun, *words(sets, out)], capture_output=True, text=True, timeout=120, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == undisturbed
    assert done.stdout.count("1-NNA is best at chance") == 1 and done.stderr.count("the report as JSON") == 1
    assert not (tmp_path / "e.json.tiles").exists()
