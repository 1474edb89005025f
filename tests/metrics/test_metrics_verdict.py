import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch

from pcgen.metrics.report import Report
from pcgen.metrics.row import Row
from pcgen.metrics.verdict import verdict


def report(
    samples: Mapping[str, float],
    interval: tuple[float, float] = (0.5, 0.6),
    clouds: int = 200,
    reference: int | None = None,
    under_emd: int | None = None,
    **rows: Mapping[str, float],
) -> Report:
    """A report of that many samples and reference clouds, at most `under_emd` of them under EMD."""
    values = {"one_nna_cd": 0.55, "one_nna_cd_chance": 0.4975, **samples}
    key = next(key for key in ("one_nna_cd", "one_nna_emd") if key in values)
    own = Row("samples", clouds, values, {key: interval})
    oracles = [row(name.replace("_", " "), each) for name, each in rows.items()]
    whole = {"samples": clouds, "reference": reference or clouds}
    counts = {"cd": whole, "emd": {role: min(count, under_emd or count) for role, count in whole.items()}}
    return Report({"counts": counts}, "0", {"clouds": clouds}, {"clouds": clouds}, None, {}, (own, *oracles))


def row(name: str, values: Mapping[str, float]) -> Row:
    """A row of 200 clouds, with intervals that reach .05 to either side."""
    return Row(name, 200, values, {key: (value - 0.05, value + 0.05) for key, value in values.items()})


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
            {"one_nna_cd": 0.6},
            (0.55, 0.65),
            {"training_set": {"one_nna_cd": 0.54}},
            r"No difference from the training set found .*: 1-NNA-CD 60% \(55 to 65\), the training set has 54%",
        ),
        (
            {"one_nna_cd": 0.6},
            (0.55, 0.65),
            {"training_set": {"one_nna_cd": 0.52}},
            r"Different from data: 1-NNA-CD 60%",  # by more than the root of the squares' sum, .0707
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
            {"training_set": TRAIN, "training_set_decoded": {"one_nna_cd": 0.6}},
            r"Limited by the autoencoder and the head: ",
        ),
        (
            {"one_nna_cd": 0.61},
            (0.56, 0.66),
            {"training_set": TRAIN, "training_set_decoded": {"one_nna_cd": 0.56}},
            r"Limited by the autoencoder, the head or both, which 200 clouds do not tell: 1-NNA-CD 61% .*have 56%, the",
        ),
        (
            {"one_nna_cd": 0.7},
            (0.65, 0.75),
            {"training_set": {"one_nna_cd": 0.46}, "training_set_decoded": {"one_nna_cd": 0.53}},
            r"Limited by the head: .*decoded training clouds have 53%, chance is 49\.8%",
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


def test_copies_come_first_and_are_held_against_those_of_held_out_clouds():
    first, *_ = verdict(report({"copies": 0.3, "copies_reference": 0.02}))
    beside = "Copies: 30% of the samples (2% of held-out clouds)"
    assert first == f"{beside} are as near to a training cloud as a copy of it."
    for copies, held_out, clouds, said in [
        (0.06, 0.0, 50, False),  # 3 of 50 beside none are as likely as three heads in a row
        (0.12, 0.0, 50, True),
        (0.05, 0.0, 200, True),
        (0.3, 0.2, 50, False),  # where new data are often as near, as in a set of near duplicates, so may samples be
        (0.3, 0.2, 400, True),
        (0.2, 0.3, 400, False),
    ]:
        sentences = verdict(report({"copies": copies, "copies_reference": held_out}, clouds=clouds))
        assert sentences[0].startswith("Copies") == said, (copies, held_out, clouds)
    assert verdict(report({"copies": 0.0, "z_u_cd": -6.0}))[0].startswith("Nearer to the training set than new data")


def test_samples_of_the_datas_own_distribution_are_seldom_called_copies():
    generator = torch.Generator().manual_seed(0)
    said = 0
    for _ in range(400):
        own, held_out = (torch.rand(60, generator=generator).lt(0.15).double().mean().item() for _ in range(2))
        said += verdict(report({"copies": own, "copies_reference": held_out}, clouds=60))[0].startswith("Copies")
    assert said / 400 <= 0.025


def test_copies_of_reports_of_earlier_versions_are_held_against_a_second_sample():
    second = {"copies": 0.02, "one_nna_cd": 0.01}
    assert verdict(report({"copies": 0.3}, second_sample=second))[0].startswith("Copies: 30% of the samples (2% of ")
    assert not verdict(report({"copies": 0.05}, second_sample=second))[0].startswith("Copies")
    assert not verdict(report({"copies": 0.3}))[0].startswith("Copies")  # with what to compare it is not known


def test_what_is_left_out_and_how_little_is_known_come_last():
    sentences = verdict(report({"cov_cd": 0.3}, (0.48, 0.6), clouds=40, training_set=TRAIN))
    assert sentences[1:] == [
        "Shapes are missing: COV-CD 30%, the training set has 55%.",
        "40 clouds per set are few: use 100 or more.",
    ]


def test_missing_shapes_are_told_by_both_intervals():
    for own, told in ((0.42, True), (0.46, False)):
        found = report({"cov_cd": own}, (0.48, 0.6), training_set=TRAIN)
        uncertain = replace(found.rows[0], intervals={**found.rows[0].intervals, "cov_cd": (own - 0.1, own + 0.08)})
        assert len(verdict(found)) == 2  # by the training set's interval alone
        assert len(verdict(replace(found, rows=(uncertain, *found.rows[1:])))) == 1 + told


def test_the_number_of_clouds_is_that_of_which_the_1_nna_is():
    fewer = verdict(report({}, (0.48, 0.6), clouds=300, reference=40))
    assert "No difference from data found with 40 clouds: " in fewer[0] and fewer[1].startswith("40 clouds per set")
    emd = {"one_nna_emd": 0.55}
    limited = report(emd, (0.48, 0.6), clouds=400, under_emd=100)
    without_cd = {key: value for key, value in limited.values.items() if not key.startswith("one_nna_cd")}
    limited = replace(limited, rows=(replace(limited.rows[0], values=without_cd, intervals={}), *limited.rows[1:]))
    assert verdict(limited) == ["Different from data: 1-NNA-EMD 55% (55 to 55), chance is 50%."]
    few = replace(limited, protocol={"counts": {**limited.protocol["counts"], "emd": {"samples": 30, "reference": 90}}})
    assert verdict(few)[1] == "30 clouds per set are few: use 100 or more."


def test_a_report_without_such_metrics_says_nothing():
    counts = {"counts": {"cd": {"samples": 9, "reference": 9}}}
    nothing = Report(counts, "0", {"clouds": 9}, {"clouds": 9}, None, {}, (Row("samples", 9, {"jsd": 0.1}),))
    assert verdict(nothing) == []
