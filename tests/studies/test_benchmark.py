"""The quality benchmark: its rows, what is trained already, and heads trained side by side."""

from pathlib import Path

import pytest
import torch

from pcgen import training
from pcgen.studies import benchmark as module
from pcgen.studies.benchmark import benchmark
from pcgen.studies.quality import BASELINES
from pcgen.training import Codes


@pytest.fixture
def codes(autoencoder: Path) -> Codes:
    return training.read_codes(autoencoder)


def test_heads_trained_side_by_side_score_as_one_after_the_other(codes: Codes, tmp_path: Path) -> None:
    names = ["gaussian", "f_gan"]  # f_gan cannot be sent to another process, so it must be made there
    found = {}
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        rows = list(benchmark(codes, codes.held_out, names, folder, effort=0.001, processes=processes))
        assert [row.quality.name for row in rows] == [*BASELINES, *names]
        assert all(row.weights > 0 for row in rows[len(BASELINES) :])
        found[processes] = [row.quality for row in rows]
    assert found[1] == found[2]


def test_no_process_is_refused_before_anything_is_trained(codes: Codes, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="processes: must be at least 1, got 0"):
        next(iter(benchmark(codes, codes.held_out, ["gaussian"], tmp_path / "out", processes=0)))
    assert not (tmp_path / "out").exists()


def test_of_many_held_out_codes_some_are_chosen_by_seed(
    codes: Codes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []
    monkeypatch.setattr(module, "MOST", 5)
    monkeypatch.setattr(module, "quality", lambda samples, train, held_out, **options: used.append(held_out) or [])
    held_out = torch.randn(20, 4)
    for seed in (0, 1, 0):
        assert list(benchmark(codes, held_out, [], tmp_path, seed=seed)) == []
    first, other, again = used
    assert len(first) == 5 and torch.equal(first, again) and not torch.equal(first, other)
    assert not torch.equal(first, held_out[:5])  # a source's first rows are of one class
    assert {*map(tuple, first.tolist())} <= {*map(tuple, held_out.tolist())}
