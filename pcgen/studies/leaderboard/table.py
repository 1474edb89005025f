"""The leaderboard in Markdown."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pcgen.metrics.comparable import own_notes, shared_notes
from pcgen.metrics.report import HEADLINE, Report
from pcgen.metrics.tables import chance_rows
from pcgen.studies.leaderboard.copying import copying_table
from pcgen.studies.leaderboard.differences import differences
from pcgen.studies.leaderboard.entry import Entry, check_entries

__all__ = ["markdown", "ranked", "ranking"]

_HEADINGS = {
    "jsd": "JSD",
    "mmd_cd": "MMD-CD",
    "cov_cd": "COV-CD %",
    "one_nna_cd": "1-NNA-CD %",
    "mmd_emd": "MMD-EMD",
    "cov_emd": "COV-EMD %",
    "one_nna_emd": "1-NNA-EMD %",
}
_RANKING = ("one_nna_cd", "one_nna_emd")


def markdown(entries: Sequence[Entry]) -> str:
    """A table for each protocol, models as `ranked`, the oracles beneath; shares in percent.

    Under several protocols the order of the models by 1-NNA under each stands at the end, side by side; then what a
    reader must know of how they were trained.

    Raises:
        ValueError: two reports under one protocol differ in it or in their reference; the message names both.
    """
    check_entries(entries)
    done = [entry for entry in entries if entry.reports]
    if not done:
        return "\n".join(f"{entry.name}: {entry.failure}" for entry in entries)
    failed = [entry for entry in entries if entry.failure]
    protocols = list(done[0].reports)
    parts = []
    for protocol in protocols:
        heading = [f"## Protocol {protocol}", ""] if len(protocols) > 1 else []
        ordered = ranked(done, protocol)
        parts.append("\n".join([*heading, _protocol_table(ordered, failed, protocol)]))
        parts.append(copying_table(ordered, protocol))
    if len(protocols) > 1:
        parts += [_order_table(done, protocols, metric) for metric in _RANKING]
    return "\n\n".join(part for part in [*parts, *differences(done)] if part)


def _protocol_table(done: Sequence[Entry], failed: Sequence[Entry], protocol: str) -> str:
    first = done[0].reports[protocol][0]
    shown = [metric for metric in HEADLINE if metric in first.values]
    lines = [
        f"| model | {' | '.join(_HEADINGS[metric] for metric in shown)} | quality of codes | training |",
        f"|---|{'---:|' * (len(shown) + 2)}",
    ]
    for entry in done:
        intervals = entry.reports[protocol][0].rows[0].intervals if len(entry.reports[protocol]) == 1 else {}
        cells = f"{_cells(entry.spread(protocol), shown, intervals)} | {_quality(entry)} | {entry.seconds:.0f} s"
        lines.append(f"| {entry.name} | {cells} |")
    for row in (*first.rows[1:], *chance_rows(first.rows)):
        lines.append(
            f"| *{row.name}* | {_cells({key: (value, 0.0) for key, value in row.values.items()}, shown)} | | |"
        )
    for entry in failed:
        lines.append(f"| {entry.name} | failed: {entry.failure.replace('|', '/')} |" + " |" * (len(shown) + 1))
    resolved = bool(done[0].quality) and done[0].quality[0].resolved
    for each in done[0].quality[1:] if resolved else ():
        lines.append(f"| *{each.name}*{' | -' * len(shown)} | {each.score:.2f} | |")
    stamp = first.protocol
    lines += [
        "",
        f"Protocol {stamp['name']} {stamp['hash']}, {first.rows[0].clouds} clouds a model; {_chance(first)}.",
    ]
    if any(len(entry.reports[protocol]) == 1 for entry in done):
        lines.append("In brackets: the 95% interval of a 1-NNA of one set of samples.")
    if done[0].quality and not resolved:
        lines.append(
            "Quality of codes: not computed, since the reference's codes are too few to distinguish independent "
            "Gaussians from training codes."
        )
    elif resolved:
        lines.append(
            "Quality of codes: the energy distance to the reference's codes, from 0, as near as training codes are, to "
            "1, as far as independent Gaussians are."
        )
    if stamp["deviations"]:
        lines.append(f"Deviates from the protocol's advice: {'; '.join(stamp['deviations'])}.")
    return "\n".join([*lines, *_notes(done, protocol)])


def _notes(done: Sequence[Entry], protocol: str) -> list[str]:
    """What all reports note, and what those of one model; shares of copies are in the table of copying."""
    reports = {entry.name: entry.reports[protocol] for entry in done}
    known = done[0].reports[protocol][0].protocol["deviations"]
    noted = {
        "Noted of all": shared_notes([report for found in reports.values() for report in found]),
        **{f"Noted of {name}": own for name, own in own_notes(reports).items()},
    }
    kept = {
        name: [note for note in notes if note not in known and not note.startswith("copies: ")]
        for name, notes in noted.items()
    }
    return [f"{name}: {'; '.join(notes)}." for name, notes in kept.items() if notes]


def _chance(report: Report) -> str:
    """What equal distributions score in 1-NNA, which is best."""
    found = next((value for name, value in report.values.items() if name.endswith("_chance")), 0.5)
    return f"1-NNA is best at {100 * found:.1f}%, what equal distributions score"


def _order_table(done: Sequence[Entry], protocols: Sequence[str], metric: str) -> str:
    """Each model's place under each protocol; empty where fewer than two protocols have the metric."""
    places = {}
    for protocol in protocols:
        off = {entry.name: _off_chance(entry, metric, protocol) for entry in done}
        if all(map(math.isfinite, off.values())):
            ordered = sorted(off, key=lambda name: off[name])
            places[protocol] = {name: ordered.index(name) + 1 for name in ordered}
    if len(places) < 2:
        return ""
    first = next(iter(places.values()))
    lines = [
        f"## Places by {_HEADINGS[metric].removesuffix(' %')}",
        "",
        f"| model | {' | '.join(places)} |",
        f"|---|{'---:|' * len(places)}",
    ]
    for name in sorted(first, key=lambda name: first[name]):
        lines.append(f"| {name} | {' | '.join(str(place[name]) for place in places.values())} |")
    return "\n".join(lines)


def _quality(entry: Entry) -> str:
    if not (entry.quality and entry.quality[0].resolved):
        return "-"
    low, high = entry.quality[0].interval
    return f"{entry.quality[0].score:.2f} ({low:.2f} to {high:.2f})"


def _cells(
    spread: Mapping[str, tuple[float, float]],
    shown: Sequence[str],
    intervals: Mapping[str, tuple[float, float]] = MappingProxyType({}),
) -> str:
    """The metrics of one row; a 1-NNA with its 95% interval, where there is one."""
    cells = []
    for metric in shown:
        ends = intervals.get(metric) if metric.startswith("one_nna") else None
        beside = f" ({100 * ends[0]:.0f}-{100 * ends[1]:.0f})" if ends else ""
        cells.append(_cell(metric, *spread.get(metric, (None, 0.0))) + beside)
    return " | ".join(cells)


def _cell(metric: str, value: float | None, deviation: float) -> str:
    if value is None:
        return "-"
    if metric.startswith(("cov", "one_nna")):
        return f"{100 * value:.1f}" + (f" ± {100 * deviation:.1f}" if deviation else "")
    return f"{value:.4g}" + (f" ± {deviation:.1g}" if deviation else "")


def ranked(entries: Sequence[Entry], protocol: str) -> list[Entry]:
    """The entries by how far their 1-NNA (`ranking`) is from chance, the best first, those that failed last."""
    metric = ranking(entries, protocol)
    return sorted(entries, key=lambda entry: (bool(entry.failure), _off_chance(entry, metric, protocol)))


def ranking(entries: Sequence[Entry], protocol: str) -> str:
    """What ranks models under a protocol: 1-NNA-CD, or 1-NNA-EMD where only that was measured."""
    measured = {metric for entry in entries for metric in entry.spread(protocol)}
    return next((metric for metric in _RANKING if metric in measured), _RANKING[0])


def _off_chance(entry: Entry, one_nna: str, protocol: str) -> float:
    """How far a model's 1-NNA is from that of equal distributions; infinite where it was not measured."""
    value, chance = entry.mean(one_nna, protocol), entry.mean(f"{one_nna}_chance", protocol)
    return math.inf if value is None else abs(value - (0.5 if chance is None else chance))
