"""The benchmark of classification, at a tiny size."""

import math
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
    assert all(len(row["right"]) == int(row["tested"]) for row in rows)
    table = script("task_tables").classification(rows)
    assert all(f"| linear SVM on codes of `{model}` |" in table for model in ("autoencoder", "jigsaw"))
    assert table.count(" | untrained | ") == table.count(" | untrained, batch norm fitted | ") == 2


def row(name: str, accuracy: float, tested: int = 100, right: str | None = None) -> dict[str, str]:
    """A row of results/classification.csv; without `right`, one of an earlier benchmark."""
    sizes = {"data": "parts", "points": "32", "classes": "2", "learned": "9", "tested": str(tested)}
    shares = {key: str(accuracy) for key in ("accuracy_low", "accuracy", "accuracy_high", "class_accuracy")}
    answers = {} if right is None else {"right": right}
    return {**sizes, **shares, "classifier": name, "epochs": "", "seconds": "1", **answers}


def test_a_gain_is_told_with_its_sign_and_the_interval_of_independent_tests(script: Callable[[str], Any]) -> None:
    ae, puzzle = (f"linear SVM on codes of `{name}`" for name in ("ae", "puzzle"))
    rows = [row(ae, 0.75), row(f"{ae} untrained", 0.45), row(puzzle, 0.44), row(f"{puzzle} untrained", 0.45)]
    table = script("task_tables").classification(rows)
    reach = 196 * math.sqrt((0.75 * 0.25 + 0.45 * 0.55) / 100)
    assert f"| {ae} | untrained | +30.0 ({30 - reach:+.1f} to {30 + reach:+.1f}) |" in table
    assert f"| {puzzle} | untrained | -1.0 (-14.8 to +12.8) |" in table
    assert "as if the two were tested on different clouds" in table and "overlap" not in table


def test_a_gain_is_of_the_answers_to_each_cloud_where_they_are_kept(script: Callable[[str], Any]) -> None:
    name = "linear SVM on codes of `ae`"
    # Both are right about 40 clouds and wrong about 50, one alone is right about 8, the other about 2.
    answers = ("1" * 40 + "0" * 50 + "1" * 8 + "0" * 2, "1" * 40 + "0" * 50 + "0" * 8 + "1" * 2)
    rows = [row(name, 0.48, right=answers[0]), row(f"{name} untrained", 0.42, right=answers[1])]
    table = script("task_tables").classification(rows)
    reach = 196 * math.sqrt((0.1 - 0.06**2) / 100)
    assert f"| {name} | untrained | +6.0 ({6 - reach:+.1f} to {6 + reach:+.1f}) |" in table
    assert "compared cloud by cloud" in table
    older = script("task_tables").classification([row(name, 0.48), row(f"{name} untrained", 0.42, right=answers[1])])
    assert "+6.0 (-7.8 to +19.8)" in older and "compared cloud by cloud" not in older  # by the accuracies alone
