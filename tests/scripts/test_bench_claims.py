"""The benchmark of the claims goes on where it was, and the page has them all."""

from collections.abc import Callable
from typing import Any

from pcgen.studies.claims import CLAIMS


def test_claims_are_kept_when_others_are_measured_and_the_page_has_verdicts(script: Callable[[str], Any]) -> None:
    bench, figures = script("bench_claims"), script("figures")
    bench.main(names=["control_variates"], seeds=3, effort=0.01)
    bench.main(names=["parts"], seeds=3, effort=0.01)
    bench.main(names=["control_variates"], seeds=4, effort=0.01)
    rows = figures.read("claims")
    assert [(row["claim"], row["seeds"]) for row in rows] == [("parts", "3")] * 2 + [("control_variates", "4")] * 2
    page = script("claims_page").claims()
    for name, claim in CLAIMS.items():
        assert f"### `{name}`" in page and claim.says in page and claim.source in page
    assert page.count("*Not measured yet*") == len(CLAIMS) - 2
    assert f"**Verdict: {rows[2]['verdict']}** (4 seeds, " in page and "effort 0.01" in page


def test_what_is_there_is_not_measured_again(script: Callable[[str], Any], monkeypatch: Any) -> None:
    bench, figures = script("bench_claims"), script("figures")
    few = {name: CLAIMS[name] for name in ("parts", "control_variates")}
    monkeypatch.setattr(bench, "CLAIMS", few)
    bench.main(names=["parts"], seeds=3, effort=0.01)
    bench.main(names=None, seeds=4, effort=0.01)
    assert [(row["claim"], row["seeds"]) for row in figures.read("claims")] == [("parts", "3")] * 2 + [
        ("control_variates", "4")
    ] * 2
