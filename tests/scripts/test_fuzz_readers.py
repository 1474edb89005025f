"""Damaged files of every format, a few thousand of them; scripts/fuzz_readers.py reads more."""

import importlib
import mmap
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pcgen.data import Clouds

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def fuzz(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(REPOSITORY / "scripts")
    return importlib.import_module("fuzz_readers")


def test_damaged_files_give_clouds_or_one_line_that_names_them(fuzz: Any) -> None:
    done = fuzz.fuzz(0, range(2000))
    assert done.failures == {}
    assert done.whole + done.refused == 2000 and done.whole > 200


def test_a_file_of_a_run_is_made_again_by_its_index(fuzz: Any) -> None:
    assert fuzz.damaged(3, 123456) == fuzz.damaged(3, 123456) != fuzz.damaged(4, 123456)


def dies_on_the_first(seed: int, indices: range, seconds: float, memory: float, tell: Connection) -> None:
    """A worker of which file 0 ends the process."""
    tell.send(None)
    for index in indices:
        if index == 0:
            os._exit(1)
        tell.send((True, None))


def dies_and_does_not_begin_again(seed: int, indices: range, *others: Any) -> None:
    """A worker of which file 0 ends the process, and which ends before any other file."""
    if indices[0] == 0:
        dies_on_the_first(seed, indices, *others)


@pytest.mark.parametrize(("files", "whole"), [(1, 0), (3, 2)])
def test_a_file_that_ends_the_process_is_a_failure_and_the_others_are_read(
    fuzz: Any, monkeypatch: pytest.MonkeyPatch, files: int, whole: int
) -> None:
    monkeypatch.setattr(fuzz, "work", dies_on_the_first)
    done = fuzz.fuzz(0, range(files))
    assert done.failures == {0: "ended the process"} and done.whole == whole


def test_a_process_that_does_not_begin_again_ends_the_run_with_what_failed_before(
    fuzz: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzz, "work", dies_and_does_not_begin_again)
    with pytest.raises(SystemExit, match=r"before file 1; failures until then: \{0: .ended the process.\}"):
        fuzz.fuzz(0, range(2))


def no_reader(path: str) -> Clouds:
    raise KeyError(path)


def nameless(path: str) -> Clouds:
    raise ValueError("is damaged")


def long(path: str) -> Clouds:
    raise ValueError(f"{path}: is damaged;\nwrite it again")


def endless(path: str) -> Clouds:
    while True:
        pass


def strange(path: str) -> Clouds:
    return Clouds(torch.full((1, 2, 3), torch.nan))


def hungry(path: str) -> Clouds:
    # 96 MiB of the system's own: what an allocator has kept of earlier tests would not count.
    pages = np.frombuffer(mmap.mmap(-1, 96 * 2**20), dtype=np.float32)
    pages[:] = 1
    return Clouds(torch.from_numpy(pages[:15].reshape(1, 5, 3).copy()))


@pytest.mark.parametrize(
    ("reader", "told"),
    [
        (no_reader, "KeyError: "),
        (nameless, "is not a line that names the file: 'is damaged'"),
        (long, "is not a line that names the file: "),
        (endless, "took more than 0.2 s"),
        (strange, "clouds hold NaN or infinity"),
        (hungry, "took "),
    ],
)
def test_what_a_reader_must_not_do_is_found(
    fuzz: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reader: Callable[[str], Clouds], told: str
) -> None:
    monkeypatch.setattr(fuzz, "load", lambda spec, **options: reader(spec))
    _, fault = fuzz.read(tmp_path / "a.ply", 0.2, 64.0)
    assert fault is not None and fault.startswith(told)
