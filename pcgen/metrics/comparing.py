"""Several reports in one table: models under one protocol, or one set of samples under several."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pcgen.errors import choose
from pcgen.metrics.comparable import (
    check_comparable,
    mean_and_deviation,
    one_by_one,
    own_notes,
    shared_notes,
    versions,
)
from pcgen.metrics.published import footnotes
from pcgen.metrics.report import HEADLINE, Report, label_of, published_rows
from pcgen.metrics.row import merged
from pcgen.metrics.tables import (
    IDEAL,
    Column,
    add_dim,
    add_row,
    cells_of,
    chance_rows,
    new_table,
    number,
    shown_columns,
)

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["check_comparable", "compare", "side_by_side"]


def compare(
    reports: Mapping[str, Report | Sequence[Report]], sort: str | None = None, published: str | None = None
) -> "Table":
    """One table of several models under one protocol and reference, with the oracles below.

    Oracles that differ, for example because of different training sets, are all shown, each with its models. Notes that
    all reports have are below the table once, others with their model.

    Args:
        reports: the name of each model and its report; or its reports of several sample sets (seeds), of which the mean
            and the standard deviation are shown.
        sort: a metric to order the rows by; 1-NNA by its distance from chance, coverage from the highest.
        published: a category of ShapeNet whose published numbers are shown below.

    Raises:
        ValueError: there is no report, or two differ in protocol or reference (the message names both); or there are no
            published numbers for `published`.
    """
    sets = {name: [found] if isinstance(found, Report) else list(found) for name, found in reports.items()}
    flat = one_by_one(sets)
    if not flat or not all(sets.values()):
        raise ValueError("reports: must hold at least one report for each model, got none")
    first = flat[0][1]
    check_comparable(flat)
    names = list(sets)
    means = {name: {key: mean for key, (mean, _) in mean_and_deviation(found).items()} for name, found in sets.items()}
    if sort is not None:
        key = choose(sort, HEADLINE, "sort")
        names.sort(key=lambda name: _badness(key, means[name]))
    oracles = merged({name: [row for report in found for row in report.rows[1:]] for name, found in sets.items()})
    in_print = published_rows(first, published)
    shown = shown_columns([*(report.rows[0] for _, report in flat), *oracles, *in_print])
    notes = [
        IDEAL,
        *footnotes(in_print),
        versions(sets),
        *_training_sets(sets),
        *shared_notes([report for _, report in flat]),
    ]
    notes += [f"{name}: {note}" for name, own in own_notes(_each_once(sets)).items() for note in own]
    if any(len(found) > 1 for found in sets.values()):
        notes.append("+-: standard deviation over the sample sets of a model")
    table = new_table(f"protocol {label_of(first)}", ("model", "clouds"), shown, notes)
    for name in names:
        row = sets[name][0].rows[0]
        cells = cells_of(row, shown) if len(sets[name]) == 1 else _spread_cells(sets[name], shown)
        add_row(table, (name, str(row.clouds), *cells))
    add_dim(table, [*oracles, *chance_rows([first.rows[0], *oracles]), *in_print], shown)
    return table


def side_by_side(reports: Sequence[Report], published: str | None = None) -> "Table":
    """One table of one set of samples under several protocols: numbers of different protocols are not comparable.

    Args:
        reports: one for each protocol.
        published: a category of ShapeNet whose published numbers are shown below those of each protocol.

    Raises:
        ValueError: there is no report, or two are of different samples or of different references (the message names
            both); or there are no published numbers for `published` under one of the protocols.
    """
    if not reports:
        raise ValueError("reports: must hold at least one, got none")
    several = "compare() is for several models under one protocol"
    _check_given("samples", [report.samples for report in reports], several)
    _check_given("reference", [report.reference for report in reports], "evaluate the samples against one")
    in_print = [published_rows(report, published) for report in reports]
    shown = shown_columns(
        [row for report in reports for row in report.rows] + [row for rows in in_print for row in rows]
    )
    sources = dict.fromkeys(note for rows in in_print for note in footnotes(rows))
    by_protocol: dict[str, list[Report]] = {}
    for report in reports:
        by_protocol.setdefault(report.protocol["name"], []).append(report)
    notes = ["numbers under different protocols are not comparable", IDEAL, *sources, versions(by_protocol)]
    notes += [f"{name}: {note}" for name, own in own_notes(by_protocol).items() for note in own]
    shared = shared_notes(reports)
    table = new_table("one set under several protocols", ("", "clouds"), shown, [*notes, *shared])
    for report, printed in zip(reports, in_print, strict=True):
        samples, *oracles = report.rows
        add_row(table, (f"{report.protocol['name']}\n{report.protocol['hash']}",), style="bold")
        add_row(table, (samples.name, str(samples.clouds), *cells_of(samples, shown)))
        add_dim(table, [*oracles, *chance_rows(report.rows), *printed], shown)
        table.add_section()
    return table


def _check_given(role: str, sets: Sequence[Mapping[str, Any]], advice: str) -> None:
    """Refuse sets that differ before a protocol prepares them: by their hash, or in older reports by their source."""
    hashed = all("given_sha256" in each for each in sets)  # not in reports of earlier versions
    given = [each["source"] + (f" ({each['given_sha256']})" if hashed else "") for each in sets]
    for other in given[1:]:
        if other != given[0]:
            raise ValueError(f"reports: must be of the same {role}, got {given[0]} and {other}; {advice}")


def _each_once(sets: Mapping[str, Sequence[Report]]) -> dict[str, Sequence[Report]]:
    """The reports without those of a row of means, which have rows of their own before it."""
    known: set[int] = set()
    found: dict[str, Sequence[Report]] = {}
    for name, reports in sets.items():
        of_others = len(reports) > 1 and known.issuperset(map(id, reports))
        found[name] = () if of_others else reports
        known |= set(map(id, reports))
    return found


def _training_sets(sets: Mapping[str, Sequence[Report]]) -> list[str]:
    """A note if models were evaluated with different training sets; otherwise nothing."""
    named: dict[str, tuple[str, list[str]]] = {}
    for name, found in sets.items():
        for train in (report.train for report in found if report.train):
            _, names = named.setdefault(train["sha256"], (f"{train['source']} ({train['sha256']})", []))
            names += [name] if name not in names else []
    if len(named) < 2:
        return []
    each = "; ".join(f"{', '.join(names)} {source}" for source, names in named.values())
    return [f"training sets differ, so copies and novelty refer to different ones: {each}"]


def _badness(metric: str, values: Mapping[str, float]) -> float:
    value = values.get(metric)
    if value is None:
        return float("inf")
    if metric.startswith("one_nna"):
        return abs(value - values.get(f"{metric}_chance", 0.5))
    return -value if metric.startswith("cov") else value


def _spread_cells(reports: Sequence[Report], shown: Sequence[Column]) -> list[str]:
    spread = mean_and_deviation(reports)
    cells = []
    for key, _, share in shown:
        mean, deviation = spread.get(key, (None, None))
        cells.append("-" if mean is None else f"{number(mean, share)}\n+-{number(deviation, share)}")
    return cells
