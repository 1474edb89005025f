"""The reports of `pcgen evaluate`: read again, as tables, as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from pcgen.metrics import Report

__all__ = ["as_json", "as_tables", "read_reports"]


def read_reports(path: Path) -> "list[Report]":
    """The reports in a file that `pcgen evaluate --out` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something else.
    """
    from pcgen.metrics import Report

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give clouds, or a report that `pcgen evaluate --out` wrote")

    def flatten(value: Any) -> "list[Report]":
        if isinstance(value, list):
            return [report for each in value for report in flatten(each)]
        if isinstance(value, dict) and "reports" in value:
            return flatten(value["reports"])
        return [Report.from_json(json.dumps(value))]

    try:
        found = flatten(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ValueError(f"{path}: must be a report that `pcgen evaluate --out` wrote; {error}") from error
    if not found:
        raise ValueError(f"{path}: must be a report that `pcgen evaluate --out` wrote, holds none")
    return found


def as_tables(
    reports: "Mapping[str, Sequence[Report]]", mean: bool, published: str | None, apart: bool
) -> "list[Table]":
    """The metrics of one set of samples, or of several side by side, with precision, recall and copies beneath.

    Args:
        reports: what was given on the command line, and its reports, one for each protocol.
        mean: all are of one model: their mean and deviation are a row too.
        published: a category whose numbers in print are shown.
        apart: a table for each protocol; else all must share one.

    Raises:
        ValueError: two reports that are to stand in one table differ in protocol or reference.
    """
    from pcgen.metrics import compare, details, side_by_side

    if len(reports) == 1:
        (found,) = reports.values()
        if len(found) == 1:
            return [found[0].table(published), *details({"samples": found[0]})]
        return [side_by_side(found)]
    tables = []
    for group in _groups(reports, apart):
        rows: dict[str, Report | list[Report]] = dict(group)
        if mean:
            rows[f"mean of {len(group)}"] = list(group.values())
        tables += [compare(rows, published=published), *details(group)]
    return tables


def as_json(reports: "Mapping[str, Sequence[Report]]", mean: bool, apart: bool) -> str:
    """One report as it is; several as a list, of several seeds with their mean and deviation."""
    from pcgen.metrics import mean_and_deviation

    flat = [report for found in reports.values() for report in found]
    if len(flat) == 1:
        return flat[0].to_json()

    def plain(some: "Sequence[Report]") -> list[Any]:
        return [json.loads(report.to_json()) for report in some]

    if not mean:
        return json.dumps(plain(flat), indent=2) + "\n"
    parts = []
    for group in _groups(reports, apart):
        spread = mean_and_deviation(list(group.values()))
        means, deviations = ({key: pair[place] for key, pair in spread.items()} for place in (0, 1))
        parts.append({"mean": means, "deviation": deviations, "reports": plain(list(group.values()))})
    return json.dumps(parts if len(parts) > 1 else parts[0], indent=2) + "\n"


def _groups(reports: "Mapping[str, Sequence[Report]]", apart: bool) -> "list[dict[str, Report]]":
    """The reports that stand in one table, by the names of their rows."""
    named = _short_names(reports)
    groups: dict[str, dict[str, Report]] = {}
    for spec, found in reports.items():
        for report in found:
            group = groups.setdefault(report.protocol["name"] if apart else "", {})
            name = named[spec]
            while name in group:  # a file with several reports
                name += "'"
            group[name] = report
    return list(groups.values())


def _short_names(specs: "Mapping[str, object]") -> dict[str, str]:
    """Names of files without folder and ending, where that leaves them different."""
    stems = {spec: Path(spec).stem for spec in specs}
    return stems if len(set(stems.values())) == len(stems) else {spec: spec for spec in specs}
