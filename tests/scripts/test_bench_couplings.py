"""The benchmark of couplings: the bending of paths against its closed form, and a tiny run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from pcgen.models.base import Batch
from pcgen.models.flows.flow_matching import FlowMatching


def _of_gaussians(deviation: float, **config: Any) -> FlowMatching:
    """A model of clouds of independent Gaussian points, untrained: its velocity is exact for them."""
    torch.manual_seed(0)
    model = FlowMatching((64, 3), width=4, blocks=1, **config)
    model.setup(Batch(deviation * torch.randn(200, 64, 3)))
    return model


@pytest.mark.parametrize("deviation", [0.2, 3.0])
def test_bending_of_a_gaussian_is_that_of_its_known_paths(script: Callable[[str], Any], deviation: float) -> None:
    # x(t) = g(t) x(0), g^2 = (1 - t)^2 + t^2 deviation^2: the relative variance of g'.
    def speed(t: float) -> float:
        return (t * deviation**2 - (1 - t)) / np.hypot(1 - t, t * deviation)

    square = quad(lambda t: speed(t) ** 2, 0, 1)[0]
    exact = square / (deviation - 1) ** 2 - 1
    found = script("bench_couplings").bending(_of_gaussians(deviation, coupling="independent"), paths=16, steps=400)
    assert found == pytest.approx(exact, rel=0.02)


def test_few_points_matched_bend_less(script: Callable[[str], Any]) -> None:
    bending = script("bench_couplings").bending
    matched, apart = (
        bending(_of_gaussians(0.2, coupling=each, fresh=0.0), paths=16) for each in ("optimal", "independent")
    )
    assert matched < apart / 3


def test_a_tiny_run_is_measured_and_taken_up_again(
    script: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, figures = script("bench_couplings"), script("figures")

    monkeypatch.setattr(program, "FINE", 5)

    def rows(minutes: float = 0.005) -> list[dict[str, str]]:
        about = {"evaluations": "2,4", "variants": "optimal, fresh .2", "out": tmp_path / "runs"}
        program.main(chairs=60, points=16, minutes=minutes, **about)
        found: list[dict[str, str]] = figures.read("couplings")
        return found

    first = rows()
    assert [(row["coupling"], row["evaluations"]) for row in first] == [
        ("training set", ""),
        ("optimal, fresh .2", "2"),
        ("optimal, fresh .2", "4"),
    ]
    for row in first:
        for metric in ("one_nna_cd", "one_nna_emd", "mmd_cd", "mmd_emd"):
            assert float(row[f"{metric}_low"]) <= float(row[metric]) <= float(row[f"{metric}_high"])
    (history,) = (tmp_path / "runs").rglob("history.jsonl")
    then = history.read_text()
    assert rows() == first and history.read_text() == then  # nothing was left to train
    with pytest.raises(ValueError, match=r"minutes was 0\.005 in .* and is 0\.01 now"):
        rows(minutes=0.01)
