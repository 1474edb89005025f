"""Two processes train one model: what they share, what differs, and that the death of one ends the other."""

import ast
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import rank_programs
import torch
from processes import start

from pcgen import ranks
from pcgen.files import read_tensors


def together(function: Callable[..., None], folder: Path, processes: int = 2) -> list[int | None]:
    """Run a function in several processes, as torchrun does; their exit codes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(processes)}
    group |= {"LOCAL_WORLD_SIZE": str(processes), "GLOO_SOCKET_IFNAME": "lo"}
    started = [start(function, str(folder), **group, RANK=str(rank), LOCAL_RANK=str(rank)) for rank in range(processes)]
    for process in started:
        process.join(60)
    codes = [process.exitcode for process in started]
    for process in started:
        process.kill()
    return codes


def test_ranks_share_batches_and_end_with_one_model(tmp_path: Path) -> None:
    assert together(rank_programs.train, tmp_path) == [0, 0]
    (one, first), (two, second) = (read_tensors(tmp_path / f"rank{rank}.safetensors") for rank in (0, 1))
    for name, value in one.items():
        assert torch.equal(value, two[name]), name
    assert float(one["prepared"]) > 0  # `setup` ran, on rank 0 alone, or the two would differ.
    assert not set(first["noise"]) & set(second["noise"])
    epochs = [first["rows"][i] + second["rows"][i] for i in range(12)]
    assert [len(rows) for rows in first["rows"]] == [3] * 13  # 21 rows: four batches of 5, and one left over
    assert [len(rows) for rows in second["rows"]] == [2] * 13
    for start_of_epoch in (0, 4, 8):
        rows = [row for batch in epochs[start_of_epoch : start_of_epoch + 4] for row in batch]
        assert len(rows) == len(set(rows)) == 20
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "best.safetensors",
        "config.json",
        "history.jsonl",
        "last.safetensors",
    ]


def test_ranks_resume_bit_for_bit(tmp_path: Path) -> None:
    for name, functions in (
        ("whole", [rank_programs.train]),
        ("parts", [rank_programs.train_half, rank_programs.resume]),
    ):
        (tmp_path / name).mkdir()
        for function in functions:
            assert together(function, tmp_path / name) == [0, 0]
    whole, parts = (read_tensors(tmp_path / name / "run" / "last.safetensors")[0] for name in ("whole", "parts"))
    assert whole["generator.cpu"].shape[0] == 2
    for name, value in whole.items():
        assert torch.equal(value, parts[name]), name


def test_ranks_stop_at_one_step_when_the_clock_says_so(tmp_path: Path) -> None:
    assert together(rank_programs.train_for_a_time, tmp_path) == [0, 0]
    steps = [len(read_tensors(tmp_path / f"rank{rank}.safetensors")[1]["rows"]) for rank in (0, 1)]
    assert steps[0] == steps[1] > 0


def test_the_death_of_a_rank_ends_the_other(tmp_path: Path) -> None:
    survivor, dead = together(rank_programs.die, tmp_path)
    assert dead == 9
    assert survivor not in (0, None)


def test_a_rank_that_hangs_is_waited_for_no_longer_than_the_timeout(tmp_path: Path) -> None:
    survivor, _ = together(rank_programs.hang, tmp_path)
    assert survivor not in (0, None)
    assert (tmp_path / "gave up").exists()  # and before the other had woken up


def test_a_signal_to_one_rank_stops_all_after_saving(tmp_path: Path) -> None:
    assert together(rank_programs.get_a_signal, tmp_path) == [128 + signal.SIGTERM] * 2
    assert read_tensors(tmp_path / "run" / "last.safetensors")[1]["step"] >= 3


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (rank_programs.train_alone, "differs between ranks: its update does not go through pcgen.optim.descend"),
        (rank_programs.refused, "batch_size: must be at least 4 for 2 processes (two rows each), got 3"),
        (rank_programs.train_gmm, "processes: must be 1 for gmm, whose iterations need all rows at once, got 2; train"),
        (rank_programs.train_dp_gmm, "processes: must be 1 for dp_gmm, whose iterations need all rows at once, got 2"),
    ],
)
def test_what_ranks_cannot_train_is_told_on_each(tmp_path: Path, function: Callable[..., None], told: str) -> None:
    assert together(function, tmp_path) == [0, 0]
    for rank in (0, 1):
        assert told in (tmp_path / f"error{rank}").read_text()


def test_fewer_devices_than_processes_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ValueError, match=r"cuda was asked for by 4 process\(es\), and 2 CUDA device\(s\) were found"):
        ranks.device("cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert ranks.device("cuda") == torch.device("cuda", 3)


@pytest.mark.parametrize("name", ["mps", "xpu", "meta", "gpu", "cuda:-1", torch.device("mps")])
def test_a_device_of_another_kind_is_refused_with_those_that_there_are(
    name: str | torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(
        ValueError, match=rf"must be cpu, cuda or cuda:N, got '{name}'; this machine has cpu, cuda:0, cuda:1"
    ):
        ranks.device(name)


def test_the_cpu_has_one_name() -> None:
    assert ranks.device("cpu:3") == ranks.device("cpu") == torch.device("cpu")


def test_ranks_enter_a_phase_with_the_same_new_optimizer(tmp_path: Path) -> None:
    assert together(rank_programs.train_in_phases, tmp_path) == [0, 0]
    one, two = ((tmp_path / f"kept{rank}").read_text() for rank in (0, 1))
    assert one == two and one.count(",") == 11


def test_a_weight_without_a_gradient_on_any_rank_stays(tmp_path: Path) -> None:
    assert together(rank_programs.train_sparing, tmp_path) == [0, 0]
    (some, none), other = (ast.literal_eval((tmp_path / f"weights{rank}").read_text()) for rank in (0, 1))
    assert (some, none) == other
    assert none == pytest.approx(0.99)  # one step of Adam; its momentum would have moved it on
    assert some < 0.98


def test_ranks_learn_one_tree(tmp_path: Path) -> None:
    assert together(rank_programs.train_a_tree, tmp_path) == [0, 0]
    one, two = ((tmp_path / f"counts{rank}").read_text() for rank in (0, 1))
    assert one == two
    assert [sum(counts) for counts in ast.literal_eval(one)] == pytest.approx([37] * 6)  # the rows, as with one process
