"""The benchmark of samplers, at a tiny size."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pcgen import training
from pcgen.data.training_set import training_set
from pcgen.training import Options


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    source = training_set("shapes:chair=60", points=32)
    torch.manual_seed(0)
    job = training.on_clouds("autoencoder", source, 32, code=4)
    job.fit(tmp_path / "autoencoder", Options(seed=0, steps=3))
    codes = training.read_codes(tmp_path / "autoencoder")
    for head in ("diffusion", "flow_matching"):
        training.on_codes(head, codes, width=8, blocks=1).fit(tmp_path / head, Options(seed=0, steps=3))
    return tmp_path


def test_evaluations_are_counted_and_seconds_and_scores_are_written(
    runs: Path, script: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script("curves"), "PATH", runs / "samplers.png")
    script("bench_samplers").main(
        autoencoder=runs / "autoencoder",
        diffusion=runs / "diffusion",
        flow=runs / "flow_matching",
        held_out="shapes:chair=200@test",
        evaluations="6,9",
        draws=2,
    )
    rows = script("figures").read("samplers")
    counted = {}
    for row in rows:
        counted.setdefault((row["head"], row["sampler"]), []).append(int(row["evaluations"]))
        assert float(row["low"]) < float(row["high"]) and float(row["seconds_1000_codes"]) > 0
        assert (row["seconds_1000_clouds"] != "") == (row["sampler"] == "default") and row["held_out_codes"] == "20"
    assert counted == {
        ("diffusion", "default"): [40],
        ("diffusion", "multistep"): [6, 9],
        ("diffusion", "heun"): [5, 9],  # two a step but for the last
        ("diffusion", "ddim"): [6, 9],
        ("diffusion", "ancestral"): [6, 9],
        ("flow_matching", "default"): [24],
        ("flow_matching", "euler"): [6, 9],
        ("flow_matching", "midpoint"): [6, 8],
        ("flow_matching", "heun"): [6, 8],
        ("flow_matching", "rk4"): [4, 8],
    }
