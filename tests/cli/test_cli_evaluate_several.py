"""`pcgen evaluate`: several sets side by side, measured now or read from reports."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluated_sets import AGAINST, boxes

from pcgen import data
from pcgen.metrics import pairs


def test_several_sets_stand_side_by_side(pcgen: Callable, sets: Path) -> None:
    result = pcgen("evaluate", "a.npz", "b.npz", *AGAINST, "--metrics", "cd", "--out", "e.json")
    assert result.code == 0, result.err
    alone = pcgen("evaluate", "b.npz", *AGAINST, "--metrics", "cd", "--out", "b.json")
    assert alone.code == 0
    both = json.loads(Path("e.json").read_text())
    assert [report["samples"]["source"] for report in both] == ["a.npz", "b.npz"]
    assert both[1] == json.loads(Path("b.json").read_text())
    rows = [line.split()[0] for line in result.out.splitlines() if line.startswith((" a ", " b "))]
    assert rows == ["a", "b"] * 3  # in the headline table, in that of precision and recall, and in that of variety
    assert "mean of" not in result.out and "precision" in result.out


def test_seeds_of_one_model_have_a_mean_and_a_deviation(pcgen: Callable, sets: Path) -> None:
    result = pcgen("evaluate", "a.npz", "b.npz", "c.npz", *AGAINST, "--seeds", "--metrics", "cd", "--out", "e.json")
    assert result.code == 0, result.err
    assert "mean of 3" in result.out and "+-" in result.out
    found = json.loads(Path("e.json").read_text())
    values = torch.tensor([report["mmd_cd"] for report in found["reports"]], dtype=torch.float64)
    assert found["mean"]["mmd_cd"] == pytest.approx(float(values.mean()))
    assert found["deviation"]["mmd_cd"] == pytest.approx(float(values.std()))
    one = pcgen("evaluate", "a.npz", *AGAINST, "--seeds")
    assert one.code == 2 and "--seeds: must have two sets of samples or more, got a.npz" in one.err
    twice = pcgen("evaluate", "a.npz", "a.npz", *AGAINST)
    assert twice.code == 2 and "must be different" in twice.err


def test_a_report_is_read_again_and_not_merged_with_another_protocol(pcgen: Callable, sets: Path) -> None:
    few = ("--metrics", "cd", "--overwrite")
    assert pcgen("evaluate", "a.npz", *AGAINST, *few, "--out", "a.json").code == 0
    result = pcgen("evaluate", "a.json", "b.npz", *AGAINST, *few, "--out", "both.json")
    assert result.code == 0 and " a " in result.out and " b " in result.out
    again = pcgen("evaluate", "both.json", "a.json", "--out", "three.json")
    assert again.code == 0 and len(json.loads(Path("three.json").read_text())) == 3
    assert pcgen("evaluate", "b.npz", *AGAINST, *few, "--protocol", "dpm", "--out", "b.json").code == 0
    refused = pcgen("evaluate", "a.json", "b.json")
    assert refused.code == 2
    assert "must share one protocol, or all of several; a has exact, b has dpm" in refused.err
    assert pcgen("evaluate", "b.npz", *AGAINST, *few, "--seed", "1", "--out", "b.json").code == 0
    refused = pcgen("evaluate", "a.json", "b.json")
    assert refused.code == 2 and "under exact a has seed=0, b has seed=1" in refused.err
    Path("bad.json").write_text("[]")
    for name, text in (("bad.json", "bad.json: must be a report"), ("none.json", "none.json: no such file")):
        wrong = pcgen("evaluate", name)
        assert wrong.code == 2 and text in wrong.err


def test_sets_that_cannot_stand_side_by_side_are_refused_before_any_is_measured(
    pcgen: Callable, sets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pcgen("evaluate", "a.npz", *AGAINST, "--metrics", "cd", "--out", "a.json").code == 0
    bad = boxes(1)
    bad[3, 5, 1] = torch.nan
    np.savez("fewer.npz", points=bad.numpy())
    monkeypatch.setattr(pairs, "_search", lambda *_: pytest.fail("it was measured"))
    for first, name in (("a.npz", "a.npz"), ("a.json", "a")):
        result = pcgen("evaluate", first, "fewer.npz", *AGAINST, "--drop-bad", "--out", "e.json")
        assert result.code == 2, result.err
        assert f"under exact {name} has samples=12, fewer.npz has samples=11" in result.err
    for words, told in (
        (("--seed", "1"), "a has seed=0, b.npz has seed=1"),
        (("--points", "32"), "a has points=None, b.npz has points=32"),
        (("--protocol", "exact,dpm"), "a has exact, b.npz has exact, dpm"),
    ):
        result = pcgen("evaluate", "a.json", "b.npz", *AGAINST, *words)
        assert result.code == 2 and told in result.err, result.err
    result = pcgen("evaluate", "a.json", "b.npz", "--reference", "reference.npz@test")
    assert result.code == 2 and "a has reference=12, b.npz has reference=" in result.err


def test_a_file_of_several_reports_is_read_alone(pcgen: Callable, sets: Path) -> None:
    cd = ("--metrics", "cd")
    measured = pcgen("evaluate", "a.npz", "b.npz", *AGAINST, *cd, "--out", "ab.json")
    again = pcgen("evaluate", "ab.json", "--out", "again.json")
    assert again.code == 0 and again.out == measured.out, again.err
    assert Path("again.json").read_text() == Path("ab.json").read_text()

    measured = pcgen("evaluate", "a.npz", "b.npz", "c.npz", *AGAINST, *cd, "--seeds", "--out", "abc.json")
    again = pcgen("evaluate", "abc.json", "--seeds", "--out", "seeds.json")
    assert again.code == 0 and again.out == measured.out and "mean of 3" in again.out, again.err
    assert Path("seeds.json").read_text() == Path("abc.json").read_text()
    alone = pcgen("evaluate", "ab.json", "c.npz", *AGAINST, *cd, "--seeds")
    assert alone.code == 0 and alone.out == measured.out


def test_files_of_several_protocols_are_read_together(pcgen: Callable, sets: Path) -> None:
    both = (*AGAINST, "--metrics", "cd", "--protocol", "exact,dpm")
    measured = pcgen("evaluate", "a.npz", "b.npz", *both, "--out", "ab.json")
    for name in "ab":
        alone = pcgen("evaluate", f"{name}.npz", *both, "--out", f"p{name}.json")
        assert alone.code == 0 and "one set under several protocols" in alone.out
        rows = [line.split()[0] for line in alone.out.splitlines() if line.startswith((" exact ", " dpm "))]
        assert rows == ["exact", "dpm", *["exact"] * 2, *["dpm"] * 2]  # in one table; then precision, variety of each
        assert pcgen("evaluate", f"p{name}.json").out == alone.out
    for words in (("ab.json",), ("pa.json", "pb.json"), ("pa.json", "b.npz", *both)):
        result = pcgen("evaluate", *words, "--out", "e.json", "--overwrite")
        assert result.code == 0 and result.out == measured.out, result.err
        assert Path("e.json").read_text() == Path("ab.json").read_text()
    titles = re.findall(r"protocol (\w+) [0-9a-f]{12}", measured.out)  # notes name a protocol too
    assert titles == ["exact", "dpm"]


def test_published_numbers_stand_below_each_protocol(pcgen: Callable, sets: Path) -> None:
    several = ("--metrics", "cd", "--protocol", "pointflow,dit3d", "--published", "chair")
    result = pcgen("evaluate", "a.npz", *AGAINST, *several)
    assert result.code == 0, result.err
    first, second = result.out.partition("dit3d ")[::2]
    assert " PVD " in first and " PVD " not in second and " DiT-3D-XL " in second
    assert "DiT-3D-XL: as printed by" in result.out


def test_options_of_measuring_are_refused_where_nothing_is_measured(pcgen: Callable, sets: Path) -> None:
    assert pcgen("evaluate", "a.npz", *AGAINST, "--metrics", "cd", "--out", "a.json").code == 0
    for words, told in (
        ((*AGAINST, "--points", 12, "--protocol", "lion"), "--reference, --protocol, --points"),
        (("--protocol", "exact", "--full-matrix"), "--protocol, --full-matrix"),  # by default too
        (("--features", "runs/none", "--seed", 1), "--features, --seed"),
    ):
        result = pcgen("evaluate", "a.json", *words)
        assert result.code == 2 and result.out == "", result.err
        assert f"SAMPLES: must have clouds among them for {told}, got reports alone" in result.err


def test_reports_of_one_source_are_called_by_their_files(pcgen: Callable, sets: Path) -> None:
    for name in ("old", "new"):
        data.save("a.npz", boxes(8 + (name == "new")), overwrite=True)
        assert pcgen("evaluate", "a.npz", *AGAINST, "--metrics", "cd", "--out", f"{name}.json").code == 0
    result = pcgen("evaluate", "old.json", "new.json", "--out", "both.json")
    assert result.code == 0 and " old " in result.out and " new " in result.out
    result = pcgen("evaluate", "both.json")
    assert result.code == 0 and " a.npz " in result.out and " a.npz (2) " in result.out
