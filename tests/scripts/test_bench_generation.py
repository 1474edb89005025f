"""The benchmark of generators, at a tiny size."""

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_a_row_for_each_model_and_one_for_each_baseline(script: Callable[[str], Any], tmp_path: Path) -> None:
    none = tmp_path / "none"
    sizes = {"chairs": 60, "points": 16, "autoencoder": 0.005, "head": 0.005}
    script("bench_generation").main(
        shapes=none, meshes=none, classes="", models="gaussian,diffusion", only="", out=tmp_path, **sizes
    )
    rows = script("figures").read("generation_16")
    baselines = {"training set", "training set decoded", "second sample"}
    assert (rows[0]["model"], rows[-1]["model"]) == ("gaussian", "diffusion")
    assert {row["model"] for row in rows[1:-1]} == baselines and len(rows) == 5
    for row in rows:
        assert row["clouds"] == "6" and (row["z_u_cd"] == "") == (row["model"] == "training set")
        assert float(row["one_nna_emd_low"]) <= float(row["one_nna_emd"]) <= float(row["one_nna_emd_high"])
        many, trained = row["model"] != "second sample", row["model"] not in ("training set", "second sample")
        assert (row["draws"], row["z_u_cd_mean"] != "") == ("60" if many else "", trained)
        if many:
            assert 0 <= float(row["one_nna_cd_mean"]) <= 1 and 0 <= float(row["one_nna_cd_error"]) < 0.1
    tables = script("generation_tables")
    assert "*training set decoded*" in tables.generation(rows) and "| gaussian |" in tables.copying(rows)
