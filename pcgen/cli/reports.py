"""The reports of `pcgen evaluate`: read again, as tables, as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from pcgen.metrics import Protocol, Report

__all__ = ["as_json", "as_tables", "by_set", "check_alike", "conditions", "read_reports"]

_LATER = (
    "hash",
    "counts",
    "deviations",
    "normalized_by",
)  # what a protocol's stamp holds that is not known before the evaluation


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


def by_set(reports: "Mapping[str, Sequence[Report]]") -> "dict[str, dict[str, Report]]":
    """The reports of each set of samples, by protocol, under the name of the set's row.

    A set is called by what it was loaded from, without folder and ending, if that leaves all different, else in full;
    and where two files hold reports of one source, by the files.

    Args:
        reports: what was given on the command line, clouds or a file of reports, and its reports.
    """
    found: dict[tuple[str, str, int], dict[str, Report]] = {}
    for given, some in reports.items():
        for report in some:
            source, protocol = report.samples["source"], report.protocol["name"]
            copy = 1  # a file may hold reports of one source more than once
            while protocol in found.setdefault((given, source, copy), {}):
                copy += 1
            found[given, source, copy][protocol] = report
    return dict(zip(_names(list(found)), found.values(), strict=True))


def check_alike(
    read: "Mapping[str, Mapping[str, Report]]", planned: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> None:
    """Refuse sets that cannot be in one table, before any of them is measured.

    Args:
        read: reports that are there already, as from `by_set`.
        planned: the conditions, as from `conditions`, of each set that is to be measured, by protocol.

    Raises:
        ValueError: two sets differ in their protocols, in their numbers of clouds, or in another condition; or two
            reports in their reference.
    """
    from pcgen.metrics.comparing import check_comparable

    sets: list[tuple[str, Mapping[str, Mapping[str, Any]]]] = [
        (name, {protocol: _conditions_of(report) for protocol, report in of.items()}) for name, of in read.items()
    ]
    (first, of_first), *others = [*sets, *planned.items()]
    for name, of in others:
        if of.keys() != of_first.keys():
            raise ValueError(
                f"SAMPLES: must share one protocol, or all of several; {first} has {', '.join(of_first)}, {name} has "
                f"{', '.join(of)}; evaluate both under the same"
            )
        for protocol, there in of_first.items():
            here = of[protocol]
            if differ := [key for key in there if there[key] != here.get(key)]:
                values = [", ".join(f"{key}={each.get(key)!r}" for key in differ) for each in (there, here)]
                raise ValueError(
                    f"SAMPLES: must be measured in the same way to be in one table, under {protocol} {first} has "
                    f"{values[0]}, {name} has {values[1]}; use equally many clouds of each (COV depends on it) "
                    "under the same options"
                )
    for protocol in of_first if read else ():
        check_comparable([(name, of[protocol]) for name, of in read.items()])


def conditions(protocol: "Protocol", samples: int, reference: int, seed: int) -> dict[str, Any]:
    """What is known of a report before it is made: its protocol, and how many clouds it compares."""
    stamp = protocol.stamp(seed=seed)
    return {"samples": samples, "reference": reference, **{key: stamp[key] for key in stamp if key not in _LATER}}


def as_tables(sets: "Mapping[str, Mapping[str, Report]]", mean: bool, published: str | None) -> "list[Table]":
    """The metrics of one set of samples, or of several side by side, with precision, recall and copies beneath.

    Args:
        sets: the reports of each set by protocol, as from `by_set`; there is a table for each protocol, or of one set
            a single one of all protocols.
        mean: all are of one model: their mean and deviation are a row too.
        published: a category whose published numbers are shown.

    Raises:
        ValueError: two reports for one table differ in protocol or reference.
    """
    from pcgen.metrics import compare, details, side_by_side

    if len(sets) == 1:
        ((found, *others),) = (list(of.values()) for of in sets.values())
        if others:
            below = [table for report in (found, *others) for table in details({report.protocol["name"]: report})]
            return [side_by_side([found, *others], published), *below]
        return [found.table(published), *details({"samples": found})]
    tables = []
    for group in _groups(sets):
        rows: dict[str, Report | list[Report]] = dict(group)
        if mean:
            rows[f"mean of {len(group)}"] = list(group.values())
        tables += [compare(rows, published=published), *details(group)]
    return tables


def as_json(sets: "Mapping[str, Mapping[str, Report]]", mean: bool) -> str:
    """One report as it is; several as a list, of several seeds with their mean and deviation."""
    from pcgen.metrics import mean_and_deviation

    flat = [report for of in sets.values() for report in of.values()]
    if len(flat) == 1:
        return flat[0].to_json()

    def plain(some: "Sequence[Report]") -> list[Any]:
        return [json.loads(report.to_json()) for report in some]

    if not mean:
        return json.dumps(plain(flat), indent=2) + "\n"
    parts = []
    for group in _groups(sets):
        spread = mean_and_deviation(list(group.values()))
        means, deviations = ({key: pair[place] for key, pair in spread.items()} for place in (0, 1))
        parts.append({"mean": means, "deviation": deviations, "reports": plain(list(group.values()))})
    return json.dumps(parts if len(parts) > 1 else parts[0], indent=2) + "\n"


def _groups(sets: "Mapping[str, Mapping[str, Report]]") -> "list[dict[str, Report]]":
    """The reports of one table: those of one protocol, by the names of their rows."""
    groups: dict[str, dict[str, Report]] = {}
    for name, of in sets.items():
        for protocol, report in of.items():
            groups.setdefault(protocol, {})[name] = report
    return list(groups.values())


def _conditions_of(report: "Report") -> dict[str, Any]:
    of_protocol = {key: value for key, value in report.protocol.items() if key not in _LATER}
    return {"samples": report.samples["clouds"], "reference": report.reference["clouds"], **of_protocol}


def _names(sets: Sequence[tuple[str, str, int]]) -> list[str]:
    """The shortest names that leave all sets different, of what was given, its source, and which copy it is."""
    candidates = (
        [Path(source).stem for _, source, _ in sets],
        [source for _, source, _ in sets],
        [Path(given).stem for given, _, _ in sets],
        [given for given, _, _ in sets],
        [source if copy == 1 else f"{source} ({copy})" for _, source, copy in sets],
    )
    for names in candidates:
        if len(set(names)) == len(sets):
            return names
    return [f"{given}: {source}" + (f" ({copy})" if copy > 1 else "") for given, source, copy in sets]
