"""What a leaderboard finds in its folder, and the order and the notes of its table."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pcgen import data
from pcgen.metrics import evaluate
from pcgen.studies import leaderboard
from pcgen.studies.leaderboard import Entry
from pcgen.studies.leaderboard.board import kept, report_file, samples_file
from pcgen.studies.quality import Quality

ABOUT = {"seed": 4}


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """A leaderboard of one model with two sets of samples, as a suite leaves it."""
    out, reports, reference = tmp_path / "board", [], torch.rand(4, 16, 3)
    (out / "gmm").mkdir(parents=True)
    for seed in (4, 5):
        samples = torch.rand(4, 16, 3)
        data.save(samples_file(out / "gmm", seed), samples)
        reports.append(evaluate(samples, reference, distances=("cd",)))
        report_file(out / "gmm", "exact", seed).write_text(reports[-1].to_json())
    trained = {"effort": 0.5, "options": {"components": 3}}
    entry = Entry("gmm", {"exact": tuple(reports)}, samples_file(out / "gmm", 4), 1.5, **trained)
    leaderboard.write([entry], out, ABOUT)
    return out


@pytest.mark.parametrize("distances", [("cd",), ("emd",), ("cd", "emd")])
def test_the_best_model_is_the_first_and_one_that_failed_the_last(distances: tuple[str, ...]) -> None:
    reference = torch.rand(16, 32, 3)
    near, far = (evaluate(reference + by * torch.randn(16, 32, 3), reference, distances=distances) for by in (0.2, 2.0))
    entries = [Entry("failed", failure="no"), Entry("far", {"exact": (far,)}), Entry("near", {"exact": (near,)})]
    assert [entry.name for entry in leaderboard.ranked(entries, "exact")] == ["near", "far", "failed"]
    metric = leaderboard.ranking(entries, "exact")
    assert metric == f"one_nna_{distances[0]}"
    chance = near.values[f"{metric}_chance"]
    assert abs(near.values[metric] - chance) < abs(far.values[metric] - chance)


def test_models_of_another_protocol_or_reference_are_in_no_table(board: Path) -> None:
    samples, known, other = (torch.rand(4, 16, 3) for _ in range(3))

    def entry(name: str, reference: Tensor, protocol: str = "exact", **options: int) -> Entry:
        report = evaluate(samples, reference, protocol=protocol, distances=("cd",), **options)
        return Entry(name, {protocol: (report,)})

    first = entry("a", known)
    for second, told in (
        (entry("b", known, seed=1), r"one protocol; a has exact \w+ with seed=0, b has exact \w+ with seed=1"),
        (entry("b", other), r"one reference set; a has a tensor \(\w+\), b has a tensor \(\w+\)"),
        (entry("b", known, "dpm"), "under the same protocols; a has exact, b has dpm; evaluate both under all"),
        (
            replace(first, name="b", reports={"exact": (*first.reports["exact"], *entry("", other).reports["exact"])}),
            r"one reference set; a has a tensor \(\w+\), b, set 2 has a tensor \(\w+\)",
        ),
        (
            replace(first, name="b", classes={"chair": entry("", other).reports["exact"][0]}),
            r"one reference set; a of chair has a tensor \(\w+\), b of chair has a tensor",
        ),
    ):
        entries = [replace(first, classes={"chair": first.reports["exact"][0]}), second]
        with pytest.raises(ValueError, match=told):
            leaderboard.markdown(entries)
        with pytest.raises(
            ValueError, match=rf"leaderboard\.json: reports: .*{told}.*; to measure all models again, del"
        ):
            leaderboard.write(entries, board, ABOUT)
    assert [each.name for each in leaderboard.kept(board, ABOUT, [])] == ["gmm"]  # nothing was written
    # The same of what stands in a folder: its second report is replaced.
    text = entry("", other).reports["exact"][0].to_json()
    report_file(board / "gmm", "exact", 5).write_text(text)
    for read in (lambda: leaderboard.kept(board, ABOUT, []), lambda: leaderboard.read(board)):
        with pytest.raises(ValueError, match=r"leaderboard\.json: .* gmm, set 1 has .* gmm, set 2 has .*delete it"):
            read()


def test_what_is_noted_of_reports_is_beneath_the_table(board: Path) -> None:
    (entry,) = leaderboard.kept(board, ABOUT, [])
    (first, second), (leak, shared, of_copies) = entry.reports["exact"], ("leak", "grid", "copies: 3% of samples")
    reports = (replace(first, notes=(shared, leak, of_copies)), replace(second, notes=(shared, leak)))
    other = tuple(replace(report, notes=(shared,)) for report in entry.reports["exact"])
    table = leaderboard.markdown([replace(entry, reports={"exact": reports}), Entry("gan", {"exact": other})])
    assert table.count("Noted of all: grid.") == table.count("Noted of gmm: leak.") == 1
    assert "Noted of gan" not in table and "copies: 3%" not in table


def test_rows_of_another_version_are_told_beneath_the_table(board: Path) -> None:
    (entry,) = leaderboard.kept(board, ABOUT, [])
    older = {"exact": tuple(replace(report, version="0.1.2") for report in entry.reports["exact"])}
    table = leaderboard.markdown([entry, replace(entry, name="gan", reports=older)])
    version = entry.reports["exact"][0].version
    assert f"Measured by pcgen {version} for gmm; 0.1.2 for gan: versions may differ in what they measure." in table
    assert "Measured by" not in leaderboard.markdown([entry, replace(entry, name="gan")])


def test_the_autoencoder_is_found_from_every_working_directory(
    board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told from the board's folder, and however it is asked for it is the same."""
    (tmp_path / "ae").mkdir()
    entries = leaderboard.kept(board, ABOUT, [])
    monkeypatch.chdir(tmp_path)
    leaderboard.write(entries, board, {**ABOUT, "autoencoder": "ae"})
    assert json.loads((board / "leaderboard.json").read_text())["autoencoder"] == "../ae"
    for asked in ("ae", "board/../ae", str(tmp_path / "ae")):
        assert leaderboard.kept("board", {**ABOUT, "autoencoder": asked}, [])
    with pytest.raises(ValueError, match=r"its autoencoder is \S+ae, asked for is \S+other; choose another --out"):
        leaderboard.kept("board", {**ABOUT, "autoencoder": "other"}, [])
    monkeypatch.chdir(board)
    assert Path(leaderboard.read(board)[0]["autoencoder"]) == (tmp_path / "ae").resolve()
    assert leaderboard.kept(".", {**ABOUT, "autoencoder": "../ae"}, [])
    monkeypatch.chdir(tmp_path)
    table = json.loads((board / "leaderboard.json").read_text())
    (board / "leaderboard.json").write_text(json.dumps({**table, "autoencoder": "ae"}))  # as earlier versions wrote it
    assert Path(leaderboard.read(board)[0]["autoencoder"]) == (tmp_path / "ae").resolve()


def test_what_is_no_number_is_null_in_the_table_and_the_file_is_json(board: Path) -> None:
    (entry,) = leaderboard.kept(board, ABOUT, [])
    quality = Quality("gmm", math.nan, (math.nan, 0.5), 0.25, math.inf, False)
    options = {"clip": math.inf, "betas": [0.5, math.nan]}
    leaderboard.write([replace(entry, quality=(quality,), options=options)], board, ABOUT)

    def refuse(text: str) -> None:
        raise AssertionError(text)

    (row,) = json.loads((board / "leaderboard.json").read_text(), parse_constant=refuse)["rows"]
    (told,) = row["quality"]
    assert (told["score"], told["interval"], told["novelty"], told["energy"]) == (None, [None, 0.5], None, 0.25)
    assert row["options"] == {"clip": "inf", "betas": [0.5, "nan"]}
    (again,) = leaderboard.kept(board, ABOUT, [])
    (found,) = again.quality
    assert math.isnan(found.score) and math.isnan(found.novelty) and found.energy == 0.25
    assert math.isnan(found.interval[0]) and found.interval[1] == 0.5


def test_how_a_row_was_trained_is_recorded_and_an_older_row_does_not_say(board: Path) -> None:
    (entry,) = leaderboard.kept(board, ABOUT, ["gaussian"])
    assert (entry.effort, entry.options) == (0.5, {"components": 3})
    path = board / "leaderboard.json"
    table = json.loads(path.read_text())
    for row in table["rows"]:
        del row["effort"], row["options"]
    path.write_text(json.dumps(table))
    (entry,) = leaderboard.kept(board, ABOUT, ["gaussian"])
    assert entry.effort is None and entry.options == {}


def test_a_table_says_where_models_differ_in_effort_and_what_options_they_had(board: Path) -> None:
    (entry,) = leaderboard.kept(board, ABOUT, ["gaussian"])
    alike = [entry, replace(entry, name="gan", options={})]
    assert leaderboard.differences(alike) == ["Options that are not the defaults: gmm.components=3."]
    others = [*alike, replace(entry, name="vae", effort=1.0, options={}), replace(entry, name="old", effort=None)]
    (efforts, _) = leaderboard.differences([*others, Entry("failed", failure="no", effort=2.0)])
    told = "0.5 for gmm, gan; 1 for vae; not recorded for old"
    assert efforts == f"Effort differs between models (times the default steps of each): {told}."
    assert efforts in leaderboard.markdown(others)


def test_an_option_that_is_no_json_value_is_recorded_by_what_it_prints(board: Path) -> None:
    (entry,) = leaderboard.kept(board, ABOUT, ["gaussian"])
    given = torch.nn.Linear(2, 3)
    leaderboard.write([replace(entry, options={"network": given})], board, ABOUT)
    (entry,) = leaderboard.kept(board, ABOUT, ["gaussian"])
    assert entry.options == {"network": str(given)}


def test_a_model_that_is_not_named_is_kept(board: Path) -> None:
    (entry,) = leaderboard.kept(board, ABOUT, ["gaussian"])
    assert (entry.name, entry.seconds, entry.samples) == ("gmm", 1.5, board / "gmm" / "samples-4.npz")
    kept = [report.to_json() for report in entry.reports["exact"]]
    assert kept == [(board / "gmm" / f"report-exact-{seed}.json").read_text() for seed in (4, 5)]


@pytest.mark.parametrize(("file", "what"), [("report-exact-5.json", "report is"), ("samples-4.npz", "samples are")])
def test_a_missing_file_of_a_model_that_is_kept_is_told(board: Path, file: str, what: str) -> None:
    (board / "gmm" / file).unlink()
    message = f"{file}: gmm's {what} missing; name gmm in --models, so that it is measured again"
    with pytest.raises(FileNotFoundError, match=message) as caught:
        leaderboard.kept(board, ABOUT, ["gaussian"])
    assert "Errno" not in str(caught.value)
    assert leaderboard.kept(board, ABOUT, ["gmm"]) == []  # the way out


def test_a_leaderboard_that_was_stopped_before_its_first_row_goes_on(board: Path, tmp_path: Path) -> None:
    """And one whose damaged leaderboard.json has been deleted, as its message advises."""
    (board / "leaderboard.json").write_text('{"rows": [{')
    with pytest.raises(ValueError, match=r"leaderboard\.json: damaged.*; delete it: the trainings beside it are kept"):
        leaderboard.kept(board, ABOUT, ["gmm"])
    (board / "leaderboard.json").unlink()
    data.save(board / leaderboard.REFERENCE, torch.rand(4, 16, 3))
    (board / "autoencoder").mkdir()
    assert leaderboard.kept(board, ABOUT, ["gmm"]) == []
    (board / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"board: has thesis\.txt in it and is not a leaderboard; choose another"):
        leaderboard.kept(board, ABOUT, ["gmm"])
    (tmp_path / "runs" / "gmm").mkdir(parents=True)  # of somebody who trained it by hand
    with pytest.raises(FileExistsError, match="runs: has gmm in it and is not a leaderboard"):
        leaderboard.kept(tmp_path / "runs", ABOUT, ["gmm"])


@pytest.mark.parametrize("text", ["", "[]", '{"rows": 3}', '{"rows": [{"model": "gmm"}]}', '{"seed": 4}', "\0"])
def test_a_damaged_leaderboard_is_told_in_one_line(board: Path, text: str) -> None:
    (board / "leaderboard.json").write_text(text)
    with pytest.raises(ValueError, match=r"leaderboard\.json: damaged, or not written by this pcgen \(\w+: ") as caught:
        leaderboard.kept(board, ABOUT, ["gaussian"])
    assert "\n" not in str(caught.value)


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "board").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"board: is a file, and a leaderboard is a folder; choose another --out"):
        kept(tmp_path / "board", {}, ["gan"])
    assert (tmp_path / "board").read_text() == "years of work"
