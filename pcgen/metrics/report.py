"""The result of an evaluation: numbers, the protocol they were computed under, and what was measured."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pcgen.errors import choose
from pcgen.metrics.published import SOURCE, published
from pcgen.metrics.row import Row, merged
from pcgen.metrics.tables import IDEAL, Column, add_dim, add_row, cells_of, new_table, number, shown_columns

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["HEADLINE", "Report", "check_comparable", "compare", "mean_and_deviation", "side_by_side"]

HEADLINE = ("jsd", "mmd_cd", "cov_cd", "one_nna_cd", "mmd_emd", "cov_emd", "one_nna_emd")


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

    def table(self, published: str | None = None) -> "Table":
        """The samples' metrics with the oracles' beneath, for the screen; shares in percent.

        Args:
            published: a category of ShapeNet ("airplane", "chair", "car") whose numbers in print are shown beneath.

        Raises:
            ValueError: there are no numbers in print of that category or under this protocol.
        """
        in_print = _published_rows(self, published)
        shown = shown_columns([*self.rows, *in_print])
        notes = [IDEAL, *_credit(in_print), f"pcgen {self.version}", *self.notes]
        table = new_table(f"protocol {_label(self)}", ("", "clouds"), shown, notes)
        samples, *oracles = self.rows
        add_row(table, (samples.name, str(samples.clouds), *cells_of(samples, shown)))
        if samples.intervals:
            for end, label in enumerate(("  95% from", "  to")):
                ends = {key: interval[end] for key, interval in samples.intervals.items()}
                cells = [number(ends.get(key), share, "") for key, _, share in shown]
                add_row(table, (label, "", *cells), style="dim")
        add_dim(table, [*oracles, *in_print], shown)
        return table


def compare(
    reports: Mapping[str, Report | Sequence[Report]], sort: str | None = None, published: str | None = None
) -> "Table":
    """One table of several models under one protocol against one reference, the oracles beneath.

    Oracles that differ, as those of different training sets do, all stand there, each with the models it belongs to.

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
    first = flat[0][1]
    check_comparable(flat)
    names = list(sets)
    means = {name: {key: mean for key, (mean, _) in mean_and_deviation(found).items()} for name, found in sets.items()}
    if sort is not None:
        key = choose(sort, HEADLINE, "sort")
        names.sort(key=lambda name: _badness(key, means[name].get(key)))
    oracles = merged({name: [row for report in found for row in report.rows[1:]] for name, found in sets.items()})
    in_print = _published_rows(first, published)
    shown = shown_columns([*(report.rows[0] for _, report in flat), *oracles, *in_print])
    notes = [IDEAL, *_credit(in_print), f"pcgen {first.version}", *first.protocol["deviations"], *_training_sets(sets)]
    if any(len(found) > 1 for found in sets.values()):
        notes.append("+-: standard deviation over the sample sets of a model")
    table = new_table(f"protocol {_label(first)}", ("model", "clouds"), shown, notes)
    for name in names:
        row = sets[name][0].rows[0]
        cells = cells_of(row, shown) if len(sets[name]) == 1 else _spread_cells(sets[name], shown)
        add_row(table, (name, str(row.clouds), *cells))
    add_dim(table, [*oracles, *in_print], shown)
    return table


def check_comparable(named: Sequence[tuple[str, Report]]) -> None:
    """Refuse reports that cannot stand in one table.

    Args:
        named: reports, each with what it is called in messages.

    Raises:
        ValueError: two differ in protocol or reference; the message names both sides.
    """
    (name, report), *others = named
    for other_name, other in others:
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
    shown = shown_columns([row for report in reports for row in report.rows])
    notes = ["numbers under different protocols are not comparable", IDEAL, f"pcgen {reports[0].version}"]
    shared = [note for note in reports[0].notes if all(note in report.notes for report in reports)]
    for report in reports:
        notes += [f"{report.protocol['name']}: {note}" for note in report.notes if note not in shared]
    table = new_table("one set under several protocols", ("", "clouds"), shown, [*notes, *shared])
    for report in reports:
        samples, *oracles = report.rows
        add_row(table, (f"{report.protocol['name']}\n{report.protocol['hash']}",), style="bold")
        add_row(table, (samples.name, str(samples.clouds), *cells_of(samples, shown)))
        add_dim(table, oracles, shown)
        table.add_section()
    return table


def mean_and_deviation(reports: Sequence[Report]) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation (of the sample, 0 for one report) of every metric that all reports have."""
    shared = set.intersection(*(set(report.values) for report in reports)) if reports else set()
    values = {key: [report.values[key] for report in reports] for key in sorted(shared)}
    return {key: (statistics.fmean(v), statistics.stdev(v) if len(v) > 1 else 0.0) for key, v in values.items()}


def _training_sets(sets: Mapping[str, Sequence[Report]]) -> list[str]:
    """What is to be said where models were evaluated with different training sets; nothing where all share one."""
    named: dict[str, tuple[str, list[str]]] = {}
    for name, found in sets.items():
        for train in (report.train for report in found if report.train):
            _, names = named.setdefault(train["sha256"], (f"{train['source']} ({train['sha256']})", []))
            names += [name] if name not in names else []
    if len(named) < 2:
        return []
    each = "; ".join(f"{', '.join(names)} {source}" for source, names in named.values())
    return [f"training sets differ, and with them what copies and novelty are of: {each}"]


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


def _spread_cells(reports: Sequence[Report], shown: Sequence[Column]) -> list[str]:
    spread = mean_and_deviation(reports)
    cells = []
    for key, _, share in shown:
        mean, deviation = spread.get(key, (None, None))
        cells.append("-" if mean is None else f"{number(mean, share)}\n+-{number(deviation, share)}")
    return cells
