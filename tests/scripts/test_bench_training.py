"""The benchmark of training, at a tiny size."""

from collections.abc import Callable
from typing import Any

import pytest


def test_a_rate_for_each_variant_beside_eager_pytorch(script: Callable[[str], Any]) -> None:
    script("bench_training").main(points=32, batch=4, steps=1)
    rows = script("figures").read("training")
    eager = float(rows[0]["clouds_per_second"])
    assert rows[0]["variant"].startswith("eager") and float(rows[0]["times_eager"]) == 1 and len(rows) >= 7
    for row in rows:
        rate = float(row["clouds_per_second"])
        assert float(row["times_eager"]) == pytest.approx(rate / eager, rel=0.1, abs=0.006)
