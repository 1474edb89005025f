"""The benchmark of protocols, at a tiny size."""

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_a_row_for_each_model_and_baseline_under_each_protocol(script: Callable[[str], Any], tmp_path: Path) -> None:
    sizes = {"chairs": 60, "points": 16, "autoencoder": 0.005, "head": 0.005}
    settings = {"models": "gaussian,ppca", "only": "shapes:chair", "out": tmp_path}
    script("bench_generation").main(shapes=tmp_path / "none", meshes=tmp_path / "none", classes="", **sizes, **settings)
    presets = ("exact", "lion", "dpm")
    script("bench_protocols").main(tmp_path / "shapes_chair-16", "gaussian,ppca", ",".join(presets), 6)
    rows = script("figures").read("protocols")
    names = {"gaussian", "ppca", "training set", "second sample"}
    assert {(row["protocol"], row["model"]) for row in rows} == {(preset, name) for preset in presets for name in names}
    for row in rows:
        assert 0 <= float(row["one_nna_cd"]) <= 1 and (row["mmd_emd"] == "") == (row["protocol"] == "dpm")
    assert len({row["stamp"] for row in rows}) >= len(presets)
    assert f"| gaussian | lion `{rows[4]['stamp']}` |" in script("generation_tables").protocols(rows)
