"""Work in processes side by side: its order, its threads, and that it ends with the process that asked for it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from pcgen import training
from pcgen.studies import heads
from pcgen.studies.heads import train_heads
from pcgen.studies.leaderboard import Settings, run
from pcgen.studies.workers import side_by_side
from pcgen.training.signals import Interrupted


def process_of(name: str) -> tuple[str, int, int]:
    if name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "stopped":
        raise Interrupted(signal.SIGINT, "saved")
    return name, os.getpid(), torch.get_num_threads()


def killed(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def write_and_sleep(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    time.sleep(300)


def test_results_come_in_order_from_other_processes_with_their_threads() -> None:
    assert list(side_by_side(process_of, [], 2, 1)) == []
    found = list(side_by_side(process_of, ["a", "b", "c"], 2, 3))
    assert [name for name, _, _ in found] == ["a", "b", "c"]
    assert os.getpid() not in {process for _, process, _ in found}
    assert {threads for _, _, threads in found} == {3}
    for name in ("killed", "stopped"):
        with pytest.raises(ChildProcessError, match=r"processes: one of 1 was killed, .*; give fewer --processes"):
            list(side_by_side(process_of, [name, "next"], 1, 1))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "ctrl-c"])
def test_processes_end_with_the_one_that_started_them(tmp_path: Path, how: signal.Signals) -> None:
    path, script = tmp_path / "pid", tmp_path / "script.py"
    here = str(Path(__file__).parent)
    script.write_text(
        # Processes that a shell has started in the background ignore Ctrl-C, and so do those that they start.
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"import sys\nsys.path.insert(0, {here!r})\n"
        "from test_workers import write_and_sleep\nfrom pcgen.studies.workers import side_by_side\n"
        f"if __name__ == '__main__':\n    list(side_by_side(write_and_sleep, [{str(path)!r}] * 3, 1, 1))\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)], start_new_session=True, stderr=subprocess.DEVNULL)
    until(lambda: path.is_file() and path.read_text() != "", 120)
    child = int(path.read_text())
    if how == signal.SIGINT:
        os.killpg(parent.pid, how)  # as a terminal does
    else:
        parent.kill()
    parent.wait(timeout=60)
    until(lambda: not running(child), 60)


def test_a_leaderboard_is_the_same_with_heads_trained_side_by_side(autoencoder: Path, tmp_path: Path) -> None:
    codes = training.read_codes(autoencoder)
    boards: dict[int, list[tuple[str, str, object]]] = {}
    lines: list[str] = []

    def say(*text: str) -> None:
        lines.extend(text)

    for processes in (1, 2):
        settings = Settings(
            "shapes:chair=60",
            ["gaussian", "gan", "f_gan"],
            {"gan": {"lr": 1e30}},
            effort=0.001,
            distances=("cd",),
            processes=processes,
        )
        lines.clear()
        entries = list(run(autoencoder, tmp_path / str(processes), settings, say=say))
        boards[processes] = [(entry.name, entry.failure[:20], entry.spread("exact")) for entry in entries]
        assert any(line.startswith("f_gan: trained in") for line in lines) == (processes == 2)
    assert boards[1] == boards[2] and boards[1][1][1].startswith("NotFinite: step 1")
    names, folder = ["gan", "gaussian"], tmp_path / "heads"
    how = {"effort": 0.001, "device": "cpu", "seed": 0, "processes": 2}
    found = dict(train_heads(codes, names, {"gan": {"lr": 1e30}}, folder, **how))
    assert list(found) == names and isinstance(found["gaussian"], float)
    assert str(found["gan"]).startswith("NotFinite: step 1")


def test_a_leaderboard_says_that_a_process_was_killed(
    autoencoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "_trained", killed)
    settings = Settings("shapes:chair=60", ["gaussian", "gaussian"], distances=("cd",), processes=2)
    with pytest.raises(ChildProcessError, match="processes: one of 1 was killed"):  # a head named twice is trained once
        list(run(autoencoder, tmp_path / "board", settings, say=lambda *_: None))


def until(condition, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.1)


def running(pid: int) -> bool:
    """Whether there is a process that is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
