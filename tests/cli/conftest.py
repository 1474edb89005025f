"""The command line as a user meets it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import evaluated_sets
import pytest
import torch

from pcgen import data


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def pcgen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run `pcgen WORDS...` in this process."""
    from pcgen.cli import main

    def run(*words: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["pcgen", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        return Result(int(stopped.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture(scope="session")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An npz of 40 boxes of 96 points, of two classes."""
    generator = torch.Generator().manual_seed(0)
    sides = torch.rand(40, 1, 3, generator=generator) + 0.2
    points = (torch.rand(40, 96, 3, generator=generator) - 0.5) * sides
    clouds = data.Clouds(points, labels=torch.arange(40) % 2, classes=("even", "odd"))
    return data.save(tmp_path_factory.mktemp("boxes") / "boxes.npz", clouds)


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, made the current one, with samples a, b and c, and a reference."""
    for seed, name in enumerate(("a", "b", "c", "reference")):
        data.save(tmp_path / f"{name}.npz", evaluated_sets.boxes(seed))
    monkeypatch.chdir(tmp_path)
    return tmp_path
