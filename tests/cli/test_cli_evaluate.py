"""`pcgen evaluate`: one set of samples, what is done to it and to the reference, and what is said of both."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluated_sets import AGAINST, boxes

from pcgen import data


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
    np.savez("bad.npz", points=bad.numpy())
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
        (["a.npz", *AGAINST, "--published", "chair"], "--published: there are published numbers for the protocols"),
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
    assert result.code == 2 and "--train: must be given for the normalisation global_std" in result.err


def test_clouds_limits_samples_and_reference(pcgen: Callable, sets: Path) -> None:
    result = pcgen("evaluate", "a.npz", *AGAINST, "--clouds", "5", "--out", "e.json")
    assert result.code == 0 and "clouds: 5 of 12 samples, 5 of 12 reference clouds" in result.err
    counts = json.loads(Path("e.json").read_text())["protocol"]["counts"]
    assert all((each["samples"], each["reference"]) == (5, 5) for each in counts.values())
    again = pcgen("evaluate", "e.json", "b.npz", *AGAINST, "--clouds", "5")
    assert again.code == 0, again.err
    refused = pcgen("evaluate", "e.json", "b.npz", *AGAINST)
    assert refused.code == 2 and "samples=5, reference=5, b.npz has samples=12, reference=12" in refused.err


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


def test_a_folder_and_one_within_it_have_other_splits_and_it_is_said(pcgen: Callable, sets: Path) -> None:
    for row, cloud in enumerate(boxes(7, count=24)):
        path = sets / "meshes" / ("chair" if row % 2 else "table") / f"{row}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, cloud.numpy())
    words = ["evaluate", "a.npz", "--reference", "meshes:chair@test", "--metrics", "cd"]
    result = pcgen(*words, "--train", "meshes/chair")
    told = "warning: meshes/chair@train and meshes:chair@test are a folder and one within it: pcgen made the splits of"
    assert result.code == 0 and told in " ".join(result.err.split()), result.err
    assert "one within it" not in pcgen(*words, "--train", "meshes:chair").err


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
