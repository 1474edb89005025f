"""The benchmark of models of scenes, at a tiny size."""

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_every_model_has_a_row_and_only_those_that_find_objects_have_counts(
    script: Callable[[str], Any], tmp_path: Path
) -> None:
    names = "air,autoencoder"
    script("bench_scenes").main(scenes=200, labelled=60, models=names, points=32, updates=3, out=tmp_path)
    rows = script("figures").read("scenes")
    assert [row["model"] for row in rows] == ["air", "autoencoder", "*untrained*"]
    for row in rows:
        assert (row["count"] == "") == (row["model"] != "air") == (row["shapes_found"] == "")
        for task in ("count", "sum", "order"):
            assert float(row[f"read_{task}_low"]) <= float(row[f"read_{task}"]) <= float(row[f"read_{task}_high"])
            assert 0 < float(row[f"chance_{task}"]) <= 1
    assert "| *chance* |" in script("task_tables").scenes(rows)
