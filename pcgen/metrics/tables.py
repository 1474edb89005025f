"""Reports as tables for the screen: one, several models under one protocol, one set under several protocols."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pcgen.errors import choose
from pcgen.metrics.published import SOURCE, published
from pcgen.metrics.report import HEADLINE, Report, Row

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["compare", "mean_and_deviation", "side_by_side", "table_of"]

# The key of a value, its heading, and whether it is a share, printed in percent; in the order of the columns.
_COLUMNS = (
    ("jsd", "JSD", False),
    ("mmd_cd", "MMD\nCD", False),
    ("cov_cd", "COV\nCD %", True),
    ("one_nna_cd", "1-NNA\nCD %", True),
    ("mmd_emd", "MMD\nEMD", False),
    ("cov_emd", "COV\nEMD %", True),
    ("one_nna_emd", "1-NNA\nEMD %", True),
)
_IDEAL = "1-NNA is ideal at 50%; beneath it, its accuracies on the samples / on the reference"


def table_of(report: Report, published: str | None = None) -> "Table":
    """What `Report.table` returns."""
    in_print = _published_rows(report, published)
    shown = _shown([*report.rows, *in_print])
    notes = [_IDEAL, *_credit(in_print), f"pcgen {report.version}", *report.notes]
    table = _table(f"protocol {_label(report)}", ("", "clouds"), shown, notes)
    samples, *oracles = report.rows
    table.add_row(samples.name, str(samples.clouds), *_cells(samples, shown))
    if samples.intervals:
        for end, label in enumerate(("  95% from", "  to")):
            ends = {key: interval[end] for key, interval in samples.intervals.items()}
            table.add_row(label, "", *(_number(ends.get(key), share, "") for key, _, share in shown), style="dim")
    _add_dim(table, [*oracles, *in_print], shown)
    return table


def compare(
    reports: Mapping[str, Report | Sequence[Report]], sort: str | None = None, published: str | None = None
) -> "Table":
    """One table of several models under one protocol against one reference, the oracles beneath.

    Args:
        reports: the name of each model and its report; or its reports of several sample sets (seeds), of which the mean
            and the standard deviation are shown.
        sort: a metric to order the rows by; 1-NNA by its distance from 0.5, coverage from the highest.
        published: a category of ShapeNet whose numbers in print are shown beneath.

    Raises:
        ValueError: there is none, or two differ in protocol or reference (the message names both sides); or nothing is
            in print for `published`.
    """
    sets = {name: [found] if isinstance(found, Report) else list(found) for name, found in reports.items()}
    flat = [(name, report) for name, found in sets.items() for report in found]
    if not flat or not all(sets.values()):
        raise ValueError("reports: must hold at least one report for each model, got none")
    first_name, first = flat[0]
    for name, report in flat[1:]:
        _check_same(first_name, first, name, report)
    names = list(sets)
    means = {name: {key: mean for key, (mean, _) in mean_and_deviation(found).items()} for name, found in sets.items()}
    if sort is not None:
        key = choose(sort, HEADLINE, "sort")
        names.sort(key=lambda name: _badness(key, means[name].get(key)))
    oracles = {row.name: row for _, report in reversed(flat) for row in reversed(report.rows[1:])}
    in_print = _published_rows(first, published)
    shown = _shown([*(report.rows[0] for _, report in flat), *oracles.values(), *in_print])
    notes = [_IDEAL, *_credit(in_print), f"pcgen {first.version}", *first.protocol["deviations"]]
    if any(len(found) > 1 for found in sets.values()):
        notes.append("+-: standard deviation over the sample sets of a model")
    table = _table(f"protocol {_label(first)}", ("model", "clouds"), shown, notes)
    for name in names:
        row = sets[name][0].rows[0]
        cells = _cells(row, shown) if len(sets[name]) == 1 else _spread_cells(sets[name], shown)
        table.add_row(name, str(row.clouds), *cells)
    _add_dim(table, [*oracles.values(), *in_print], shown)
    return table


def side_by_side(reports: Sequence[Report]) -> "Table":
    """One table of one set of samples under several protocols: numbers of different protocols are not comparable.

    Raises:
        ValueError: there is no report, or two are of different samples; the message names both.
    """
    if not reports:
        raise ValueError("reports: must hold at least one, got none")
    for report in reports[1:]:
        if report.samples["source"] != reports[0].samples["source"]:
            raise ValueError(
                f"reports: must be of the same samples, got {reports[0].samples['source']} and "
                f"{report.samples['source']}; compare() is for several models under one protocol"
            )
    shown = _shown([row for report in reports for row in report.rows])
    notes = ["numbers under different protocols are not comparable", _IDEAL, f"pcgen {reports[0].version}"]
    for report in reports:
        notes += [f"{report.protocol['name']}: {note}" for note in report.protocol["deviations"]]
    table = _table("one set under several protocols", ("protocol", "", "clouds"), shown, notes)
    for report in reports:
        samples, *oracles = report.rows
        table.add_row(_label(report), samples.name, str(samples.clouds), *_cells(samples, shown))
        _add_dim(table, oracles, shown, before=("",))
        table.add_section()
    return table


def mean_and_deviation(reports: Sequence[Report]) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation (of the sample, 0 for one report) of every metric that all reports have."""
    shared = set.intersection(*(set(report.values) for report in reports)) if reports else set()
    values = {key: [report.values[key] for report in reports] for key in sorted(shared)}
    return {key: (statistics.fmean(v), statistics.stdev(v) if len(v) > 1 else 0.0) for key, v in values.items()}


def _check_same(name: str, report: Report, other_name: str, other: Report) -> None:
    if report.protocol["hash"] != other.protocol["hash"]:
        fields = {**report.protocol, **other.protocol}.keys() - {"hash"}
        differ = [key for key in sorted(fields) if report.protocol.get(key) != other.protocol.get(key)]
        values = [", ".join(f"{key}={r.protocol.get(key)!r}" for key in differ) for r in (report, other)]
        raise ValueError(
            f"reports: must share one protocol; {name} has {_label(report)} with {values[0]}, {other_name} has "
            f"{_label(other)} with {values[1]}; evaluate both under one"
        )
    if report.reference["sha256"] != other.reference["sha256"]:
        raise ValueError(
            f"reports: must share one reference set; {name} has {report.reference['source']} "
            f"({report.reference['sha256']}), {other_name} has {other.reference['source']} "
            f"({other.reference['sha256']}); evaluate both against one"
        )


def _label(report: Report) -> str:
    deviates = " with deviations" if report.protocol["deviations"] else ""
    return f"{report.protocol['name']} {report.protocol['hash']}{deviates}"


def _badness(metric: str, value: float | None) -> float:
    if value is None:
        return float("inf")
    if metric.startswith("one_nna"):
        return abs(value - 0.5)
    return -value if metric.startswith("cov") else value


def _published_rows(report: Report, category: str | None) -> list[Row]:
    if category is None:
        return []
    found = published(report.protocol["name"], category)
    return [Row(p.model, 0, {"one_nna_cd": p.one_nna_cd, "one_nna_emd": p.one_nna_emd}) for p in found]


def _credit(in_print: Sequence[Row]) -> list[str]:
    return [f"{in_print[0].name} to {in_print[-1].name}: as printed by {SOURCE}"] if in_print else []


_Column = tuple[str, str, bool]


def _shown(rows: Iterable[Row]) -> list[_Column]:
    measured = {key for row in rows for key in row.values}
    return [column for column in _COLUMNS if column[0] in measured]


def _table(title: str, left: Sequence[str], shown: Sequence[_Column], notes: Sequence[str]) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    caption = "\n".join(notes)
    table = Table(title=title, caption=caption, caption_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in left:
        table.add_column(heading, justify="right" if heading == "clouds" else "left")
    for _, heading, _ in shown:
        table.add_column(heading, justify="right")
    return table


def _add_dim(table: "Table", rows: Sequence[Row], shown: Sequence[_Column], before: Sequence[str] = ()) -> None:
    for row in rows:
        table.add_row(*before, row.name, str(row.clouds or ""), *_cells(row, shown), style="dim")


def _cells(row: Row, shown: Sequence[_Column]) -> list[str]:
    cells = []
    for key, _, share in shown:
        cell = _number(row.values.get(key), share)
        classes = [row.values[name] for side in ("samples", "reference") if (name := f"{key}_{side}") in row.values]
        cells.append("\n".join((cell, "/".join(f"{100 * value:.0f}" for value in classes))) if classes else cell)
    return cells


def _spread_cells(reports: Sequence[Report], shown: Sequence[_Column]) -> list[str]:
    spread = mean_and_deviation(reports)
    cells = []
    for key, _, share in shown:
        mean, deviation = spread.get(key, (None, None))
        cells.append("-" if mean is None else f"{_number(mean, share)}\n+-{_number(deviation, share)}")
    return cells


def _number(value: float | None, share: bool, absent: str = "-") -> str:
    if value is None:
        return absent
    return f"{100 * value:.1f}" if share else f"{value:.3g}"
