"""Whether reports can be in one table, what they have in common, and their mean and deviation."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from pcgen.metrics.occupancy import FEW_OUTSIDE
from pcgen.metrics.report import Report, label_of

__all__ = ["check_comparable", "mean_and_deviation", "one_by_one", "own_notes", "shared_notes", "versions"]


def check_comparable(named: Sequence[tuple[str, Report]]) -> None:
    """Raise an error if reports cannot be in one table.

    Args:
        named: reports, each with its name in messages.

    Raises:
        ValueError: two differ in protocol or reference; the message names both.
    """
    if not named:
        return
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
                f"reports: must share one reference set; {name} has {_source(report.reference)}, {other_name} has "
                f"{_source(other.reference)}; evaluate both against one"
            )


def one_by_one(reports: Mapping[str, Sequence[Report]]) -> list[tuple[str, Report]]:
    """Each report with its name, or with its name and place if there are several of that name."""
    return [
        (name if len(found) == 1 else f"{name}, set {place}", report)
        for name, found in reports.items()
        for place, report in enumerate(found, 1)
    ]


def mean_and_deviation(reports: Sequence[Report]) -> dict[str, tuple[float, float]]:
    """Mean and sample standard deviation (0 for one report) of every metric that all reports have.

    Raises:
        ValueError: two reports differ in protocol or reference; the message names both.
    """
    check_comparable([(f"report {place}", report) for place, report in enumerate(reports, 1)])
    shared = set.intersection(*(set(report.values) for report in reports)) if reports else set()
    values = {key: [report.values[key] for report in reports] for key in sorted(shared)}
    return {key: (statistics.fmean(v), statistics.stdev(v) if len(v) > 1 else 0.0) for key, v in values.items()}


def shared_notes(reports: Sequence[Report]) -> list[str]:
    """The notes that all reports have, deviations from their protocol first, each once."""
    first = reports[0]
    notes = [*first.protocol["deviations"], *first.notes]
    return [
        note
        for note in dict.fromkeys(notes)
        if all(note in (*other.protocol["deviations"], *other.notes) for other in reports)
    ]


def own_notes(reports: Mapping[str, Sequence[Report]]) -> dict[str, list[str]]:
    """The notes of each name's reports that not all reports have, each once, but for points that are no matter."""
    shared = shared_notes([report for found in reports.values() for report in found])

    def own(found: Sequence[Report]) -> list[str]:
        notes = dict.fromkeys(note for report in found for note in report.notes)
        return [note for note in notes if note not in shared and not note.startswith(FEW_OUTSIDE)]

    return {name: own(found) for name, found in reports.items()}


def versions(reports: Mapping[str, Sequence[Report]]) -> str:
    """The version of pcgen that measured the reports, or which ones did: their numbers may differ."""
    names: dict[str, dict[str, None]] = {}
    for name, found in reports.items():
        for report in found:
            names.setdefault(report.version, {})[name] = None
    if len(names) < 2:
        return f"pcgen {next(iter(names), '')}"
    told = "; ".join(f"{version} for {', '.join(of)}" for version, of in names.items())
    return f"pcgen {told}: versions may differ in what they measure"


def _source(described: Mapping[str, Any]) -> str:
    """A set by its source and the hash of its clouds."""
    return f"{described['source']} ({described['sha256']})"
