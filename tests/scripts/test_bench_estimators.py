"""The benchmark of estimators, with few draws."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pcgen.models.variational.bit_gradients import BIT_GRADIENTS

BIASED = {"straight_through", "concrete 0.1", "concrete 0.5", "concrete 2", "gumbel_softmax 0.5"}


def test_bias_is_told_from_none_and_variances_are_in_the_order_of_the_papers(
    script: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bench = script("bench_estimators")
    monkeypatch.setattr(bench, "LEARNING", 200)
    monkeypatch.setattr(bench.draw, "__defaults__", (tmp_path / "estimators.png",))
    bench.main(draws=2000)
    assert (tmp_path / "estimators.png").stat().st_size > 10000
    rows = {(row["problem"], row["estimator"]): row for row in script("figures").read("estimators")}
    net = {estimator: row for (problem, estimator), row in rows.items() if problem == "belief net"}
    assert BIASED | set(BIT_GRADIENTS) - {"vimco", "concrete"} < set(net)
    for name, row in net.items():
        # 2000 draws tell the larger biases alone.
        if name not in BIASED:
            assert float(row["bias_low"]) < 0.02 and abs(float(row["bias"])) < 0.2, name
    assert float(net["concrete 2"]["bias_low"]) > 0.1
    spread = {name: float(row["variance"]) for name, row in net.items()}
    assert spread["score_function"] > spread["control_variate"] > spread["nvil"] > spread["muprop"]
    assert spread["nvil"] > spread["rebar"] > spread["local_expectation"]
    assert spread["score function of 2 draws"] > spread["vimco, 2 draws"]
    assert spread["concrete 0.1"] > spread["concrete 2"]
    textbook = [row for (problem, _), row in rows.items() if problem == "integral"]
    assert [row["factor"][:5] for row in textbook] == ["", "-0.47", "-0.70"]


def test_the_exact_gradient_is_that_of_finite_differences(script: Callable[[str], Any]) -> None:
    problem = script("estimator_problems").belief_net()
    exact, step = problem.exact(), 1e-5

    def mean(logits: torch.Tensor) -> torch.Tensor:
        every = script("estimator_problems").all_bits(logits.shape[1])
        p = logits.sigmoid()
        chance = torch.stack([torch.where(b > 0, p, 1 - p).prod(1) for b in every])
        energy = torch.stack([problem.energy(problem.x)(b.expand_as(p)) for b in every])
        return (chance * energy).sum(0)

    for k in range(problem.logits.shape[1]):
        move = torch.zeros_like(problem.logits)
        move[:, k] = step
        slope = (mean(problem.logits + move) - mean(problem.logits - move)) / (2 * step)
        torch.testing.assert_close(slope, exact[:, k], rtol=1e-5, atol=1e-7)
