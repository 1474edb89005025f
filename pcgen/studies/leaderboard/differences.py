"""How the models of a leaderboard were trained and measured, where a reader must know."""

from collections.abc import Sequence

from pcgen.metrics.comparable import versions
from pcgen.studies.leaderboard.entry import Entry

__all__ = ["differences"]


def differences(entries: Sequence[Entry]) -> list[str]:
    """Sentences on efforts and versions of pcgen, if measured models differ in them, and on options set by hand."""
    done = [entry for entry in entries if entry.reports]
    efforts: dict[float | None, list[str]] = {}
    for entry in done:
        efforts.setdefault(entry.effort, []).append(entry.name)
    told = [
        f"{'not recorded' if effort is None else f'{effort:g}'} for {', '.join(names)}"
        for effort, names in efforts.items()
    ]
    given = [f"{entry.name}.{name}={value}" for entry in done for name, value in entry.options.items()]
    reports = {entry.name: [report for each in entry.reports.values() for report in each] for entry in done}
    found = []
    if len({report.version for each in reports.values() for report in each}) > 1:
        found.append(f"Measured by {versions(reports)}.")
    if len(told) > 1:
        found.append(f"Effort differs between models (times the default steps of each): {'; '.join(told)}.")
    if given:
        found.append(f"Options that are not the defaults: {', '.join(given)}.")
    return found
