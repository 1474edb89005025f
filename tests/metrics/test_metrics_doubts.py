"""What an evaluation warns of: other units and axes, points outside the grid, clouds of other sets."""

import warnings

import numpy as np
import pytest
import torch
from blob_sets import REFERENCE, SAMPLES, blobs

from pcgen.data import Clouds, load
from pcgen.data.axes import to_y_up
from pcgen.metrics import evaluate
from pcgen.metrics.comparable import own_notes
from pcgen.metrics.mismatches import better_axes

pytestmark = pytest.mark.filterwarnings("ignore:(sets|axes|1-NNA|JSD|EMD). :UserWarning")


@pytest.mark.filterwarnings("ignore:scale. :UserWarning")
def test_points_outside_the_grid_are_said() -> None:
    with pytest.warns(UserWarning, match=r"JSD: points outside the ball, .*: \d+ of 150 of the samples"):
        report = evaluate(SAMPLES * 2, REFERENCE * 0.1, protocol="pointflow", distances=())
    share = float((SAMPLES.double() * 2).norm(dim=-1).gt(0.5).double().mean())
    said = f"JSD: points outside the ball, counted at its border: {round(150 * share)} of 150 of the samples"
    assert said in report.notes


def test_few_points_outside_the_grid_are_noted_in_the_report_and_not_beneath_a_table_of_models() -> None:
    clouds = (torch.rand(4, 250, 3) - 0.5) * 0.5
    one, other = clouds.clone(), clouds.clone()
    one[0, 0], other[0, 0] = 0.6, 0.2  # a thousandth, and none
    reports = [evaluate(each, clouds, protocol="pointflow", distances=()) for each in (one, other)]
    told = [[note for note in report.notes if "outside the ball" in note] for report in reports]
    assert told[0] == ["JSD: few points outside the ball, counted at its border: 1 of 1,000 of the samples"]
    assert told[1] == []
    assert own_notes({"one": reports[:1], "other": reports[1:]}) == {"one": [], "other": []}


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
    with pytest.warns(UserWarning, match="reference: contains clouds of the split train"):
        evaluate(SAMPLES, splits, distances=())
    test = Clouds(REFERENCE, splits=("test",) * 8)
    with pytest.warns(UserWarning, match="reference: is the split test; pointflow uses the split val"):
        evaluate(SAMPLES, test, protocol="pointflow", distances=())


@pytest.mark.filterwarnings("ignore:reference. :UserWarning")
@pytest.mark.parametrize(
    ("splits", "said"),
    [
        (("val",) * 8, "reference: is the split val; dpm uses the split test"),
        (("train", *["test"] * 7), "reference: contains clouds of the split train; use the split test (SPEC@test)"),
    ],
)
def test_a_wrong_split_is_a_deviation_with_a_hash_of_its_own(splits: tuple[str, ...], said: str) -> None:
    wrong = evaluate(SAMPLES, Clouds(REFERENCE, splits=splits), protocol="dpm", distances=())
    right = evaluate(SAMPLES, Clouds(REFERENCE, splits=("test",) * 8), protocol="dpm", distances=())
    assert said in wrong.protocol["deviations"] and wrong.notes.count(said) == 1
    assert not any("split" in deviation for deviation in right.protocol["deviations"])
    assert wrong.reference["sha256"] == right.reference["sha256"]
    assert wrong.protocol["hash"] != right.protocol["hash"]
    assert "with deviations" in repr(wrong)
