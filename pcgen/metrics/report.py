"""The result of an evaluation: numbers, the protocol they were computed under, and what was measured."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pcgen.errors import choose

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["HEADLINE", "Report", "Row", "compare", "side_by_side"]

HEADLINE = ("jsd", "mmd_cd", "cov_cd", "one_nna_cd", "mmd_emd", "cov_emd", "one_nna_emd")

# What a table prints, in its order: the key of the value, the heading, and whether it is a share printed in percent.
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


@dataclass(frozen=True)
class Row:
    """The metrics of one set of clouds against the reference: of the samples, or of an oracle.

    Attributes:
        name: what the clouds are.
        clouds: how many there are.
        values: metric to value; shares are fractions.
        intervals: metric to the ends of its 95% interval.
    """

    name: str
    clouds: int
    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What an evaluation found.

    Attributes:
        protocol: the protocol's fields, the conditions of this evaluation, and the hash over both.
        version: of pcgen.
        samples: source, counts, ranges and hash of the samples, as measured.
        reference: the same of the reference.
        train: the same of the training set, if there was one.
        grid: centre and radius of the ball of the JSD's grid; both sides were counted on it.
        rows: the samples' row, then the oracles'.
        notes: what a reader of the numbers must know.
    """

    protocol: Mapping[str, Any]
    version: str
    samples: Mapping[str, Any]
    reference: Mapping[str, Any]
    train: Mapping[str, Any] | None
    grid: Mapping[str, Any]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    @property
    def values(self) -> Mapping[str, float]:
        """All metrics of the samples, by name."""
        return self.rows[0].values

    @property
    def jsd(self) -> float | None:
        """Jensen-Shannon divergence, bits."""
        return self.values.get("jsd")

    @property
    def mmd_cd(self) -> float | None:
        """Minimum matching distance under the Chamfer distance."""
        return self.values.get("mmd_cd")

    @property
    def cov_cd(self) -> float | None:
        """Coverage under the Chamfer distance, a fraction."""
        return self.values.get("cov_cd")

    @property
    def one_nna_cd(self) -> float | None:
        """Accuracy of the 1-nearest-neighbour classifier under the Chamfer distance, a fraction."""
        return self.values.get("one_nna_cd")

    @property
    def mmd_emd(self) -> float | None:
        """Minimum matching distance under the protocol's EMD."""
        return self.values.get("mmd_emd")

    @property
    def cov_emd(self) -> float | None:
        """Coverage under the protocol's EMD, a fraction."""
        return self.values.get("cov_emd")

    @property
    def one_nna_emd(self) -> float | None:
        """Accuracy of the 1-nearest-neighbour classifier under the protocol's EMD, a fraction."""
        return self.values.get("one_nna_emd")

    def to_json(self) -> str:
        """The report as JSON: the headline metrics (null where not measured) first, then all else."""
        headline = {name: self.values.get(name) for name in HEADLINE}
        return json.dumps({**headline, **asdict(self)}, indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """The report that `to_json` wrote.

        Raises:
            ValueError: the text is not JSON, or not a report's.
        """
        try:
            data = json.loads(text)
            rows = tuple(
                Row(row["name"], row["clouds"], row["values"], {k: (a, b) for k, (a, b) in row["intervals"].items()})
                for row in data["rows"]
            )
            fields = {name: data[name] for name in ("protocol", "version", "samples", "reference", "train", "grid")}
            return cls(**fields, rows=rows, notes=tuple(data["notes"]))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"text: must be a report's JSON, which `pcgen evaluate --out` writes; {error!r}") from None

    def table(self) -> "Table":
        """The samples' metrics with the oracles' beneath, for the screen; shares in percent."""
        table = _table(f"protocol {_label(self)}", ("", "clouds"), self.rows, _caption(self))
        for number, row in enumerate(self.rows):
            table.add_row(row.name, str(row.clouds), *_cells(row, self.rows), style=None if number == 0 else "dim")
            if number == 0 and row.intervals:
                for end, label in enumerate(("  95% from", "  to")):
                    table.add_row(label, "", *_interval_cells(row, end, self.rows), style="dim")
        return table


def compare(reports: Mapping[str, Report], sort: str | None = None) -> "Table":
    """One table of several models' reports under one protocol against one reference, the oracles beneath.

    Args:
        reports: the name of each model and its report.
        sort: a metric to order the rows by; 1-NNA by its distance from 0.5, coverage from the highest.

    Raises:
        ValueError: there is none, or two differ in protocol or reference; the message names both sides.
    """
    names = list(reports)
    if not names:
        raise ValueError("reports: must hold at least one, got none")
    first = reports[names[0]]
    for name in names[1:]:
        _check_same(names[0], first, name, reports[name])
    if sort is not None:
        key = choose(sort, HEADLINE, "sort")
        names.sort(key=lambda name: _badness(key, reports[name].values.get(key)))
    rows = [reports[name].rows[0] for name in names]
    oracles = {row.name: row for name in names for row in reversed(reports[name].rows[1:])}
    everything = [*rows, *oracles.values()]
    table = _table(f"protocol {_label(first)}", ("model", "clouds"), everything, _IDEAL)
    for name, row in zip(names, rows, strict=True):
        table.add_row(name, str(row.clouds), *_cells(row, everything))
    for row in oracles.values():
        table.add_row(row.name, str(row.clouds), *_cells(row, everything), style="dim")
    return table


def side_by_side(reports: Sequence[Report]) -> "Table":
    """One table of one set of samples under several protocols: the numbers of different rows are not comparable.

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
    everything = [row for report in reports for row in report.rows]
    caption = "numbers under different protocols are not comparable; " + _IDEAL
    table = _table("one set under several protocols", ("protocol", "", "clouds"), everything, caption)
    for report in reports:
        for number, row in enumerate(report.rows):
            label = _label(report) if number == 0 else ""
            table.add_row(label, row.name, str(row.clouds), *_cells(row, everything), style="dim" if number else None)
        table.add_section()
    return table


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
    deviates = " with deviations" if report.protocol.get("deviations") else ""
    return f"{report.protocol['name']} {report.protocol['hash']}{deviates}"


def _badness(metric: str, value: float | None) -> float:
    if value is None:
        return float("inf")
    if metric.startswith("one_nna"):
        return abs(value - 0.5)
    return -value if metric.startswith("cov") else value


def _caption(report: Report) -> str:
    return "\n".join((_IDEAL, f"pcgen {report.version}", *report.notes))


def _shown(rows: Sequence[Row]) -> list[tuple[str, str, bool]]:
    return [column for column in _COLUMNS if any(column[0] in row.values for row in rows)]


def _table(title: str, left: Sequence[str], rows: Sequence[Row], caption: str) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, caption=caption, caption_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in left:
        table.add_column(heading, justify="right" if heading == "clouds" else "left")
    for _, heading, _ in _shown(rows):
        table.add_column(heading, justify="right")
    return table


def _cells(row: Row, rows: Sequence[Row]) -> list[str]:
    cells = []
    for key, _, share in _shown(rows):
        cell = _number(row.values.get(key), share)
        classes = [row.values.get(f"{key}_{side}") for side in ("samples", "reference")]
        if None not in classes:
            cell += "\n" + "/".join(f"{100 * value:.0f}" for value in classes if value is not None)
        cells.append(cell)
    return cells


def _interval_cells(row: Row, end: int, rows: Sequence[Row]) -> list[str]:
    shown = [(row.intervals.get(key), share) for key, _, share in _shown(rows)]
    return [_number(ends[end], share) if ends else "" for ends, share in shown]


def _number(value: float | None, share: bool) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.1f}" if share else f"{value:.3g}"
