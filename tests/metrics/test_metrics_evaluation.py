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

from pcgen.data import Clouds, Normalization, load
from pcgen.data.axes import to_y_up
from pcgen.metrics import PROTOCOLS, Protocol, evaluate, pairs
from pcgen.metrics.mismatches import better_axes
from pcgen.metrics.report import HEADLINE
from pcgen.seeds import stream

pytestmark = pytest.mark.filterwarnings("ignore:(sets|axes|1-NNA|JSD|EMD). :UserWarning")


def blobs(count: int, points: int, seed: int, spread: float = 0.16) -> Tensor:
    """Clouds of as many shapes, mostly inside the ball of radius 1/2; the same numbers on every machine."""
    random = np.random.RandomState(seed)
    sides = random.uniform(0.3, 1.5, (count, 1, 3))
    return torch.from_numpy((random.standard_normal((count, points, 3)) * sides * spread).astype(np.float32))


SAMPLES, REFERENCE = blobs(5, 30, 1, 0.18), blobs(8, 30, 2)
AT_15 = dataclasses.replace(PROTOCOLS["exact"], name="exact at 15", points=15)


def drawn(count: int, fewer: int, role: str) -> list[int]:
    """The clouds of the larger set that a 1-NNA is of."""
    return sorted(torch.randperm(count, generator=stream(0, f"1-NNA {role}"))[:fewer].tolist())


def slow(samples: Tensor, reference: Tensor, preset: str | Protocol) -> dict[str, float]:
    """All from the definitions: MMD and COV of the whole sets, 1-NNA of equal ones, or means over batches of both."""
    x, y = samples.double().numpy(), reference.double().numpy()
    protocol = PROTOCOLS[preset] if isinstance(preset, str) else preset
    if protocol.normalization == "bbox":
        x, y = slow_metrics.boxed(x), slow_metrics.boxed(y)
    in_ball = protocol.grid == "reference"
    into_grid = [slow_metrics.into_ball(each, y) if in_ball else each for each in (x, y)]
    fewer = min(len(x), len(y))
    starts = [0] if protocol.batch is None else range(0, fewer, protocol.batch)
    found = []
    for start in starts:
        part = slice(None) if protocol.batch is None else slice(start, min(start + protocol.batch, fewer))
        values = {"jsd": slow_metrics.jsd(into_grid[0][part], into_grid[1][part])}
        for column, distance in (("cd", "chamfer"), ("emd", protocol.emd)):
            if distance is not None:
                whole = slow_metrics.pair_metrics(x[part], y[part], column, distance)
                a, b = x[part], y[part]
                equal = slow_metrics.pair_metrics(
                    a[drawn(len(a), min(len(a), len(b)), "samples")],
                    b[drawn(len(b), min(len(a), len(b)), "reference")],
                    column,
                    distance,
                )
                values |= whole | {name: value for name, value in equal.items() if "one_nna" in name}
        found.append(values)
    return {name: float(np.mean([values[name] for values in found])) for name in found[0]}


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


ABSOLUTE = (0.8928939508367844, 0.02369829719931052, 3 / 8, 7 / 10)
IN_BATCHES = (0.9241503749927862, 0.020341072899076003, 3 / 5, 1 / 2, 0.03090626228221486, 2 / 5, 1 / 2)
GOLDEN = {
    "exact": (0.8592049921082427, *ABSOLUTE[1:], 0.13567181132510087, 3 / 8, 7 / 10),
    "latent_3d_points": (*ABSOLUTE, 0.15369549953402845, 3 / 8, 7 / 10),
    "pointflow": (*ABSOLUTE, 0.15369549953045314, 3 / 8, 7 / 10),
    "lion": (*ABSOLUTE, 0.039968292095404465, 3 / 8, 7 / 10),
    "dit3d": IN_BATCHES,
    "topodit": IN_BATCHES,
    "dpm": (0.9182139996329566, 0.18039190274042388, 1 / 2, 2 / 5),
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
    equal = evaluate(SAMPLES, REFERENCE[:5]), evaluate(REFERENCE[:5], SAMPLES)
    assert equal[0].one_nna_cd == equal[1].one_nna_cd  # the one number that cannot tell
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


def test_an_oracle_by_name_is_measured_as_the_training_set_is() -> None:
    train, decoded = blobs(9, 30, 3), blobs(7, 30, 4)
    report = evaluate(SAMPLES, REFERENCE, train, oracles={"training set decoded": decoded}, distances=("cd",))
    assert [(row.name, row.clouds) for row in report.rows[1:]] == [("training set", 5), ("training set decoded", 5)]
    rows = torch.randperm(7, generator=stream(0, "training set decoded"))[:5]
    want = slow(decoded[rows], REFERENCE, "exact")
    found = report.rows[2].values
    assert {name: found[name] for name in ("jsd", "mmd_cd", "cov_cd")} == pytest.approx(
        {name: want[name] for name in ("jsd", "mmd_cd", "cov_cd")}, rel=1e-5
    )
    with pytest.raises(ValueError, match="oracles: must have names of their own, 'training set' is another row's"):
        evaluate(SAMPLES, REFERENCE, oracles={"training set": decoded})


@pytest.mark.parametrize("batch", [2, 3, 4])
def test_batches_are_compared_each_by_itself_and_averaged(batch: int) -> None:
    protocol = dataclasses.replace(PROTOCOLS["lion"], batch=batch)
    for samples, reference in ((SAMPLES, REFERENCE), (REFERENCE, SAMPLES), (SAMPLES, REFERENCE[3:])):
        report = evaluate(samples, reference, protocol=protocol)
        want = slow(samples, reference, protocol)
        assert {name: report.values[name] for name in want} == pytest.approx(want, rel=1e-5)
        for name, (low, high) in report.rows[0].intervals.items():
            assert low <= report.values[name] <= high
    sizes = [min(batch, 5 - start) for start in range(0, 5, batch)]
    chance = sum((n - 1) / (2 * n - 1) for n in sizes) / len(sizes)
    assert report.values["one_nna_cd_chance"] == pytest.approx(chance)
    assert f"1-NNA, MMD, COV and JSD: of batches of {batch} clouds, then averaged" in report.notes


def test_one_nna_of_unequal_sets_is_of_as_many_clouds_of_each() -> None:
    samples, reference = blobs(30, 16, 4), blobs(6, 16, 5)
    with pytest.warns(UserWarning, match="1-NNA: 6 clouds a side are few, see its interval; use 20 or more"):
        report = evaluate(samples, reference)
    rows = drawn(30, 6, "samples")
    equal = slow(samples[rows], reference, "exact")
    for column in ("cd", "emd"):
        assert report.values[f"one_nna_{column}"] == pytest.approx(equal[f"one_nna_{column}"])
        assert report.values[f"one_nna_{column}_chance"] == 5 / 11
        assert report.values[f"mmd_{column}"] == pytest.approx(
            slow(samples, reference, "exact")[f"mmd_{column}"], rel=1e-5
        )
    assert "1-NNA: on 6 clouds a side, those of the samples chosen by seed" in report.notes


def test_samples_like_nothing_are_all_told_apart_with_an_interval_that_few_clouds_leave_open() -> None:
    far = blobs(20, 16, 4) * 0.01 + torch.linspace(2, 3, 20)[:, None, None]
    values, intervals = (
        evaluate(far, REFERENCE[:3, :16], distances=("cd",)).rows[0].__dict__[k] for k in ("values", "intervals")
    )
    assert values["one_nna_cd"] == 1.0
    low, high = intervals["one_nna_cd"]
    assert high == 1.0 and 0.5 < low < 0.8  # of six clouds, which tell as much as four


def test_both_sets_are_limited_by_clouds() -> None:
    twin = REFERENCE.flip(1) * 1.01
    report = evaluate(SAMPLES, REFERENCE, blobs(9, 30, 3), second=twin, clouds=4, distances=("cd",))
    assert report.protocol["counts"]["cd"] == {"samples": 4, "reference": 4, "points": 30}
    assert "clouds: 4 of 5 samples, 4 of 8 reference clouds" in report.protocol["deviations"]
    assert [row.clouds for row in report.rows] == [4, 4, 4] and report.train is not None
    assert report.train["clouds"] == 9
    assert report.rows[2].values["cov_cd"] == 1.0  # the second sample is of the clouds that are kept
    assert evaluate(SAMPLES, REFERENCE, clouds=8, distances=()).protocol["counts"]["cd"]["samples"] == 5
    with pytest.raises(ValueError, match="clouds: must be at least 1, got 0"):
        evaluate(SAMPLES, REFERENCE, clouds=0)


def test_presets_in_print_are_measured_in_full_and_a_limit_is_loud() -> None:
    samples, reference = torch.rand(101, 4, 3), torch.rand(101, 4, 3)
    counts = {"samples": 101, "reference": 101, "points": 4}
    full = evaluate(samples, reference, protocol="lion", distances=("emd",))
    assert full.protocol["counts"]["emd"] == counts and "EMD on" not in repr(full)
    with pytest.warns(UserWarning, match="EMD: 64 of 101 samples, 64 of 101 reference clouds, 3 of 4 points"):
        limited = evaluate(samples, reference, protocol="lion", distances=("emd",), emd_clouds=64, emd_points=3)
    assert limited.protocol["counts"]["emd"] == {"samples": 64, "reference": 64, "points": 3}
    assert limited.protocol["hash"] != full.protocol["hash"]
    for said in (repr(limited), limited.table().title.plain):  # type: ignore[union-attr]
        assert "lion" in said and "(EMD on 64 x 64 clouds of 3 points)" in said
    with pytest.warns(UserWarning, match="EMD: 100 of 101 samples, 100 of 101 reference clouds, 4 of 4 points"):
        exact = evaluate(samples, reference, distances=("emd",))
    assert "(EMD on 100 x 100 clouds of 4 points)" in repr(exact)


@pytest.mark.parametrize("name", ["unit_box", "unit_sphere", "bbox"])
def test_each_cloud_is_normalised_as_a_whole_before_points_are_taken(name: str) -> None:
    samples, reference = (torch.cat((each, each.flip(0)[: len(each)] * 1.3), 1) for each in (SAMPLES, REFERENCE))
    protocol = dataclasses.replace(PROTOCOLS["exact"], points=30, subset="first", normalization=name)
    report = evaluate(samples, reference, protocol=protocol, distances=("cd",))
    placed = [Normalization(name).apply(each)[:, :30] for each in (samples, reference)]
    plain = dataclasses.replace(protocol, normalization="none")
    want = evaluate(*placed, protocol=plain, distances=("cd",))
    assert dict(report.values) == pytest.approx(dict(want.values))
    assert report.protocol["normalization"] == name and report.protocol["hash"] != want.protocol["hash"]
    assert f"normalization: {name}, exact has none" in [
        text for text in dataclasses.replace(protocol, name="exact").departures() if "normal" in text
    ]


def test_global_std_is_the_training_sets() -> None:
    train = blobs(9, 30, 3) * 3 + 1
    protocol = dataclasses.replace(PROTOCOLS["exact"], normalization="global_std")
    report = evaluate(SAMPLES * 3 + 1, REFERENCE * 3 + 1, train, protocol=protocol, distances=("cd",))
    deviation = float((train.double() - train.double().mean((0, 1))).square().mean().sqrt())
    assert report.mmd_cd == pytest.approx(ABSOLUTE[1] * 9 / deviation**2, rel=1e-4)
    assert report.protocol["normalized_by"]["size"] == pytest.approx(deviation)
    other = evaluate(SAMPLES * 3 + 1, REFERENCE * 3 + 1, train * 1.5, protocol=protocol, distances=("cd",))
    assert other.protocol["hash"] != report.protocol["hash"]
    with pytest.raises(ValueError, match=r"train: must be given under the normalisation global_std, .*\(--train\)"):
        evaluate(SAMPLES, REFERENCE, protocol=protocol)


MAP = (691234.0, 5334576.0, 500.0)  # metres of a map: float32 rounds there to half a metre


def test_sets_of_different_origins_are_compared_where_they_stand() -> None:
    want = evaluate(SAMPLES, REFERENCE, blobs(6, 30, 3))
    near = tuple(value + shift for value, shift in zip(MAP, (0.25, -0.5, 0.125), strict=True))
    shift = torch.tensor([a - b for a, b in zip(MAP, near, strict=True)])
    at_map = torch.tensor(MAP, dtype=torch.float64)
    for samples, reference, train in (
        (Clouds(SAMPLES + shift, origin=near), Clouds(REFERENCE, origin=MAP), Clouds(blobs(6, 30, 3), origin=MAP)),
        tuple(each.double() + at_map for each in (SAMPLES, REFERENCE, blobs(6, 30, 3))),
    ):
        report = evaluate(samples, reference, train)
        assert dict(report.values) == pytest.approx(dict(want.values), rel=1e-4)
        low = (REFERENCE.double() + at_map).amin((0, 1)).tolist()
        assert report.reference["min"] == pytest.approx(low, abs=1e-5)


def test_a_set_elsewhere_on_the_map_is_refused_unless_places_are_left_out() -> None:
    far = Clouds(REFERENCE, origin=MAP)
    with pytest.raises(ValueError, match=r"samples: must be near the reference, .* from \(691234, 5334576, 500\)"):
        evaluate(SAMPLES, far)
    report, want = (
        evaluate(SAMPLES, each, protocol=dataclasses.replace(PROTOCOLS["exact"], normalization="unit_sphere"))
        for each in (far, REFERENCE)
    )
    assert dict(report.values) == pytest.approx(dict(want.values), rel=1e-4)


def test_the_device_is_checked_and_used() -> None:
    assert evaluate(SAMPLES, REFERENCE, device="cpu").to_json() == evaluate(SAMPLES, REFERENCE).to_json()
    with pytest.raises(ValueError, match="device: must be cpu, cuda or cuda:N, got 'mps'"):
        evaluate(SAMPLES, REFERENCE, device="mps")
    with pytest.raises(ValueError, match="device: must be cpu, cuda or cuda:N, got 'gpu'"):
        evaluate(SAMPLES, REFERENCE, device="gpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match=r"device: cuda was asked for by 1 process\(es\), and 0 CUDA device"):
            evaluate(SAMPLES, REFERENCE, device="cuda")


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
    with pytest.warns(UserWarning, match=r"sets: 5 samples, the protocol advises 3 x 8; COV depends on it"):
        report = evaluate(SAMPLES, REFERENCE, protocol="latent_3d_points", distances=("cd",))
    assert report.protocol["deviations"] == [
        "points: 30 of each cloud, not 2048",
        "sets: 5 samples, the protocol advises 3 x 8; COV depends on it",
    ]
    three_times = torch.cat((SAMPLES, SAMPLES * 0.9, SAMPLES * 1.1))
    advised = evaluate(three_times, REFERENCE[:5], protocol="latent_3d_points", distances=("cd",))
    assert advised.protocol["deviations"] == ["points: 30 of each cloud, not 2048"]
    assert "seeds: latent_3d_points averages over 3 sample sets, this is one" in advised.notes


@pytest.mark.filterwarnings("ignore:scale. :UserWarning")
def test_points_outside_the_grid_are_said() -> None:
    with pytest.warns(UserWarning, match=r"JSD: points outside the ball, .*: \d+ of 150 of the samples"):
        report = evaluate(SAMPLES * 2, REFERENCE * 0.1, protocol="pointflow", distances=())
    share = float((SAMPLES.double() * 2).norm(dim=-1).gt(0.5).double().mean())
    said = f"JSD: points outside the ball, counted at its border: {round(150 * share)} of 150 of the samples"
    assert said in report.notes


@pytest.mark.parametrize("units", [1.0, 1000.0])
def test_upright_tables_beside_toppled_ones_are_warned_of(units: float) -> None:
    upright, others = (load("shapes:table=12", points=96, seed=seed).points for seed in (1, 2))
    with pytest.warns(UserWarning, match=r"axes: clouds fit better if the axes of the samples are read as x -?z -?y;"):
        evaluate(to_y_up(others, "z") * units, upright, distances=())
    with pytest.warns(UserWarning, match=r"axes: clouds fit better if the axes of the training set are read as x -?z"):
        evaluate(others, upright, to_y_up(others, "z"), distances=())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        evaluate(others * units, upright, others, distances=())
    assert not [each for each in told if "axes" in str(each.message)]


@pytest.mark.parametrize("kind", ["table", "chair", "airplane", "car", "lamp", "mug"])
def test_two_draws_of_a_family_of_shapes_are_not_taken_for_turned(kind: str) -> None:
    first, second = (load(f"shapes:{kind}=24", points=64, seed=seed).points for seed in (1, 2))
    for rows, others in ((4, 5), (6, 24), (24, 24)):
        assert better_axes(first[:rows], second[:others]) is None
        assert better_axes(first[-rows:], second[-others:]) is None


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda x: x * 2, r"scale: boxes have the diagonal .* samples \[.*\], reference \["),
        (lambda x: x + 1, r"place: the sets' means are 1.7\d apart, .* samples \[.*\], reference \["),
        (
            lambda x: x[..., [2, 0, 1]],
            r"axes: clouds fit better if the axes of the samples are read as y z x; is one .* samples \[",
        ),
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


def test_few_points_outside_the_grid_are_noted_and_a_ball_that_outliers_stretch_is_warned_of() -> None:
    reference = torch.rand(20, 100, 3, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        noted = evaluate(reference * 0.99, reference, distances=())
    assert any("counted at its border" in note and "2 of 2,000 of the reference" in note for note in noted.notes)
    stray = torch.cat((reference[1:], reference[:1] + 30))
    with pytest.warns(UserWarning, match=r"JSD: the ball of radius \S+ is mostly empty, half of the ref"):
        evaluate(reference, stray, distances=())


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
    if PROTOCOLS[preset].batch is not None:
        preset = dataclasses.replace(PROTOCOLS[preset], batch=None)  # type: ignore[assignment]
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
