"""What an evaluation asks of its sets, and how many of their clouds and points it takes."""

import pytest
import torch
from blob_sets import REFERENCE, SAMPLES, blobs

from pcgen.data import Clouds
from pcgen.metrics import Report, evaluate

pytestmark = pytest.mark.filterwarnings("ignore:(sets|axes|1-NNA|JSD|EMD). :UserWarning")


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


def test_a_second_sample_is_limited_under_emd_where_the_samples_need_no_limit() -> None:
    second = torch.cat((REFERENCE, REFERENCE)).flip(1) * 1.01
    with pytest.warns(UserWarning, match="EMD: 8 of 16 clouds of the second sample"):
        limited = evaluate(SAMPLES, REFERENCE, second=second, distances=("emd",), emd_clouds=8)
    assert "EMD: 8 of 16 clouds of the second sample" in limited.notes
    with pytest.warns(UserWarning, match="are also in|sets: 5 samples"):
        whole = evaluate(SAMPLES, REFERENCE, second=second, distances=("emd",), emd_clouds=16)
    # The samples' numbers are the same, and so is what they depend on.
    assert limited.values == whole.values and limited.protocol["hash"] == whole.protocol["hash"]
    assert limited.rows[1].values["cov_emd"] < whole.rows[1].values["cov_emd"] == 1.0


def test_one_distance_may_be_named_without_a_list() -> None:
    assert evaluate(SAMPLES, REFERENCE, distances="cd").values == evaluate(SAMPLES, REFERENCE, distances=["cd"]).values
    with pytest.raises(ValueError, match="distances: must be one of cd, emd; got 'cde'; did you mean 'cd'"):
        evaluate(SAMPLES, REFERENCE, distances="cde")


@pytest.mark.filterwarnings("ignore:scale. :UserWarning")
def test_a_novelty_that_is_infinite_is_left_out_and_the_report_says_so() -> None:
    """Training clouds that are one point each have no second sampling that would be at a distance."""
    train = torch.rand(6, 1, 3).expand(6, 30, 3).contiguous()
    report = evaluate(SAMPLES, REFERENCE, train, distances=("cd",))
    assert "novelty" not in report.values and report.values["copies"] == 0
    assert "novelty: not finite, so left out, of the samples" in report.notes
    assert Report.from_json(report.to_json()) == report
    copies = evaluate(train[:5], REFERENCE, train, distances=("cd",))
    assert (copies.values["copies"], copies.values["novelty"]) == (1, 0)


def test_copying_is_not_measured_on_one_point_and_the_report_says_so() -> None:
    train = blobs(9, 30, 3)
    report = evaluate(SAMPLES, REFERENCE, train, emd_points=1)
    assert "EMD: no metrics of copying, which need two points of each cloud, got one" in report.notes
    values = report.values
    assert {"mmd_emd", "copies", "z_u_cd"} <= values.keys() and "z_u_emd" not in values
    several = evaluate(SAMPLES, REFERENCE, train, emd_points=2)
    assert "z_u_emd" in several.values and not any("no metrics of copying" in note for note in several.notes)
    with pytest.warns(UserWarning, match="boxes have the diagonal 0"):
        single = evaluate(SAMPLES[:, :1], REFERENCE[:, :1], train[:, :1])
    assert "CD, EMD: no metrics of copying, which need two points of each cloud, got one" in single.notes


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


def test_what_is_no_set_of_clouds_is_named() -> None:
    with pytest.raises(ValueError, match=r"samples: must be a tensor \(S, N, 3\) or Clouds, got ndarray"):
        evaluate(torch.rand(3, 4, 3).numpy(), torch.rand(3, 4, 3))  # type: ignore[arg-type]
