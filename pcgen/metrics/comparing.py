"""Several reports in one table: models under one protocol, or one set of samples under several."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pcgen.errors import choose
from pcgen.metrics.published import footnotes
from pcgen.metrics.report import HEADLINE, Report, label_of, mean_and_deviation, published_rows
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

    Oracles that differ, for example because of different training sets, are all shown, each with its models.

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
    flat = [(name, report) for name, found in sets.items() for report in found]
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
        f"pcgen {first.version}",
        *first.protocol["deviations"],
        *_training_sets(sets),
    ]
    if any(len(found) > 1 for found in sets.values()):
        notes.append("+-: standard deviation over the sample sets of a model")
    table = new_table(f"protocol {label_of(first)}", ("model", "clouds"), shown, notes)
    for name in names:
        row = sets[name][0].rows[0]
        cells = cells_of(row, shown) if len(sets[name]) == 1 else _spread_cells(sets[name], shown)
        add_row(table, (name, str(row.clouds), *cells))
    add_dim(table, [*oracles, *chance_rows([first.rows[0], *oracles]), *in_print], shown)
    return table


def check_comparable(named: Sequence[tuple[str, Report]]) -> None:
    """Raise an error if reports cannot be in one table.

    Args:
        named: reports, each with its name in messages.

    Raises:
        ValueError: two differ in protocol or reference; the message names both.
    """
    (name, report), *others = named
    for other_name, other in others:
        if report.protocol["hash"] != other.protocol["hash"]:
            fields = {**report.protocol, **other.protocol}.keys() - {"hash"}
            differ = [key for key in sorted(fields) if report.protocol.get(key) != other.protocol.get(key)]
            values = [", ".join(f"{key}={r.protocol.get(key)!r}" for key in differ) for r in (report, other)]
            raise ValueError(
                f"reports: must share one protocol; {name} has {label_of(report)} with {values[0]}, {other_name} has "
                f"{label_of(other)} with {values[1]}; evaluate both under one"
            )
        if report.reference["sha256"] != other.reference["sha256"]:
            raise ValueError(
                f"reports: must share one reference set; {name} has {report.reference['source']} "
                f"({report.reference['sha256']}), {other_name} has {other.reference['source']} "
                f"({other.reference['sha256']}); evaluate both against one"
            )


def side_by_side(reports: Sequence[Report], published: str | None = None) -> "Table":
    """One table of one set of samples under several protocols: numbers of different protocols are not comparable.

    Args:
        reports: one for each protocol.
        published: a category of ShapeNet whose published numbers are shown below those of each protocol.

    Raises:
        ValueError: there is no report, or two are of different samples (the message names both); or there are no
            published numbers for `published` under one of the protocols.
    """
    if not reports:
        raise ValueError("reports: must hold at least one, got none")
    sets = [report.samples for report in reports]
    hashed = all("given_sha256" in each for each in sets)  # not in reports of earlier versions
    given = [each["source"] + (f" ({each['given_sha256']})" if hashed else "") for each in sets]
    for other in given[1:]:
        if other != given[0]:
            raise ValueError(
                f"reports: must be of the same samples, got {given[0]} and {other}; compare() is for several models "
                "under one protocol"
            )
    in_print = [published_rows(report, published) for report in reports]
    shown = shown_columns(
        [row for report in reports for row in report.rows] + [row for rows in in_print for row in rows]
    )
    sources = dict.fromkeys(note for rows in in_print for note in footnotes(rows))
    notes = ["numbers under different protocols are not comparable", IDEAL, *sources, f"pcgen {reports[0].version}"]
    shared = [note for note in reports[0].notes if all(note in report.notes for report in reports)]
    for report in reports:
        notes += [f"{report.protocol['name']}: {note}" for note in report.notes if note not in shared]
    table = new_table("one set under several protocols", ("", "clouds"), shown, [*notes, *shared])
    for report, printed in zip(reports, in_print, strict=True):
        samples, *oracles = report.rows
        add_row(table, (f"{report.protocol['name']}\n{report.protocol['hash']}",), style="bold")
        add_row(table, (samples.name, str(samples.clouds), *cells_of(samples, shown)))
        add_dim(table, [*oracles, *chance_rows(report.rows), *printed], shown)
        table.add_section()
    return table


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
