"""Sets whose clouds are normalised, or stand elsewhere on a map."""

import dataclasses
import warnings

import pytest
import torch
from blob_sets import REFERENCE, SAMPLES, blobs

from pcgen.data import Clouds, Normalization
from pcgen.metrics import PROTOCOLS, evaluate

pytestmark = pytest.mark.filterwarnings("ignore:(sets|axes|1-NNA|JSD|EMD). :UserWarning")


def test_both_sides_are_normalised() -> None:
    # Under dpm a cloud's own scale and place do not matter, of samples as of reference.
    report = evaluate(SAMPLES, REFERENCE, protocol="dpm", distances=("cd",))
    with warnings.catch_warnings():
        warnings.simplefilter("error", append=True)
        for moved in ((SAMPLES * 4 - 1, REFERENCE), (SAMPLES, REFERENCE * 4 - 1)):
            values = evaluate(*moved, protocol="dpm", distances=("cd",)).values
            assert values == pytest.approx(dict(report.values), rel=1e-4)


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


@pytest.mark.parametrize("name", ["unit_box", "unit_sphere", "bbox"])
def test_clouds_that_were_thinned_before_are_normalised_as_a_whole(name: str) -> None:
    """The loader keeps the position and size of what it thins; so the points that it drops count as here."""
    protocol = dataclasses.replace(PROTOCOLS["exact"], points=20, subset="first", normalization=name)
    want = evaluate(SAMPLES, REFERENCE, blobs(9, 30, 3), protocol, distances=("cd",), clouds=4)

    def thinned(points: torch.Tensor) -> Clouds:
        return Clouds(points[:, :20], whole=(name, Normalization(name).place(points)[1]))

    known = [thinned(each) for each in (SAMPLES, REFERENCE, blobs(9, 30, 3))]
    report = evaluate(*known, protocol, distances=("cd",), clouds=4)
    assert [row.values for row in report.rows[:2]] == [row.values for row in want.rows[:2]]
    alone = evaluate(*(each.points for each in known), protocol, distances=("cd",), clouds=4)
    assert alone.mmd_cd != report.mmd_cd
    # Those that are dropped take theirs with them.
    bad = dataclasses.replace(known[0], points=known[0].points.index_fill(0, torch.tensor([1]), torch.nan))
    left = evaluate(bad, known[1], protocol=protocol, distances=("cd",), drop_bad=True)
    others = evaluate(known[0].select([0, 2, 3, 4]), known[1], protocol=protocol, distances=("cd",))
    assert dict(left.values) == dict(others.values)


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
    with pytest.raises(ValueError, match=r"must be near the reference, .* relative to \(691234, 5334576, 500\)"):
        evaluate(SAMPLES, far)
    report, want = (
        evaluate(SAMPLES, each, protocol=dataclasses.replace(PROTOCOLS["exact"], normalization="unit_sphere"))
        for each in (far, REFERENCE)
    )
    assert dict(report.values) == pytest.approx(dict(want.values), rel=1e-4)
