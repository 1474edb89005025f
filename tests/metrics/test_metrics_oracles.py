"""The rows that bound the others: the training set, the same by name, a second sample; and copies."""

import dataclasses

import numpy as np
import pytest
import slow_metrics
import torch
from blob_sets import AT_15, REFERENCE, SAMPLES, blobs, slow
from torch import Tensor

from pcgen.metrics import evaluate
from pcgen.seeds import stream

pytestmark = pytest.mark.filterwarnings("ignore:(sets|axes|1-NNA|JSD|EMD). :UserWarning")


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
    with pytest.raises(ValueError, match="oracles: must not have the name of another row, got 'training set'"):
        evaluate(SAMPLES, REFERENCE, oracles={"training set": decoded})


def test_a_second_sample_under_fewer_clouds_is_of_the_same_shapes() -> None:
    generator = torch.Generator().manual_seed(0)
    sides = torch.rand(30, 1, 3, generator=generator) + 0.1
    twice = [sides * (torch.rand(30, 64, 3, generator=generator) - 0.5) for _ in range(3)]
    report = evaluate(twice[0], twice[1], second=twice[2], distances=("emd",), emd_clouds=12)
    second = next(row for row in report.rows if row.name == "second sample")
    assert second.values["cov_emd"] > 0.7 and second.values["one_nna_emd"] < 0.4
    whole = evaluate(twice[0], twice[1], second=twice[2], distances=("emd",), emd_clouds=None)
    assert second.values["mmd_emd"] == pytest.approx(whole.rows[-1].values["mmd_emd"], rel=0.2)
