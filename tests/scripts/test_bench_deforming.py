"""The benchmarks of deformed clouds, on a tiny run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer


def test_each_way_of_sampling_has_a_row(script: Callable[[str], Any], tmp_path: Path) -> None:
    sizes = {"chairs": 60, "points": 16, "autoencoder": 0.005, "head": 0.005}
    script("bench_generation").main(
        shapes=tmp_path / "none", meshes=tmp_path / "none", classes="", models="parzen", only="", out=tmp_path, **sizes
    )
    bench = script("bench_deforming")
    bench.main(runs=tmp_path, points=16)
    rows = script("figures").read("deforming")
    assert [row["variant"] for row in rows] == list(bench.VARIANTS)
    for row in rows:
        assert (row["data"], row["learned"], row["clouds"], row["draws"]) == ("shapes:chair", "51", "6", "60")
        assert 0 <= float(row["one_nna_cd_mean"]) <= 1 and 0 <= float(row["copies"]) <= 1 and row["z_u_cd_mean"]
    farther, nearer = (
        next(float(row["z_u_cd_mean"]) for row in rows if row["variant"] == f"deformed, {way}")
        for way in ("1.8 as far", "as far as drawn")
    )
    assert nearer < farther
    assert "| deformed, not mirrored |" in script("generation_tables").deforming(rows)
    thirds = script("bench_thirds")
    thirds.main(runs=tmp_path, points=16)
    rows = script("figures").read("thirds")
    assert [row["variant"] for row in rows] == ["training clouds", *thirds.VARIANTS]
    assert {(row["data"], row["learned"]) for row in rows} == {("shapes:chair", "51")}
    found = {row["variant"]: row for row in rows}
    assert found["deformed, as far as drawn"]["farther"] == "1.0" and found["training clouds"]["farther"] == ""
    for row in rows:
        assert int(row["draws"]) == 3 * 47  # sets of 17 clouds of each third: 800 // 17
        assert 0 <= float(row["one_nna_cd_mean"]) <= 1 and 0 <= float(row["copies"]) <= 1
    assert "| deformed, not mirrored |" in script("generation_tables").thirds(rows)
    with pytest.raises(typer.BadParameter, match=r"has no sets of 8 points; run bench_generation\.py first"):
        bench.main(runs=tmp_path, points=8)
