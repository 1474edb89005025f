"""What is timed of a distance, on a clock that the runs themselves turn on."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize("repeats", [1, 3, 7])
def test_the_first_run_of_a_peer_is_not_timed(
    script: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, repeats: int
) -> None:
    program, clock, called = script("bench_distances"), [0.0], [0]

    def run() -> None:
        clock[0] += 2.0 if called[0] else 100.0  # seconds: the first run imports its package
        called[0] += 1

    monkeypatch.setattr(program.time, "perf_counter", lambda: clock[0])
    assert program.measure([run], [repeats], max) == [2000.0]
    assert called == [2 * repeats if repeats > 5 else 1 + repeats]


def test_a_slow_peer_is_asked_less_often_than_the_others(script: Callable[[str], Any]) -> None:
    called = [0, 0]

    def run(row: int) -> None:
        called[row] += 1

    script("bench_distances").measure([lambda: run(0), lambda: run(1)], [4, 1])
    assert called == [5, 2]
