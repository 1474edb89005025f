"""The benchmark of classification, at a tiny size."""

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_floors_codes_and_a_supervised_reference_are_rows(script: Callable[[str], Any], tmp_path: Path) -> None:
    sizes = {"points": 32, "autoencoder": 0.005, "jigsaw": 0.005, "epochs": 1, "labelled_points": 16}
    script("bench_classification").main(
        "shapes:chair=40,lamp=40", references="pointnet", out=tmp_path / "runs", **sizes
    )
    rows = script("figures").read("classification")
    assert len(rows) == 8 and rows[0]["classifier"] == "always the largest class"
    assert all(
        0 <= float(row["accuracy_low"]) <= float(row["accuracy"]) <= float(row["accuracy_high"]) <= 1 for row in rows
    )
    assert int(rows[7]["epochs"]) == 1 and int(rows[7]["points"]) == 16 and rows[0]["classes"] == "2"
    table = script("task_tables").classification(rows)
    assert all(f"| linear SVM on codes of `{model}` |" in table for model in ("autoencoder", "jigsaw"))
    assert table.count(" | untrained | ") == table.count(" | untrained, batch norm fitted | ") == 2


def test_a_gain_is_told_with_its_sign_and_whether_the_intervals_overlap(script: Callable[[str], Any]) -> None:
    def row(name: str, *accuracies: str) -> dict[str, str]:
        sizes = {
            "data": "parts",
            "points": "32",
            "classes": "2",
            "learned": "9",
            "tested": "9",
            "epochs": "",
            "seconds": "1",
        }
        keys = ("accuracy_low", "accuracy", "accuracy_high")
        return {**sizes, "classifier": name, "class_accuracy": ".5", **dict(zip(keys, accuracies, strict=True))}

    ae, puzzle = (f"linear SVM on codes of `{name}`" for name in ("ae", "puzzle"))
    rows = [
        row(ae, ".7", ".75", ".8"),
        row(f"{ae} untrained", ".4", ".45", ".5"),
        row(puzzle, ".4", ".44", ".5"),
        row(f"{puzzle} untrained", ".4", ".45", ".5"),
    ]
    table = script("task_tables").classification(rows)
    assert f"| {ae} | untrained | +30.0 | no |" in table
    assert f"| {puzzle} | untrained | -1.0 | yes |" in table
