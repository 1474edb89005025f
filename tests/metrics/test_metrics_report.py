"""The report: JSON there and back, tables, and what may stand in one table."""

import dataclasses
import json
import statistics

import pytest
import torch
from rich.console import Console
from rich.table import Table

import pcgen
from pcgen.metrics import Report, compare, details, evaluate, mean_and_deviation, published, side_by_side
from pcgen.metrics.report import HEADLINE
from pcgen.metrics.row import merged
from pcgen.metrics.tables import new_table

REFERENCE = torch.randn(9, 24, 3, generator=torch.Generator().manual_seed(1)) * 0.15
SAMPLES = torch.randn(9, 24, 3, generator=torch.Generator().manual_seed(2)) * 0.16
TRAIN = torch.randn(12, 24, 3, generator=torch.Generator().manual_seed(3)) * 0.15


@pytest.fixture(scope="module")
def report() -> Report:
    return evaluate(SAMPLES, REFERENCE, TRAIN)


def printed(table: Table, width: int = 80) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(table)
    return console.export_text()


def test_json_holds_the_numbers_and_what_they_depend_on(report: Report) -> None:
    data = json.loads(report.to_json())
    assert tuple(data)[: len(HEADLINE)] == HEADLINE
    for name in HEADLINE:
        assert data[name] == getattr(report, name) == report.rows[0].values[name]
    assert data["protocol"]["name"] == "exact" and len(data["protocol"]["hash"]) == 12
    assert data["version"] == pcgen.__version__
    for side, clouds in (("samples", SAMPLES), ("reference", REFERENCE), ("train", TRAIN)):
        assert (data[side]["clouds"], data[side]["points"]) == (len(clouds), 24)
        assert data[side]["min"] == pytest.approx(clouds.amin((0, 1)).tolist())
        assert data[side]["max"] == pytest.approx(clouds.amax((0, 1)).tolist())
    assert [row["name"] for row in data["rows"]] == ["samples", "training set"]


def test_json_there_and_back(report: Report) -> None:
    assert Report.from_json(report.to_json()) == report
    for text in ("", "[]", "{}", '{"rows": 3}', report.to_json().replace('"rows"', '"lines"')):
        with pytest.raises(ValueError, match="text: must be a report's JSON, which `pcgen evaluate --out` writes"):
            Report.from_json(text)


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (("notes",), "abc", "notes: must be a list, got a str"),
        (("notes",), [3], "notes: must be a text, got 3"),
        (("protocol",), {}, "name: is missing in protocol"),
        (("protocol", "hash"), None, "protocol.hash: must be a text, got None"),
        (("protocol", "deviations"), None, "protocol.deviations: must be a list, got None"),
        (("protocol", "counts"), {"emd": {}}, "cd: is missing in protocol.counts"),
        (
            ("protocol", "counts", "emd", "points"),
            "24",
            "protocol.counts.emd.points: must be a number of clouds or poi",
        ),
        (("version",), 3, "version: must be a text, got 3"),
        (("samples",), {}, "source: is missing in samples"),
        (("reference", "sha256"), 1.5, "reference.sha256: must be a text, got 1.5"),
        (("train", "clouds"), -1, "train.clouds: must be a number of clouds or points, got -1"),
        (("grid",), [], "grid: must be values by name, got a list"),
        (("rows",), [], "rows: must hold that of the samples, got none"),
        (("rows", 1, "values"), [1.0], r"rows\[1\].values: must be values by name, got a list"),
        (("rows", 0, "values", "jsd"), "low", r"rows\[0\].values.jsd: must be a finite number, got a str"),
        (("rows", 0, "values", "jsd"), float("inf"), r"rows\[0\].values.jsd: must be a finite number, got inf"),
        (("rows", 0, "intervals", "jsd"), [0.1], r"rows\[0\].intervals.jsd: must be two numbers, got 1"),
        (("rows", 0, "clouds"), True, r"rows\[0\].clouds: must be a number of clouds or points, got True"),
    ],
)
def test_what_is_no_report_is_refused_where_it_is_read(
    report: Report, place: tuple[str | int, ...], value: object, told: str
) -> None:
    """And not later by a table, as a fault of pcgen."""
    data = json.loads(report.to_json())
    within = data
    for name in place[:-1]:
        within = within[name]
    within[place[-1]] = value
    with pytest.raises(ValueError, match=f"text: must be a report's JSON, .*; {told}"):
        Report.from_json(json.dumps(data))


def test_table_prints_percent_oracles_and_notes_in_80_columns(report: Report) -> None:
    text = printed(report.table())
    assert report.protocol["hash"] in text and "exact" in text
    (samples,) = [line for line in text.splitlines() if line.startswith(" samples ")]
    assert f"{100 * report.values['one_nna_cd']:.1f}" in samples and f"{report.values['mmd_emd']:.3g}" in samples
    assert "training set" in text and "95% from" in text
    classes = [report.values[f"one_nna_cd_{side}"] for side in ("samples", "reference")]
    assert "/".join(f"{100 * value:.0f}" for value in classes) in text
    assert "grid in the ball" in text
    assert max(map(len, text.splitlines())) <= 80 and "…" not in text


def test_a_printed_report_is_its_headline(report: Report) -> None:
    for text in (str(report), repr(report)):
        lines = text.splitlines()
        assert len(lines) <= 4 and max(map(len, lines)) <= 120
        assert lines[0] == f"protocol exact {report.protocol['hash']}: 9 samples (a tensor), 9 reference (a tensor)"
        assert f"mmd_cd {report.mmd_cd:.3g}" in text and f"jsd {report.jsd:.3g}" in text
        assert f"one_nna_emd {100 * report.values['one_nna_emd']:.1f}% (chance 47.1%)" in " ".join(lines)


def test_what_chance_scores_stands_beside_every_1_nna(report: Report) -> None:
    unequal = evaluate(SAMPLES, REFERENCE, TRAIN[:4])  # 9 clouds per set, and 4 of the training set
    for table in (unequal.table(), compare({"a": unequal}), side_by_side([unequal])):
        lines = [line.split() for line in printed(table).splitlines()]
        assert ["chance", "-", "-", "-", "47.1", "-", "-", "47.1"] in lines
        assert any(words[-1:] == ["42.9"] and words[:2] == ["chance", "of"] for words in lines)
    assert unequal.rows[1].values["one_nna_cd_chance"] == 3 / 7
    assert "chance of" not in printed(report.table())


@pytest.mark.parametrize("name", ["b", "a model with a rather long name", "a_model_with_a_rather_long_name"])
def test_tables_of_models_fit_80_columns(report: Report, name: str) -> None:
    others = [evaluate(SAMPLES * scale, REFERENCE, TRAIN, emd_clouds=7) for scale in (0.9, 1.1)]
    limited = evaluate(SAMPLES, REFERENCE, TRAIN, emd_clouds=7)
    texts = [printed(compare({name: others, "one": others[0]})), printed(side_by_side([report, limited]))]
    for text in texts:
        assert max(map(len, text.splitlines())) <= 80 and "…" not in text
    assert f"{others[0].values['mmd_emd']:.3g}" in texts[0] and "(EMD on 7 x 7 clouds of 24 points)" in texts[0]


def test_columns_that_were_not_computed_are_not_shown() -> None:
    report = evaluate(SAMPLES, REFERENCE, distances=("cd",))
    assert json.loads(report.to_json())["mmd_emd"] is None
    assert "EMD" not in printed(report.table()).partition("1-NNA is best")[0]


def test_compare_orders_models_and_shows_oracles_once(report: Report) -> None:
    other = evaluate(SAMPLES * 1.1, REFERENCE, TRAIN)
    text = printed(compare({"first": report, "second": other}, sort="jsd"), 120)
    places = [text.index(name) for name in ("first", "second", "training set")]
    best_first = report.values["jsd"] < other.values["jsd"]
    assert (places[0] < places[1]) == best_first and max(places) == places[2]
    assert text.count("training set") == 1
    with pytest.raises(ValueError, match=r"sort: must be one of jsd, .*did you mean 'mmd_cd'"):
        compare({"first": report}, sort="mmd-cd")


def test_several_sample_sets_of_a_model_give_mean_and_deviation(report: Report) -> None:
    others = [evaluate(SAMPLES * scale, REFERENCE, TRAIN) for scale in (0.9, 1.1)]
    spread = mean_and_deviation([report, *others])
    for name in HEADLINE:
        values = [r.values[name] for r in (report, *others)]
        assert spread[name] == pytest.approx((statistics.mean(values), statistics.stdev(values)))
    text = printed(compare({"many": [report, *others], "one": report}, sort="jsd"), 120)
    mean, deviation = spread["jsd"]
    assert f"{mean:.3g}" in text and f"+-{deviation:.3g}" in text and f"{report.jsd:.3g}" in text
    assert mean_and_deviation([report])["jsd"] == (report.jsd, 0.0)
    assert mean_and_deviation([]) == {}


def test_there_is_no_mean_over_protocols_or_references(report: Report) -> None:
    dpm, moved = evaluate(SAMPLES, REFERENCE, TRAIN, protocol="dpm"), evaluate(SAMPLES, REFERENCE * 1.001, TRAIN)
    with pytest.raises(ValueError, match=r"one protocol; report 1 has exact .*emd='exact'.*, report 2 has dpm .*None"):
        mean_and_deviation([report, dpm])
    with pytest.raises(ValueError, match=r"one reference set; report 1 has a tensor \(\w+\), report 3 has a tensor"):
        mean_and_deviation([report, report, moved])


def test_what_is_noted_of_reports_is_beneath_their_table(report: Report) -> None:
    """What all say once, what one says with its name, and a row of means says nothing again."""
    leaked = evaluate(torch.cat([TRAIN[:2], SAMPLES[2:]]), REFERENCE, TRAIN)
    text = " ".join(printed(compare({"a": report, "b": leaked}), 200).split())
    assert text.count("grid in the ball") == 1 and "second sample: of the reference, no row" in text
    assert text.count("b: samples: 2 of 9 are clouds of the training set, bit for bit") == 1
    assert "a: copies: " in text and "b: copies: " in text
    means = " ".join(printed(compare({"a": report, "b": leaked, "mean": [report, leaked]}), 200).split())
    assert means.count("bit for bit") == 1 and "mean: copies" not in means
    both = " ".join(printed(compare({"c": [report, leaked]}), 200).split())
    assert both.count("c: samples: 2 of 9 are clouds of the training set") == 1


def test_reports_of_two_versions_are_told_apart_beneath_their_table(report: Report) -> None:
    older = dataclasses.replace(report, version="0.1.2")
    told = f"pcgen {report.version} for a, c; 0.1.2 for b: versions may differ in what they measure"
    assert told in " ".join(printed(compare({"a": report, "b": older, "c": report}), 200).split())
    assert f"pcgen {report.version} " in printed(compare({"a": report}), 200)
    assert "versions may differ" in printed(side_by_side([report, older]), 200)


def test_numbers_in_print_stand_beneath_under_their_protocol() -> None:
    report = evaluate(SAMPLES, REFERENCE, TRAIN, protocol="lion")
    for table in (report.table(published="chair"), compare({"ours": report}, published="chair")):
        text = printed(table, 100)
        assert "LION" in text and "53.7" in text and "52.3" in text
        assert "as printed by DiT-3D (Mo et al. 2023), table 1" in text
        assert "DiT-3D-XL [1]" in text and "[1] mean over batches of 64 clouds" in text
    batches = evaluate(SAMPLES, REFERENCE, protocol="dit3d", distances=("cd",))
    text = printed(batches.table(published="chair"), 100)
    assert "DiT-3D-XL" in text and "49.1" in text and "[1]" not in text and "LION" not in text
    exact = evaluate(SAMPLES, REFERENCE, distances=("cd",))
    with pytest.raises(
        ValueError, match="there are published numbers for the protocols pointflow, lion, dit3d, not exact"
    ):
        exact.table(published="chair")
    with pytest.raises(ValueError, match="published: must be one of airplane, chair, car; got 'chairs'"):
        report.table(published="chairs")


@pytest.mark.parametrize(
    ("protocol", "others", "emd"),
    [
        ("lion", ("PointFlow",), "approxmatch_pointflow"),
        ("pointflow", ("PVD", "LION", "DiT-3D-XL [1]"), "approxmatch_squared"),
    ],
)
def test_an_emd_of_another_convention_in_print_is_marked(protocol: str, others: tuple[str, ...], emd: str) -> None:
    """PROTOCOLS.md tells those of four programs; of the others it is not known."""
    text = printed(evaluate(SAMPLES, REFERENCE, protocol=protocol, distances=()).table(published="chair"), 140)
    names = ("r-GAN", "l-GAN (CD)", "l-GAN (EMD)", "PointFlow", "DPM", "PVD", "LION", "DiT-3D-XL [1]")
    for name in names:
        (line,) = [line for line in text.splitlines() if line.strip().startswith(f"{name} ") and "printed" not in line]
        known = {p.model: p.emd for p in published(protocol, "chair")}[name]
        mark = "[2]" if known is None else "[3]" if name in others else ""
        assert line.strip().endswith(mark) if mark else line.strip()[-1].isdigit(), line
        assert (known is None) == (name in ("r-GAN", "l-GAN (CD)", "l-GAN (EMD)", "DPM"))
    told = " ".join(text.split())
    assert f"[3] by {emd} ({', '.join(others).replace(' [1]', '')}), which is not the EMD of the samples" in told
    assert "[2] by which of the EMDs in print is not known" in told
    changed = dataclasses.replace(pcgen.metrics.protocol(protocol), emd="exact")
    text = printed(evaluate(SAMPLES, REFERENCE, protocol=changed, distances=()).table(published="chair"), 140)
    assert text.count("[3]") == 4 + 2  # of all whose EMD is known, and in two footnotes
    alone = evaluate(SAMPLES, REFERENCE, protocol="dit3d", distances=()).table(published="chair")
    assert not {"[2]", "[3]"} & set(printed(alone, 140).split())


def test_one_nna_is_sorted_by_its_distance_from_half(report: Report) -> None:
    def with_accuracy(value: float) -> Report:
        row = dataclasses.replace(report.rows[0], values={"one_nna_cd": value, "cov_cd": value})
        return dataclasses.replace(report, rows=(row,))

    reports = {f"model{value}": with_accuracy(value) for value in (0.9, 0.2, 0.55)}
    for metric, order in (("one_nna_cd", (0.55, 0.2, 0.9)), ("cov_cd", (0.9, 0.55, 0.2))):
        text = printed(compare(reports, sort=metric))
        places = [text.index(f"model{value}") for value in order]
        assert places == sorted(places)


def test_reports_of_other_protocols_or_references_are_not_merged(report: Report) -> None:
    reseeded = evaluate(SAMPLES, REFERENCE, TRAIN, seed=1)
    with pytest.raises(
        ValueError, match=r"share one protocol; a has exact \w+ with seed=0, b has exact \w+ with seed=1"
    ):
        compare({"a": report, "b": reseeded})
    dpm = evaluate(SAMPLES, REFERENCE, TRAIN, protocol="dpm")
    with pytest.raises(ValueError, match=r"share one protocol; a has exact .*grid='reference'.* b has dpm .*grid='abs"):
        compare({"a": report, "b": dpm})
    moved = evaluate(SAMPLES, REFERENCE * 1.001, TRAIN)
    with pytest.raises(ValueError, match=r"share one reference set; a has a tensor \(\w+\), b has a tensor \(\w+\)"):
        compare({"a": report, "b": moved})
    with pytest.raises(ValueError, match="must hold at least one"):
        compare({})


def test_side_by_side_shows_one_set_under_several_protocols(report: Report) -> None:
    dpm = evaluate(SAMPLES, REFERENCE, TRAIN, protocol="dpm")
    text = printed(side_by_side([report, dpm]), 120)
    assert report.protocol["hash"] in text and dpm.protocol["hash"] in text
    assert sum(line.strip().startswith("training set  ") for line in text.splitlines()) == 2
    assert "numbers under different protocols are not comparable" in text
    assert "dpm: EMD: the protocol dpm has none" in text
    narrow = printed(side_by_side([report, dpm]))
    assert report.protocol["hash"] in narrow and dpm.protocol["hash"] in narrow and "…" not in narrow
    with pytest.raises(ValueError, match="published: there are published numbers for the protocols"):
        side_by_side([report, dpm], "chair")
    moved = evaluate(SAMPLES, REFERENCE + 1e-3, TRAIN, protocol="dpm")
    with pytest.raises(ValueError, match=r"must be of the same reference, got a tensor \(\w+\) and a tensor \(\w+\)"):
        side_by_side([report, moved])
    other = dataclasses.replace(dpm, samples={**dpm.samples, "sha256": "0", "source": "other.npz"})
    with pytest.raises(ValueError, match=r"must be of the same samples, got a tensor \(\w+\) and other\.npz \(\w+\)"):
        side_by_side([report, other])


def test_tensors_stand_side_by_side_if_they_are_equal_whatever_a_protocol_takes_of_them() -> None:
    more = torch.randn(9, 48, 3, generator=torch.Generator().manual_seed(4)) * 0.16
    known = (torch.cat([REFERENCE, REFERENCE], 1), TRAIN.repeat(1, 2, 1))
    whole = evaluate(more, *known, distances=("cd",))
    few = dataclasses.replace(pcgen.metrics.protocol("dpm"), points=24)
    dpm, other = (evaluate(each, *known, few, distances=("cd",), clouds=5) for each in (more, more + 1e-3))
    assert whole.samples["sha256"] != dpm.samples["sha256"]
    assert "under several protocols" in printed(side_by_side([whole, dpm]))
    with pytest.raises(ValueError, match=r"must be of the same samples, got a tensor \(\w+\) and a tensor \(\w+\)"):
        side_by_side([whole, other])


def test_reports_of_earlier_versions_stand_side_by_side_by_their_source(report: Report) -> None:
    dpm = evaluate(SAMPLES, REFERENCE, TRAIN, protocol="dpm")
    written = json.loads(dpm.to_json())
    del written["samples"]["given_sha256"]
    old = Report.from_json(json.dumps(written))
    assert "under several protocols" in printed(side_by_side([report, old]))
    other = dataclasses.replace(old, samples={**old.samples, "source": "other.npz"})
    with pytest.raises(ValueError, match=r"must be of the same samples, got a tensor and other\.npz"):
        side_by_side([report, other])


def test_oracles_that_differ_all_stand_in_the_table(report: Report) -> None:
    """Of the same training set one row, with the metrics of both reports; of two sets two, and none is lost."""
    fewer = evaluate(SAMPLES * 1.1, REFERENCE, TRAIN, distances=("cd",))
    (mixed,) = merged({"a": [report.rows[1]], "b": [fewer.rows[1]]})
    assert mixed == report.rows[1]
    (mixed,) = merged({"b": [fewer.rows[1]], "a": [report.rows[1]]})
    assert mixed == report.rows[1]

    other = evaluate(SAMPLES * 1.1, REFERENCE, TRAIN * 0.9)
    text = printed(compare({"a": report, "b": other, "c": report}), 120)
    lines = [line for line in text.splitlines() if " training set of " in line]
    assert len(lines) == 2 and " training set of a, c " in lines[0] and " training set of b " in lines[1]
    for line, each in zip(lines, (report, other), strict=True):
        assert f" {each.rows[1].values['mmd_cd']:.3g} " in line and f" {each.rows[1].values['jsd']:.3g} " in line
    assert other.train is not None and f"b a tensor ({other.train['sha256']})" in text
    assert "training sets differ" in text and "differ" not in printed(compare({"a": report, "c": report}), 120)
    assert "training set of b" in printed(details({"a": report, "b": other})[0])


def test_details_are_of_one_protocol_and_reference(report: Report) -> None:
    moved = evaluate(SAMPLES, REFERENCE * 1.001, TRAIN)
    with pytest.raises(ValueError, match=r"one reference set; a has a tensor \(\w+\), b has a tensor \(\w+\)"):
        details({"a": report, "b": moved})
    assert details({}) == []


def test_brackets_are_texts_and_no_markup(report: Report) -> None:
    named = dataclasses.replace(report, notes=("cloud 3: point 5 is [nan, nan, nan]", "[bold]x.npz: half is taken"))
    text = printed(named.table())
    assert "point 5 is [nan, nan, nan]" in text and "[bold]x.npz" in text
    assert " [red]a " in printed(compare({"[red]a": report, "b": report}))
    assert " [/]c " in printed(details({"[/]c": report})[0])
    assert "[x] of exact" in printed(new_table("[x] of exact", ("the name of a model",), (), ()))


def test_details_can_be_read_in_80_columns(report: Report) -> None:
    identity = "pointnet_classifier, a_run_of_a_rather_long_name, 1a2b3c4d5e6f"
    on_features = {
        f"fcd[{identity}]": 12.25,
        f"fcd[{identity}] chance": 3.5,
        "energy[autoencoder, 07e19dd178ec]": 0.625,
        "energy[autoencoder, 07e19dd178ec] chance": 0.125,
        "energy[autoencoder, 07e19dd178ec] p": 0.0156,
        "kernel_mmd[autoencoder, 07e19dd178ec]": -0.375,
        "kernel_mmd[autoencoder, 07e19dd178ec] p": 0.875,
    }
    balls = {f"{metric}_{d}": 1.0 for metric in ("precision", "recall", "density", "coverage") for d in ("cd", "emd")}
    rows = [dataclasses.replace(row, values={**row.values, **balls, **on_features}) for row in report.rows]
    measured = dataclasses.replace(report, rows=tuple(rows))
    tables = details({"a": measured, "a model by a long name": measured})
    texts = [printed(table) for table in tables]
    assert all("…" not in text and max(map(len, text.splitlines())) <= 80 for text in texts)
    assert all(text.count("a model by a long name ") == 1 for text in texts[:5])
    for text, distance in zip(texts, ("CD", "EMD"), strict=False):
        assert f"fidelity and diversity, {distance}" in text and text.count("100.0") == 9  # two models, one oracle
        assert all(heading in text for heading in ("precision %", "recall %", "density", "coverage %"))
    for text, distance in zip(texts[2:4], ("CD", "EMD"), strict=True):
        assert (
            f"copying{' and variety' * (distance == 'CD')}, {distance}" in text
            and f"{report.values[f'z_u_{distance.lower()}']:.3g}" in text
        )
    assert "copies" in texts[2] and f"{report.values['novelty']:.3g}" in texts[2] and "Vendi" in texts[2]
    fcd, tests = texts[4:]
    assert "1a2b3c4d5e6f" in fcd and "a_run_of_a_rather_long_name" in fcd and " p " not in fcd.splitlines()[3]
    assert fcd.count("12.2") == 3 and fcd.count("3.5") == 3
    assert "autoencoder, 07e19dd178ec" in tests and tests.count("energy") == tests.count("kernel_mmd") == 1
    lines = [line.split() for line in tests.splitlines()]
    assert ["energy", "a", "9", "0.625", "0.125", "0.0156"] in lines
    assert ["kernel_mmd", "a", "9", "-0.375", "-", "0.875"] in lines
