import re
from collections.abc import Mapping

import pytest

from pcgen.metrics.report import Report
from pcgen.metrics.row import Row
from pcgen.metrics.verdict import verdict


def report(
    samples: Mapping[str, float],
    interval: tuple[float, float] = (0.5, 0.6),
    clouds: int = 200,
    **rows: Mapping[str, float],
) -> Report:
    values = {"one_nna_cd": 0.55, "one_nna_cd_chance": 0.4975, **samples}
    own = Row("samples", clouds, values, {"one_nna_cd": interval})
    oracles = [row(name.replace("_", " "), each) for name, each in rows.items()]
    return Report({}, "0", {"clouds": clouds}, {"clouds": clouds}, None, {}, (own, *oracles))


def row(name: str, values: Mapping[str, float]) -> Row:
    intervals = {"cov_cd": (values["cov_cd"] - 0.05, values["cov_cd"] + 0.05)} if "cov_cd" in values else {}
    return Row(name, 200, values, intervals)


TRAIN = {"one_nna_cd": 0.5, "cov_cd": 0.55}


@pytest.mark.parametrize(
    ("samples", "interval", "rows", "said"),
    [
        (
            {},
            (0.48, 0.6),
            {"training_set": TRAIN},
            r"No difference from the training set found with 200 clouds: 1-NNA-CD 55% \(48 to 60\), the ",
        ),
        (
            {"one_nna_cd": 0.7},
            (0.65, 0.75),
            {"training_set": TRAIN, "training_set_decoded": {"one_nna_cd": 0.65}},
            r"Limited by the autoencoder: .*decoded training clouds have 65%",
        ),
        (
            {"one_nna_cd": 0.7},
            (0.65, 0.75),
            {"training_set": TRAIN, "training_set_decoded": {"one_nna_cd": 0.55}},
            r"Limited by the head: 1-NNA-CD 70% \(65 to 75\)",
        ),
        (
            {"one_nna_cd": 0.7},
            (0.65, 0.75),
            {"training_set": {"one_nna_cd": 0.46}, "training_set_decoded": {"one_nna_cd": 0.55}},
            r"Limited by the head: .*decoded training clouds have 55%, chance is 49\.8%",
        ),
        (
            {},
            (0.48, 0.6),
            {"training_set": {"one_nna_cd": 0.46}},
            r"No difference from the training set found with 200 clouds: .*, chance is 49\.8%",
        ),
        ({"one_nna_cd": 0.7}, (0.65, 0.75), {}, r"Different from data: 1-NNA-CD 70% \(65 to 75\), chance is 49\.8%"),
        ({"one_nna_cd": 0.2}, (0.15, 0.25), {"training_set": TRAIN}, r"Too near to the reference: .* below chance"),
    ],
)
def test_what_limits_the_samples(samples, interval, rows, said):
    (sentence,) = verdict(report(samples, interval, **rows))
    assert re.search(said, sentence), sentence


def test_what_is_not_decoded_is_not_limited_by_the_autoencoder():
    rows = {"training_set": TRAIN, "training_set_decoded": {"one_nna_cd": 0.65}}
    (sentence,) = verdict(report({"one_nna_cd": 0.7}, (0.65, 0.75), **rows), decoded=False)
    assert sentence == "Different from data: 1-NNA-CD 70% (65 to 75), the training set has 50%."


def test_copies_come_first_and_are_held_against_new_data():
    second = {"copies": 0.02, "one_nna_cd": 0.01}
    first, *_ = verdict(report({"copies": 0.3}, second_sample=second))
    assert first == "Copies: 30% of the samples (2% of new data) are as near to a training cloud as a copy of it."
    assert not verdict(report({"copies": 0.05}, second_sample=second))[0].startswith("Copies")
    # Where new data are often as near, as in a set of near duplicates, so may samples be.
    assert not verdict(report({"copies": 0.3}, second_sample={"copies": 0.2}))[0].startswith("Copies")
    assert verdict(report({"copies": 0.0, "z_u_cd": -6.0}))[0].startswith("Nearer to the training set than new data")


def test_what_is_left_out_and_how_little_is_known_come_last():
    sentences = verdict(report({"cov_cd": 0.3}, (0.48, 0.6), clouds=40, training_set=TRAIN))
    assert sentences[1:] == [
        "Shapes are missing: COV-CD 30%, the training set has 55%.",
        "40 clouds per set are few: use 100 or more.",
    ]


def test_a_report_without_such_metrics_says_nothing():
    nothing = Report({}, "0", {"clouds": 9}, {"clouds": 9}, None, {}, (Row("samples", 9, {"jsd": 0.1}),))
    assert verdict(nothing) == []
