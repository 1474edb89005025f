"""The benchmark of generators, at a tiny size."""

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import typer

from pcgen import data, metrics, ops, training

MATRICES = {"cd": ops.chamfer_matrix, "emd": ops.emd_matrix}


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

    several = script("bench_several").main
    several(runs=tmp_path, models="gaussian", points=16, clouds=18, only="shapes:chair")
    several(runs=tmp_path, models="diffusion", points=16, clouds=18, only="")
    rows = script("figures").read("several_16")
    assert [row["model"] for row in rows] == ["gaussian", "diffusion", "training set"]
    assert {(row["data"], row["clouds"], row["draws"]) for row in rows} == {("shapes:chair", "6", "3")}
    test = data.load("shapes:chair=60@test", at_least=16, surface_points=32).points[:, :16].contiguous()
    run = training.Run.open(tmp_path / "shapes_chair-16" / "gaussian")
    torch.manual_seed(0)
    found, between = [], {name: matrix(test, test) for name, matrix in MATRICES.items()}
    for drawn in [run.sample(6) for _ in range(3)]:
        found.append({"jsd": metrics.evaluate(drawn, test, distances=()).rows[0].values["jsd"]})
        for name, matrix in MATRICES.items():
            across = matrix(drawn, test)
            found[-1] |= {f"mmd_{name}": metrics.mmd(across), f"cov_{name}": metrics.coverage(across)}
            found[-1][f"one_nna_{name}"] = metrics.one_nna(across, matrix(drawn, drawn), between[name]).accuracy
    for metric in ("jsd", "mmd_cd", "mmd_emd", "cov_cd", "cov_emd", "one_nna_cd", "one_nna_emd"):
        values = [each[metric] for each in found]
        assert float(rows[0][f"{metric}_mean"]) == pytest.approx(statistics.mean(values), abs=2e-5)
        assert float(rows[0][f"{metric}_error"]) == pytest.approx(statistics.stdev(values) / 3**0.5, abs=2e-5)
    assert [row["copies"] == "" for row in rows] == [False, False, True] and 0 <= float(rows[0]["copies"]) <= 1
    assert "| *training set* |" in tables.several(rows) and "16 points, 3 sets of 6 clouds" in tables.several(rows)
    with pytest.raises(typer.BadParameter, match=r"has no sets of x of 16 points; run bench_generation\.py first"):
        several(runs=tmp_path, models="", points=16, clouds=18, only="x")
