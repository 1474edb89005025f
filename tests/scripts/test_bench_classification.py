"""The benchmark of classification, at a tiny size."""

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_floors_codes_and_a_supervised_reference_are_rows(script: Callable[[str], Any], tmp_path: Path) -> None:
    sizes = {"points": 32, "autoencoder": 0.005, "minutes": 0.005}
    script("bench_classification").main(
        "shapes:chair=40,lamp=40", references="pointnet", out=tmp_path / "runs", **sizes
    )
    rows = script("figures").read("classification")
    assert len(rows) == 4 and rows[0]["classifier"] == "always the largest class"
    assert all(
        0 <= float(row["accuracy_low"]) <= float(row["accuracy"]) <= float(row["accuracy_high"]) <= 1 for row in rows
    )
    assert int(rows[3]["epochs"]) >= 1 and rows[0]["classes"] == "2"
    assert "| linear SVM on codes |" in script("task_tables").classification(rows)
