"""The benchmark of the intervals, with few sets."""

from collections.abc import Callable
from typing import Any

import pytest


def test_every_interval_is_measured_and_told(script: Callable[[str], Any]) -> None:
    script("bench_intervals").main(repeats=8, most=60)
    rows = script("figures").read("intervals")
    assert {row["samples"] for row in rows} == {"30", "60"} and len({row["data"] for row in rows}) == len(rows)
    for row in rows:
        measured = {key.removesuffix("_held") for key, value in row.items() if key.endswith("_held") and value}
        assert measured == ({"jsd"} if "cells" in row["data"] else {"mmd", "cov", "one_nna", "one_nna_difference"})
        assert all(0 <= float(row[f"{metric}_held"]) <= 1 and float(row[f"{metric}_width"]) > 0 for metric in measured)
    assert script("task_tables").intervals(rows).count("30 + 30") == len(rows) - 1


def test_a_normal_interval_of_the_right_width_holds_the_mean_as_often_as_it_says(script: Callable[[str], Any]) -> None:
    values = [0.01 * place for place in range(-100, 101)]  # uniform in (-1, 1), of variance 1/3
    right = 1.96 * (1 / 3) ** 0.5
    held, width = script("bench_intervals").told_mean([(value, value - right, value + right) for value in values])
    assert held == 1 and width == pytest.approx(1, abs=0.02)
    held, width = script("bench_intervals").told_mean([(value, value - 0.5, value + 0.5) for value in values])
    assert held == pytest.approx(0.5, abs=0.01) and width == pytest.approx(0.5 / right, abs=0.02)
