"""The evaluation under every preset against the slow metrics, and sets of different sizes."""

import dataclasses

import pytest
import torch
from blob_sets import REFERENCE, SAMPLES, blobs, drawn, slow
from torch import Tensor

from pcgen.metrics import PROTOCOLS, evaluate
from pcgen.metrics.report import HEADLINE

pytestmark = pytest.mark.filterwarnings("ignore:(sets|axes|1-NNA|JSD|EMD). :UserWarning")


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
    with pytest.warns(UserWarning, match="1-NNA: 6 clouds per set are few, see its interval; use 20 or more"):
        report = evaluate(samples, reference)
    rows = drawn(30, 6, "samples")
    equal = slow(samples[rows], reference, "exact")
    for column in ("cd", "emd"):
        assert report.values[f"one_nna_{column}"] == pytest.approx(equal[f"one_nna_{column}"])
        assert report.values[f"one_nna_{column}_chance"] == 5 / 11
        assert report.values[f"mmd_{column}"] == pytest.approx(
            slow(samples, reference, "exact")[f"mmd_{column}"], rel=1e-5
        )
    assert "1-NNA: on 6 clouds per set, those of the samples chosen by seed" in report.notes


def test_samples_like_nothing_are_all_told_apart_with_an_interval_that_few_clouds_leave_open() -> None:
    far = blobs(20, 16, 4) * 0.01 + torch.linspace(2, 3, 20)[:, None, None]
    values, intervals = (
        evaluate(far, REFERENCE[:3, :16], distances=("cd",)).rows[0].__dict__[k] for k in ("values", "intervals")
    )
    assert values["one_nna_cd"] == 1.0
    low, high = intervals["one_nna_cd"]
    assert high == 1.0 and 0.5 < low < 0.8  # of six clouds, which tell as much as four


def test_global_std_is_the_training_sets() -> None:
    train = blobs(9, 30, 3) * 3 + 1
    protocol = dataclasses.replace(PROTOCOLS["exact"], normalization="global_std")
    report = evaluate(SAMPLES * 3 + 1, REFERENCE * 3 + 1, train, protocol=protocol, distances=("cd",))
    deviation = float((train.double() - train.double().mean((0, 1))).square().mean().sqrt())
    assert report.mmd_cd == pytest.approx(ABSOLUTE[1] * 9 / deviation**2, rel=1e-4)
    assert report.protocol["normalized_by"]["size"] == pytest.approx(deviation)
    other = evaluate(SAMPLES * 3 + 1, REFERENCE * 3 + 1, train * 1.5, protocol=protocol, distances=("cd",))
    assert other.protocol["hash"] != report.protocol["hash"]
    with pytest.raises(ValueError, match=r"train: must be given for the normalisation global_std, .*\(--train\)"):
        evaluate(SAMPLES, REFERENCE, protocol=protocol)


def test_a_protocol_without_emd_says_so() -> None:
    report = evaluate(SAMPLES, REFERENCE, protocol="dpm")
    assert report.mmd_emd is None and "cov_emd" not in report.values
    assert "EMD: the protocol dpm has none" in report.notes


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
