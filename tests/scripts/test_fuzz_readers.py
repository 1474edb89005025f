"""Damaged files of every format, a few thousand of them; scripts/fuzz_readers.py reads more."""

import importlib
import mmap
from collections.abc import Callable
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
