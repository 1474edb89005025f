"""`pcgen evaluate`: several sets, reports read again, what it says, and what it keeps on disk."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rich.console
import torch

from pcgen import data
from pcgen.cli import progress
from pcgen.cli.progress import pair_progress
from pcgen.metrics import Progress, pairs


def boxes(seed: int, count: int = 12, points: int = 48) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    sides = torch.rand(count, 1, 3, generator=generator) + 0.2
    return (torch.rand(count, points, 3, generator=generator) - 0.5) * sides


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, made the current one, with samples a, b and c, and a reference."""
    for seed, name in enumerate(("a", "b", "c", "reference")):
        data.save(tmp_path / f"{name}.npz", boxes(seed))
    monkeypatch.chdir(tmp_path)
    return tmp_path


AGAINST = ("--reference", "reference.npz@all")


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


def test_finished_parts_are_gone_with_the_report_and_kept_where_asked(pcgen: Callable, sets: Path) -> None:
    Path("e.json.tiles").mkdir()
    Path("e.json.tiles", "mine.txt").write_text("mine")
    assert pcgen("evaluate", "a.npz", *AGAINST, "--out", "e.json").code == 0
    assert [path.name for path in Path("e.json.tiles").iterdir()] == ["mine.txt"]
    assert pcgen("evaluate", "a.npz", *AGAINST, "--out", "f.json").code == 0
    assert not Path("f.json.tiles").exists()
    assert pcgen("evaluate", "a.npz", *AGAINST, "--out", "g.json", "--tiles", "kept").code == 0
    assert len(list(Path("kept").iterdir())) > 5 and not Path("g.json.tiles").exists()
    texts = {Path(name).read_text() for name in ("e.json", "f.json", "g.json")}
    assert len(texts) == 1
    assert pcgen("evaluate", "b.npz", *AGAINST).code == 0 and not list(sets.glob("*.tiles/*.npz"))


def test_the_full_matrix_has_more_and_nothing_else(pcgen: Callable, sets: Path) -> None:
    assert pcgen("evaluate", "a.npz", *AGAINST, "--out", "near.json").code == 0
    result = pcgen("evaluate", "a.npz", *AGAINST, "--full-matrix", "--out", "full.json")
    assert result.code == 0
    near, full = (json.loads(Path(f"{name}.json").read_text()) for name in ("near", "full"))
    more = {f"{metric}_emd" for metric in ("precision", "recall", "density", "coverage", "vendi")}
    more |= {f"vendi_{part}_emd" for part in ("reference", "scale", "clipped")}
    for row in full["rows"]:
        assert more <= row["values"].keys()
        for metric in more:
            del row["values"][metric]
    full["notes"] = [note for note in full["notes"] if not note.startswith("Vendi under EMD")]
    assert near == full


def test_dropped_clouds_are_in_the_report(pcgen: Callable, sets: Path) -> None:
    bad = boxes(0)
    bad[3, 5, 1] = torch.nan
    data.save("bad.npz", data.Clouds(bad))
    refused = pcgen("evaluate", "bad.npz", *AGAINST)
    assert refused.code == 2 and "--drop-bad" in refused.err
    result = pcgen("evaluate", "bad.npz", *AGAINST, "--drop-bad", "--metrics", "cd", "--out", "e.json")
    assert result.code == 0 and "1 of 12 clouds dropped" in result.err
    report = json.loads(Path("e.json").read_text())
    assert report["samples"]["clouds"] == 11
    assert any(note.startswith("samples: 1 of 12 clouds dropped") for note in report["notes"])


def test_copies_and_class_accuracies_are_shown(pcgen: Callable, sets: Path) -> None:
    result = pcgen("evaluate", "a.npz", *AGAINST, "--train", "b.npz@all", "--metrics", "cd", "--out", "e.json")
    assert result.code == 0, result.err
    values = json.loads(Path("e.json").read_text())["rows"][0]["values"]
    classes = "/".join(f"{100 * values[f'one_nna_cd_{side}']:.0f}" for side in ("samples", "reference"))
    assert classes in result.out and "copies" in result.out and f"{values['novelty']:.3g}" in result.out


def test_samples_that_look_like_the_data_are_doubted(pcgen: Callable, sets: Path) -> None:
    clouds = data.Clouds(boxes(0), splits=("train",) * 6 + ("test",) * 6)
    data.save("data.npz", clouds)
    swapped = pcgen("evaluate", "data.npz@test", "--reference", "a.npz@all", "--metrics", "cd")
    assert swapped.code == 0 and "are they swapped?" in swapped.err
    right = pcgen("evaluate", "a.npz", "--reference", "data.npz@test", "--metrics", "cd")
    assert right.code == 0 and "swapped" not in right.err
    data.save("others.npz", data.Clouds(boxes(1), splits=("train",) * 6 + ("test",) * 6))
    both = pcgen("evaluate", "data.npz@test", "--reference", "others.npz@test", "--metrics", "cd")
    assert both.code == 0 and "the reference, is too: are they swapped?" in both.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.npz"], "--reference: name the clouds"),
        (["a.npz", *AGAINST, "--protocol", "exct"], "--protocol: must be one of exact, "),
        (["a.npz", *AGAINST, "--published", "chair"], "--published: there are published numbers of the protocols"),
        (["a.npz", *AGAINST, "--protocol", "lion", "--published", "chiar"], "--published: must be one of airplane"),
        (["a.npz", *AGAINST, "--up", "w"], "--up: must be"),
        (["a.npz", *AGAINST, "--samples-up", "w"], "--samples-up: must be"),
        (["a.npz", *AGAINST, "--device", "mps"], "--device: must be cpu, cuda or cuda:N, got 'mps'"),
        (
            ["a.npz", *AGAINST, "--device", "gpu"],
            "--device: must be cpu, cuda or cuda:N, got 'gpu'",
        ),
        (["a.npz", *AGAINST, "--normalize", "box"], "--normalize: must be one of none, unit_sphere, "),
        (["a.npz", *AGAINST, "--emd-clouds", "-1"], "--emd-clouds"),
        (
            ["a.npz", *AGAINST, "--points", "99"],
            "the first: has 48 points, fewer than the 99 asked for); ask for points=48 (--points 48)",
        ),
        (["a.npz", *AGAINST, "--tiles", "a.npz"], "--tiles: must be a folder, a.npz is a file"),
    ],
)
def test_errors_name_the_option(pcgen: Callable, sets: Path, words: list[str], message: str) -> None:
    before = sorted(sets.iterdir())
    result = pcgen("evaluate", *words)
    assert result.code == 2 and message in result.err, result.err
    assert sorted(sets.iterdir()) == before


def test_the_time_that_is_left_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pair_progress("lion") as show:
        show(Progress("estimate", 0, 10, 3660.0))
        show(Progress("CD", 5, 10, 1830.0))
    assert capsys.readouterr().err.strip() == "lion: 10 pairs, about 1 h 1 min"
    monkeypatch.setattr(progress, "_LINE_SECONDS", -1.0)
    with pair_progress("lion") as show:
        show(Progress("estimate", 0, 10, 1.0))
        show(Progress("CD: samples x reference", 5, 10, 1830.0))
    assert capsys.readouterr().err.strip() == "lion: CD: samples x reference: 5 of 10 pairs, about 30 min 30 s left"


def test_on_80_columns_progress_keeps_its_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    bars = progress._bars("pairs")
    bars.add_task(
        "latent_3d_points, runs/a/long/way/samples.npz: EMD: training set decoded x reference",
        total=1_319_600,
        completed=1_200_000,
        left="about 59 min 59 s",
    )
    console = rich.console.Console(width=80, record=True, file=io.StringIO())
    console.print(bars.get_renderable())
    (line,) = console.export_text().rstrip().splitlines()
    assert len(line.rstrip()) <= 80 and line.startswith("about 59 min 59 s left ")
    assert " 1200000/1319600 pairs; latent_3d" in line and line.rstrip().endswith("…")


def test_files_of_other_axes_are_turned_and_samples_are_not(pcgen: Callable, sets: Path) -> None:
    upright = data.load("shapes:table=24", points=64, seed=1).points
    samples = data.load("shapes:table=24", points=64, seed=2).points
    np.savez("upright.npz", points=samples.numpy())
    np.savez("z_up.npz", points=torch.stack((upright[..., 0], -upright[..., 2], upright[..., 1]), -1).numpy())
    data.save("y_up.npz", upright)
    words = ("evaluate", "upright.npz", "--metrics", "cd", "--overwrite", "--reference")
    want = pcgen(*words, "y_up.npz", "--out", "y.json")
    found = pcgen(*words, "z_up.npz", "--up", "z", "--out", "z.json")
    assert want.code == found.code == 0 and "axes:" not in want.err + found.err
    y, z = (json.loads(Path(name).read_text()) for name in ("y.json", "z.json"))
    assert z["mmd_cd"] == pytest.approx(y["mmd_cd"], rel=1e-6)
    forgotten = pcgen(*words, "z_up.npz", "--out", "f.json")
    assert forgotten.code == 0 and "axes: clouds fit better" in forgotten.err
    toppled = pcgen(*words, "z_up.npz", "--up", "z", "--samples-up", "z", "--out", "t.json")
    assert toppled.code == 0 and "axes: clouds fit better" in toppled.err
    assert json.loads(Path("t.json").read_text())["mmd_cd"] > 3 * y["mmd_cd"]


def test_one_normalisation_is_of_all_sets_and_in_the_stamp(pcgen: Callable, sets: Path) -> None:
    for scale, name in ((1.0, "one.npz"), (40.0, "forty.npz")):
        data.save(name, boxes(3) * scale)
    words = ("evaluate", "a.npz", "--metrics", "cd", "--normalize", "unit_box", "--reference")
    reports = []
    for name in ("one.npz", "forty.npz"):
        result = pcgen(*words, name, "--out", f"{name}.json")
        assert result.code == 0 and "scale:" not in result.err
        reports.append(json.loads(Path(f"{name}.json").read_text()))
    assert reports[1]["mmd_cd"] == pytest.approx(reports[0]["mmd_cd"], rel=1e-5)
    assert reports[0]["protocol"]["normalization"] == "unit_box"
    assert "normalization: unit_box, exact has none" in reports[0]["protocol"]["deviations"]
    result = pcgen("evaluate", "a.npz", *AGAINST, "--normalize", "global_std")
    assert result.code == 2 and "--train: must be given under the normalisation global_std" in result.err


def test_clouds_limits_samples_and_reference(pcgen: Callable, sets: Path) -> None:
    result = pcgen("evaluate", "a.npz", *AGAINST, "--clouds", "5", "--out", "e.json")
    assert result.code == 0 and "clouds: 5 of 12 samples, 5 of 12 reference clouds" in result.err
    counts = json.loads(Path("e.json").read_text())["protocol"]["counts"]
    assert all((each["samples"], each["reference"]) == (5, 5) for each in counts.values())
    again = pcgen("evaluate", "e.json", "b.npz", *AGAINST, "--clouds", "5")
    assert again.code == 0, again.err
    refused = pcgen("evaluate", "e.json", "b.npz", *AGAINST)
    assert refused.code == 2 and "samples=5, reference=5, b.npz has samples=12, reference=12" in refused.err


def test_an_interrupted_evaluation_says_where_it_goes_on(
    pcgen: Callable, sets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pairs, "_search", stop)
        result = pcgen("evaluate", "a.npz", *AGAINST, "--out", "e.json")
    assert (
        result.code == 130
        and "e.json.tiles: has the finished parts; the same command continues from there" in result.err
    )
    assert not Path("e.json").exists() and list(Path("e.json.tiles").iterdir())
    again = pcgen("evaluate", "a.npz", *AGAINST, "--out", "e.json")
    assert again.code == 0 and "e.json.tiles: finished parts in it are used" in again.err
    assert not Path("e.json.tiles").exists()


def test_another_sampling_of_the_reference_is_a_row(pcgen: Callable, sets: Path) -> None:
    result = pcgen("evaluate", "a.npz", *AGAINST, "--second", "c.npz@all", "--metrics", "cd")
    assert result.code == 0 and "second" in result.out and "--second" not in result.out
    without = pcgen("evaluate", "a.npz", *AGAINST, "--metrics", "cd")
    assert "--second" in without.out


def test_a_protocol_that_is_named_twice_is_measured_once(pcgen: Callable, sets: Path) -> None:
    result = pcgen("evaluate", "a.npz", *AGAINST, "--metrics", "cd", "--protocol", "exact, exact", "--out", "e.json")
    assert result.code == 0, result.err
    assert json.loads(Path("e.json").read_text())["protocol"]["name"] == "exact"  # one report, not a list of two


def test_a_preset_takes_the_smallest_sets_points_where_it_has_fewer(pcgen: Callable, sets: Path) -> None:
    data.save("more.npz", boxes(5, points=64))
    words = ("evaluate", "more.npz", *AGAINST, "--metrics", "cd", "--protocol", "lion", "--out", "e.json")
    result = pcgen(*words)
    assert result.code == 0, result.err
    assert "lion: 48 points of each cloud are used, not 2048: reference.npz@all has no more" in result.err
    assert "more.npz: 48 of the 64 points of each cloud are used (first)" in result.err
    found = json.loads(Path("e.json").read_text())
    assert found["samples"]["points"] == found["reference"]["points"] == 48
    assert "points: 48, lion has 2048" in found["protocol"]["deviations"]


def test_a_reference_without_splits_is_taken_whole_unless_the_rest_is_trained_on(pcgen: Callable, sets: Path) -> None:
    def reference(*words: str) -> tuple[int, str]:
        result = pcgen("evaluate", "a.npz", *words, "--metrics", "cd", "--out", "e.json", "--overwrite")
        assert result.code == 0, result.err
        return json.loads(Path("e.json").read_text())["reference"]["clouds"], result.err

    count, told = reference("--reference", "reference.npz")
    assert count == 12 and "names no split: @all is taken, as reference.npz has no splits of its own" in told
    assert reference("--reference", "reference.npz", "--train", "b.npz")[0] == 12
    held_out = len(data.load("reference.npz@test"))
    count, told = reference("--reference", "reference.npz", "--train", "reference.npz")
    assert count == held_out < 12 and "reference.npz names no split: @test is taken" in told
    assert reference("--reference", "reference.npz@test")[0] == held_out
    data.save("split.npz", data.Clouds(boxes(7), splits=("train",) * 7 + ("test",) * 5))
    assert reference("--reference", "split.npz")[0] == 5


def test_sets_that_cannot_stand_side_by_side_are_refused_before_any_is_measured(
    pcgen: Callable, sets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pcgen("evaluate", "a.npz", *AGAINST, "--metrics", "cd", "--out", "a.json").code == 0
    bad = boxes(1)
    bad[3, 5, 1] = torch.nan
    data.save("fewer.npz", data.Clouds(bad))
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
        assert pcgen("evaluate", f"p{name}.json").out == alone.out
    for words in (("ab.json",), ("pa.json", "pb.json"), ("pa.json", "b.npz", *both)):
        result = pcgen("evaluate", *words, "--out", "e.json", "--overwrite")
        assert result.code == 0 and result.out == measured.out, result.err
        assert Path("e.json").read_text() == Path("ab.json").read_text()
    assert measured.out.count("protocol exact") == measured.out.count("protocol dpm") == 1


def test_reports_of_one_source_are_called_by_their_files(pcgen: Callable, sets: Path) -> None:
    for name in ("old", "new"):
        data.save("a.npz", boxes(8 + (name == "new")), overwrite=True)
        assert pcgen("evaluate", "a.npz", *AGAINST, "--metrics", "cd", "--out", f"{name}.json").code == 0
    result = pcgen("evaluate", "old.json", "new.json", "--out", "both.json")
    assert result.code == 0 and " old " in result.out and " new " in result.out
    result = pcgen("evaluate", "both.json")
    assert result.code == 0 and " a.npz " in result.out and " a.npz (2) " in result.out


def test_clouds_of_different_sizes_are_measured_at_the_points_asked_for(pcgen: Callable, sets: Path) -> None:
    for row, cloud in enumerate(boxes(7, count=24, points=60)):
        np.savetxt(sets / f"{row}.xyz", cloud[: 40 + row % 20])
    folder = sets / "ragged"
    folder.mkdir()
    for row in range(24):
        (sets / f"{row}.xyz").rename(folder / f"{row}.xyz")
    refused = pcgen("evaluate", "a.npz", "--reference", "ragged@all", "--metrics", "cd")
    assert refused.code == 2 and "points" in refused.err
    result = pcgen(
        "evaluate", "a.npz", "--reference", "ragged@all", "--points", "32", "--metrics", "cd", "--out", "e.json"
    )
    assert result.code == 0, result.err
    report = json.loads(Path("e.json").read_text())
    assert report["reference"]["clouds"] == 24 and report["reference"]["points"] == 32
