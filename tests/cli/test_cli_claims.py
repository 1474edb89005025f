"""`pcgen claims`: the list, a test with its table, and bad input."""

import csv
import re

import pytest

from pcgen.studies.claims import CLAIMS


def test_without_a_name_all_claims_are_listed(pcgen) -> None:
    result = pcgen("claims")
    assert result.code == 0 and all(name in result.out for name in CLAIMS)


def test_a_claim_is_tested_and_its_numbers_are_written(pcgen, tmp_path) -> None:
    out = tmp_path / "claims.csv"
    words = ["claims", "parts", "control_variates", "--seeds", 3, "--effort", 0.01, "--out", out]
    result = pcgen(*words)
    assert result.code == 0, result.err
    assert "parts: " in result.out and "control_variates: holds" in result.out
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["claim"] for row in rows] == ["parts"] * 2 + ["control_variates"] * 2
    assert {row["seeds"] for row in rows} == {"3"}
    again = pcgen(*words)
    assert again.code == 2 and "exists; choose another name or give --overwrite" in again.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["mixin"], r"claim: must be one of .*; got 'mixin'; did you mean 'mixing'\?"),
        (["mixing", "--effort", 0], "effort: must be a positive number, got 0"),
        (["--seeds", 3, "--out", "x.csv"], "--seeds, --out: for testing claims; name some, or --all"),
        (["mixing", "--seeds", 2], "seeds: must be at least 3, got 2"),
        (["mixing", "--out", "claims.txt"], r"--out: must end in .csv, got claims.txt"),
    ],
)
def test_bad_input_is_named(pcgen, words, told) -> None:
    result = pcgen("claims", *words)
    assert result.code == 2 and re.search(told, result.err) and len(result.err.splitlines()) == 1
