"""The evaluation under every preset against the slow metrics, sets of different sizes; its oracles and conditions."""

import dataclasses
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slow_metrics
import torch
from torch import Tensor

from pcgen.data import Clouds, load
from pcgen.metrics import PROTOCOLS, evaluate, pairs
from pcgen.metrics.report import HEADLINE

pytestmark = pytest.mark.filterwarnings("ignore:(sets|axes). :UserWarning")


def blobs(count: int, points: int, seed: int, spread: float = 0.16) -> Tensor:
    """Clouds of as many shapes, mostly inside the ball of radius 1/2; the same numbers on every machine."""
    random = np.random.RandomState(seed)
    sides = random.uniform(0.3, 1.5, (count, 1, 3))
    return torch.from_numpy((random.standard_normal((count, points, 3)) * sides * spread).astype(np.float32))


SAMPLES, REFERENCE = blobs(5, 30, 1, 0.18), blobs(8, 30, 2)
AT_15 = dataclasses.replace(PROTOCOLS["exact"], name="exact at 15", points=15)


def slow(samples: Tensor, reference: Tensor, preset: str) -> dict[str, float]:
    x, y = samples.double().numpy(), reference.double().numpy()
    protocol = PROTOCOLS[preset]
    if protocol.normalization == "bbox":
        x, y = slow_metrics.boxed(x), slow_metrics.boxed(y)
    in_grid = (slow_metrics.into_ball(x, y), slow_metrics.into_ball(y, y)) if preset == "exact" else (x, y)
    values = {"jsd": slow_metrics.jsd(*in_grid), **slow_metrics.pair_metrics(x, y, "cd", "chamfer")}
    return values | (slow_metrics.pair_metrics(x, y, "emd", protocol.emd) if protocol.emd else {})


@pytest.mark.parametrize("preset", PROTOCOLS)
def test_every_preset_equals_the_slow_metrics(preset: str) -> None:
    report = evaluate(SAMPLES, REFERENCE, protocol=preset)
    want = slow(SAMPLES, REFERENCE, preset)
    assert {name: report.values[name] for name in want} == pytest.approx(want, rel=1e-5)
    assert (report.mmd_emd is None) == (preset == "dpm")


def test_who_gives_and_who_takes_is_as_in_print() -> None:
    # Sets on which every other choice of directions changes COV or 1-NNA under the soft matching.
    samples, reference = blobs(7, 12, 6), blobs(9, 12, 1006)
    for preset in ("latent_3d_points", "pointflow"):
        report = evaluate(samples, reference, protocol=preset, distances=("emd",))
        want = slow(samples, reference, preset)
        assert {name: report.values[name] for name in want if "emd" in name} == pytest.approx(
            {name: value for name, value in want.items() if "emd" in name}, rel=1e-5
        )


ABSOLUTE = (0.8928939508367844, 0.02369829719931052, 3 / 8, 9 / 13)
GOLDEN = {
    "exact": (0.8592049921082427, *ABSOLUTE[1:], 0.13567181132510087, 3 / 8, 9 / 13),
    "latent_3d_points": (*ABSOLUTE, 0.15369549953402845, 3 / 8, 9 / 13),
    "pointflow": (*ABSOLUTE, 0.15369549953045314, 3 / 8, 9 / 13),
    "lion": (*ABSOLUTE, 0.039968292095404465, 3 / 8, 9 / 13),
    "dpm": (0.9182139996329566, 0.18039190274042388, 1 / 2, 6 / 13),
}


def test_golden_values() -> None:
    # Pinned to notice any change; that they are right is shown by the slow metrics.
    assert GOLDEN.keys() == PROTOCOLS.keys()
    for preset, want in GOLDEN.items():
        report = evaluate(SAMPLES, REFERENCE, protocol=preset)
        got = [getattr(report, name) for name in HEADLINE if getattr(report, name) is not None]
        assert got == pytest.approx(want, rel=1e-6), preset


def test_swapped_sets_give_other_numbers() -> None:
    right, swapped = evaluate(SAMPLES, REFERENCE), evaluate(REFERENCE, SAMPLES)
    want = slow(REFERENCE, SAMPLES, "exact")
    assert {name: swapped.values[name] for name in want} == pytest.approx(want, rel=1e-5)
    assert right.one_nna_cd == swapped.one_nna_cd  # the one number that cannot tell
    assert all(getattr(right, name) != getattr(swapped, name) for name in ("mmd_cd", "cov_cd", "mmd_emd", "cov_emd"))


def test_both_sides_are_normalised() -> None:
    # Under dpm a cloud's own scale and place do not matter, of samples as of reference.
    report = evaluate(SAMPLES, REFERENCE, protocol="dpm", distances=("cd",))
    with warnings.catch_warnings():
        warnings.simplefilter("error", append=True)
        for moved in ((SAMPLES * 4 - 1, REFERENCE), (SAMPLES, REFERENCE * 4 - 1)):
            values = evaluate(*moved, protocol="dpm", distances=("cd",)).values
            assert values == pytest.approx(dict(report.values), rel=1e-4)


def test_grid_of_exact_follows_the_reference_alone() -> None:
    base = evaluate(SAMPLES, REFERENCE, distances=())
    scaled = evaluate(SAMPLES * 8 + 100, REFERENCE * 8 + 100, distances=())
    assert scaled.jsd == pytest.approx(base.jsd, abs=1e-3)  # float32 rounds points over borders
    assert scaled.grid["radius"] == pytest.approx(8 * base.grid["radius"], rel=1e-5)
    assert evaluate(SAMPLES[:2], REFERENCE, distances=()).grid == base.grid


def test_presets_take_the_first_points_and_exact_takes_others() -> None:
    def longer(clouds: Tensor, more: int) -> Tensor:
        return torch.cat((clouds, clouds.flip(0)[:, :more] + 0.01), 1)

    first = dataclasses.replace(PROTOCOLS["pointflow"], points=30)
    chosen = dataclasses.replace(first, subset="random")
    want = dict(evaluate(SAMPLES, REFERENCE, protocol=first, distances=("cd",)).values)
    for sets in ((longer(SAMPLES, 12), REFERENCE), (SAMPLES, longer(REFERENCE, 12)), (SAMPLES, longer(REFERENCE, 30))):
        assert dict(evaluate(*sets, protocol=first, distances=("cd",)).values) == want
        assert evaluate(*sets, protocol=chosen, distances=("cd",)).mmd_cd != want["mmd_cd"]


def test_second_sample_of_the_reference_is_its_unused_points_or_given() -> None:
    report = evaluate(SAMPLES, REFERENCE, protocol=AT_15, distances=("cd",))
    assert [row.name for row in report.rows] == ["samples", "second sample"]
    first = dataclasses.replace(AT_15, subset="first")
    row = evaluate(SAMPLES, REFERENCE, protocol=first, distances=("cd",)).rows[1]
    halves = REFERENCE[:, :15].double().numpy(), REFERENCE[:, 15:].double().numpy()
    want = slow_metrics.pair_metrics(halves[1], halves[0], "cd", "chamfer")
    assert {name: row.values[name] for name in want} == pytest.approx(want, rel=1e-5)

    other = REFERENCE.flip(1) * 1.01
    given = evaluate(SAMPLES, REFERENCE, second=other, distances=("cd",)).rows[1]
    assert given.values["mmd_cd"] == pytest.approx(slow(other, REFERENCE, "exact")["mmd_cd"], rel=1e-5)
    without = evaluate(SAMPLES, REFERENCE, distances=())
    assert [row.name for row in without.rows] == ["samples"]
    assert any(note.startswith("second sample: of the reference, no row") for note in without.notes)


def boxes(count: int, points: int, seed: int, shapes: int) -> Tensor:
    """Points on the surfaces of boxes: `shapes` seeds their sides, `seed` the points."""
    sides = torch.from_numpy(np.random.RandomState(shapes).uniform(0.2, 0.6, (count, 1, 3)))
    random = np.random.RandomState(seed)
    places = random.uniform(-0.5, 0.5, (count, points, 3))
    axis = random.randint(3, size=(count, points, 1))
    np.put_along_axis(places, axis, np.sign(np.take_along_axis(places, axis, 2)) / 2, 2)
    return (torch.from_numpy(places) * sides).float()


def test_copies_are_told_from_new_shapes() -> None:
    train, reference = boxes(40, 600, 1, shapes=10), boxes(15, 600, 2, shapes=11)

    def copies(samples: Tensor) -> float:
        return evaluate(samples, reference, train, distances=("cd",)).values["copies"]

    assert copies(boxes(40, 600, 3, shapes=10)[:15]) >= 0.8  # the training boxes, sampled again
    assert copies(train[5:20] + 0.001) >= 0.8
    assert copies(boxes(15, 600, 4, shapes=12)) <= 0.2


def test_training_row_is_what_the_training_set_scores_as_samples() -> None:
    train = blobs(8, 30, 3)
    as_oracle = evaluate(blobs(8, 30, 4), REFERENCE, train, distances=("cd",)).rows[1]
    as_samples = evaluate(train, REFERENCE, distances=("cd",)).rows[0]
    assert (as_oracle.name, as_oracle.clouds) == ("training set", 8)
    assert dict(as_oracle.values) == pytest.approx(dict(as_samples.values))
    few = evaluate(SAMPLES, REFERENCE, train, distances=("cd",))
    assert few.rows[1].clouds == 5 and few.train is not None and few.train["clouds"] == 8


def test_emd_is_limited_and_the_report_says_so() -> None:
    limited = evaluate(SAMPLES, REFERENCE, emd_clouds=4, emd_points=20)
    assert limited.protocol["counts"] == {
        "cd": {"samples": 5, "reference": 8, "points": 30},
        "emd": {"samples": 4, "reference": 4, "points": 20},
    }
    said = "EMD: 4 of 5 samples, 4 of 8 reference clouds, 20 of 30 points"
    assert said in limited.protocol["deviations"] and said in limited.notes
    whole = evaluate(SAMPLES, REFERENCE, emd_clouds=None, emd_points=None)
    assert whole.protocol["hash"] != limited.protocol["hash"]
    assert whole.mmd_emd != limited.mmd_emd and whole.mmd_cd == limited.mmd_cd
    with pytest.raises(ValueError, match='emd_clouds: must be at least 1, None for all, or "auto", got 0'):
        evaluate(SAMPLES, REFERENCE, emd_clouds=0)


def test_a_protocol_without_emd_says_so() -> None:
    report = evaluate(SAMPLES, REFERENCE, protocol="dpm")
    assert report.mmd_emd is None and "cov_emd" not in report.values
    assert "EMD: the protocol dpm has none" in report.notes


def test_repeats_bit_for_bit_and_leaves_the_global_generator_alone(tmp_path: Path) -> None:
    train = blobs(12, 30, 6)
    before = torch.get_rng_state()
    first = evaluate(SAMPLES, REFERENCE, train, protocol=AT_15, emd_clouds=4).to_json()
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(7)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert evaluate(SAMPLES, REFERENCE, train, protocol=AT_15, emd_clouds=4).to_json() == first
    finally:
        torch.set_num_threads(threads)
    assert evaluate(SAMPLES, REFERENCE, train, protocol=AT_15, emd_clouds=4, seed=1).to_json() != first


def test_killed_and_resumed_gives_the_same_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = blobs(12, 30, 6)
    want = evaluate(SAMPLES, REFERENCE, train).to_json()
    real, calls = pairs._measure, []

    def dying(*args: object) -> Tensor:
        calls.append(args)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(pairs, "_measure", dying)
    with pytest.raises(KeyboardInterrupt):
        evaluate(SAMPLES, REFERENCE, train, tiles=tmp_path)
    before = {file.name for file in tmp_path.iterdir()}
    assert evaluate(SAMPLES, REFERENCE, train, tiles=tmp_path).to_json() == want
    assert before < {file.name for file in tmp_path.iterdir()}
    done = len(calls)
    assert evaluate(SAMPLES, REFERENCE, train, tiles=tmp_path).to_json() == want
    assert len(calls) == done


def test_nan_clouds_are_refused_or_dropped_by_name() -> None:
    points = SAMPLES.clone()
    points[1, 3, 2], points[4, 0, 0] = torch.nan, torch.inf
    named = Clouds(points, names=("a", "b", "c", "d", "e"), source="samples.npz")
    with pytest.raises(ValueError, match=r"samples: .*2 of 5 hold NaN or infinity: b, e; .*drop_bad=True"):
        evaluate(named, REFERENCE)
    report = evaluate(named, REFERENCE, drop_bad=True, distances=("cd",))
    assert report.samples["dropped"] == ["b", "e"] and report.samples["clouds"] == 3
    assert "samples: 2 clouds with NaN or infinity were dropped: b, e" in report.notes
    clean = evaluate(SAMPLES[[0, 2, 3]], REFERENCE, distances=("cd",))
    assert dict(report.values) == dict(clean.values)
    with pytest.raises(ValueError, match="reference: all 8 clouds hold NaN"):
        evaluate(SAMPLES, REFERENCE * torch.nan, drop_bad=True)


def test_different_point_counts_name_both_sides() -> None:
    text = "samples, reference: .* equally many points under the protocol exact, got 20 in the samples, 30 in the ref"
    with pytest.raises(ValueError, match=text):
        evaluate(SAMPLES[:, :20], REFERENCE)
    with pytest.raises(ValueError, match=r"2048 points or more under the protocol lion, got 20 in the samples, 30 in"):
        evaluate(SAMPLES[:, :20], REFERENCE, protocol="lion", distances=("cd",))
    with pytest.raises(
        ValueError, match=r"samples: must be a set of clouds \(S, N, 3\) with none empty, got shape \(0, 30"
    ):
        evaluate(SAMPLES[:0], REFERENCE)


def test_fewer_points_and_other_set_sizes_deviate() -> None:
    with pytest.warns(UserWarning, match=r"sets: 5 samples, advised are 3 x 8, on which COV depends"):
        report = evaluate(SAMPLES, REFERENCE, protocol="latent_3d_points", distances=("cd",))
    assert report.protocol["deviations"] == [
        "points: 30 of each cloud, not 2048",
        "sets: 5 samples, advised are 3 x 8, on which COV depends",
    ]
    three_times = torch.cat((SAMPLES, SAMPLES * 0.9, SAMPLES * 1.1))
    advised = evaluate(three_times, REFERENCE[:5], protocol="latent_3d_points", distances=("cd",))
    assert advised.protocol["deviations"] == ["points: 30 of each cloud, not 2048"]
    assert "seeds: latent_3d_points averages over 3 sample sets, this is one" in advised.notes


@pytest.mark.filterwarnings("ignore:scale. :UserWarning")
def test_points_outside_the_grid_are_said() -> None:
    report = evaluate(SAMPLES * 2, REFERENCE * 0.1, protocol="pointflow", distances=())
    share = float((SAMPLES.double() * 2).norm(dim=-1).gt(0.5).double().mean())
    assert f"JSD: points outside the ball, counted at its border: {100 * share:.2g}% of the samples" in report.notes


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda x: x * 2, r"scale: boxes have the diagonal .* samples \[.*\], reference \["),
        (lambda x: x + 1, r"place: the sets' means are 1.7\d apart, .* samples \[.*\], reference \["),
        (lambda x: x[..., [2, 0, 1]], r"axes: boxes fit better if the axes of the samples are read as yzx; samples \["),
    ],
)
def test_other_units_and_axes_are_warned_of_with_both_ranges(change: object, text: str) -> None:
    random = np.random.RandomState(0)
    sides = torch.tensor([1.0, 0.3, 0.6])
    reference = torch.from_numpy(random.uniform(-0.5, 0.5, (6, 30, 3)).astype(np.float32)) * sides
    samples = torch.from_numpy(random.uniform(-0.5, 0.5, (6, 30, 3)).astype(np.float32)) * sides
    with pytest.warns(UserWarning, match=text):
        noted = evaluate(change(samples), reference, distances=())  # type: ignore[operator]
    assert any(note.startswith(text[:5]) for note in noted.notes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate(samples, reference, distances=())


def test_clouds_where_they_should_not_be_are_warned_of() -> None:
    train = torch.cat((REFERENCE[:3], blobs(4, 30, 9)))
    with pytest.warns(UserWarning, match="reference: 3 of its 8 clouds are also in the training set"):
        evaluate(SAMPLES, REFERENCE, train, distances=())
    with pytest.warns(UserWarning, match="reference: 2 of its 8 clouds are also in the samples"):
        evaluate(torch.cat((SAMPLES, REFERENCE[3:5])), REFERENCE, distances=())
    splits = Clouds(REFERENCE, splits=("train", *["test"] * 7))
    with pytest.warns(UserWarning, match="reference: holds clouds of the split train"):
        evaluate(SAMPLES, splits, distances=())
    test = Clouds(REFERENCE, splits=("test",) * 8)
    with pytest.warns(UserWarning, match="reference: is the split test; numbers of pointflow are of val"):
        evaluate(SAMPLES, test, protocol="pointflow", distances=())


@pytest.mark.filterwarnings("ignore:(place|scale). :UserWarning")
@pytest.mark.parametrize("preset", PROTOCOLS)
def test_no_statistic_of_the_measured_sets_enters_a_distance(preset: str) -> None:
    # An outlier in the reference adds its own distance to the nearest sample, and moves no other.
    outlier = REFERENCE[:1] * torch.tensor([1.0, 30.0, 5.0]) + 3
    base, more, alone = (
        evaluate(SAMPLES, reference, protocol=preset)
        for reference in (REFERENCE, torch.cat((REFERENCE, outlier)), outlier)
    )
    for name in ("mmd_cd", "mmd_emd"):
        if name in base.values:
            assert 9 * more.values[name] == pytest.approx(8 * base.values[name] + alone.values[name], rel=1e-6)


@pytest.mark.filterwarnings("ignore:(reference|samples). :UserWarning")
def test_the_order_of_a_folder_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, cloud in zip("chaedgbf", REFERENCE, strict=True):
        np.save(tmp_path / f"{name}.npy", cloud.numpy())
    drawn = {"protocol": AT_15, "emd_clouds": 3, "emd_points": 8}
    want = evaluate(SAMPLES, load(str(tmp_path)), load(str(tmp_path)), **drawn).to_json()
    listing, asked = os.walk, []
    for backwards in (False, True):

        def listed(folder: Path, backwards: bool = backwards, **how: Any) -> Iterator[tuple[str, list[str], list[str]]]:
            asked.append(folder)
            for inner, folders, files in listing(folder, **how):
                yield inner, folders, sorted(files, reverse=backwards)

        monkeypatch.setattr(os, "walk", listed)
        assert evaluate(SAMPLES, load(str(tmp_path)), load(str(tmp_path)), **drawn).to_json() == want
    assert asked


def test_a_second_sample_under_fewer_clouds_is_of_the_same_shapes() -> None:
    generator = torch.Generator().manual_seed(0)
    sides = torch.rand(30, 1, 3, generator=generator) + 0.1
    twice = [sides * (torch.rand(30, 64, 3, generator=generator) - 0.5) for _ in range(3)]
    report = evaluate(twice[0], twice[1], second=twice[2], distances=("emd",), emd_clouds=12)
    second = next(row for row in report.rows if row.name == "second sample")
    assert second.values["cov_emd"] > 0.7 and second.values["one_nna_emd"] < 0.4
    whole = evaluate(twice[0], twice[1], second=twice[2], distances=("emd",), emd_clouds=None)
    assert second.values["mmd_emd"] == pytest.approx(whole.rows[-1].values["mmd_emd"], rel=0.2)


def test_what_is_no_set_of_clouds_is_named() -> None:
    with pytest.raises(ValueError, match=r"samples: must be a tensor \(S, N, 3\) or Clouds, got ndarray"):
        evaluate(torch.rand(3, 4, 3).numpy(), torch.rand(3, 4, 3))  # type: ignore[arg-type]
