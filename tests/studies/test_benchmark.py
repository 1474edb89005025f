"""The quality benchmark: its rows, what is trained already, and heads trained side by side."""

from pathlib import Path

import pytest

from pcgen import training
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
