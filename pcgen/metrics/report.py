"""The result of an evaluation: metrics, their protocol, and what was measured."""

import json
import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pcgen.metrics.published import footnotes, printed_rows
from pcgen.metrics.reading import report_fields
from pcgen.metrics.row import Printed, Row
from pcgen.metrics.tables import IDEAL, add_dim, add_row, cells_of, chance_rows, new_table, number, shown_columns

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["HEADLINE", "Report", "label_of", "published_rows"]

HEADLINE = ("jsd", "mmd_cd", "cov_cd", "one_nna_cd", "mmd_emd", "cov_emd", "one_nna_emd")


_WIDTH = 100  # of a printed report


@dataclass(frozen=True, repr=False)
class Report:
    """The result of an evaluation; print it to see its main metrics.

    Attributes:
        protocol: the protocol's fields, the conditions of this evaluation, and the hash over both.
        version: of pcgen.
        samples: source, counts, ranges and hash of the samples, after preparation, and their hash as they were given.
        reference: the same for the reference.
        train: the same for the training set, if there was one.
        grid: centre and radius of the ball of the JSD's grid.
        rows: the row of the samples, then the rows of the oracles.
        notes: remarks for readers of the metrics.
    """

    protocol: Mapping[str, Any]
    version: str
    samples: Mapping[str, Any]
    reference: Mapping[str, Any]
    train: Mapping[str, Any] | None
    grid: Mapping[str, Any]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """The protocol, the sets and the main metrics, in a few lines."""
        sides = (("samples", self.samples), ("reference", self.reference))
        sets = ", ".join(f"{each['clouds']} {role} ({each['source']})" for role, each in sides)
        parts = []
        for key, _, share in shown_columns(self.rows[:1]):
            chance = self.values.get(f"{key}_chance")
            beside = "" if chance is None else f" (chance {number(chance, share)}%)"
            parts.append(f"{key} {number(self.values[key], share)}{'%' if share else ''}{beside}")
        return "\n".join((f"protocol {label_of(self)}: {sets}", *textwrap.wrap(", ".join(parts), _WIDTH)))

    def _repr_html_(self) -> str:
        """The tables with their intervals, for notebooks."""
        from pcgen.report.notebook import metrics_html

        return metrics_html(self)

    @property
    def values(self) -> Mapping[str, float]:
        """All metrics of the samples, by name."""
        return self.rows[0].values

    @property
    def jsd(self) -> float | None:
        """Jensen-Shannon divergence, in bits."""
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
        """The report as JSON: the main metrics first (null if not measured), then everything else."""
        headline = {name: self.values.get(name) for name in HEADLINE}
        return json.dumps({**headline, **asdict(self)}, indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """Read a report that `to_json` wrote.

        Raises:
            ValueError: the text is not JSON, or not that of a report: the message names what is missing or wrong.
        """
        try:
            return cls(**report_fields(json.loads(text)))
        except ValueError as error:
            raise ValueError(f"text: must be a report's JSON, which `pcgen evaluate --out` writes; {error}") from None

    def table(self, published: str | None = None) -> "Table":
        """The samples' metrics with the oracles' below, for the screen; shares in percent.

        Args:
            published: a category of ShapeNet ("airplane", "chair", "car") whose published numbers are shown below.

        Raises:
            ValueError: there are no published numbers for that category or this protocol.
        """
        in_print = published_rows(self, published)
        shown = shown_columns([*self.rows, *in_print])
        notes = [IDEAL, *footnotes(in_print), f"pcgen {self.version}", *self.notes]
        table = new_table(f"protocol {label_of(self)}", ("", "clouds"), shown, notes)
        samples, *oracles = self.rows
        add_row(table, (samples.name, str(samples.clouds), *cells_of(samples, shown)))
        if samples.intervals:
            for end, label in enumerate(("  95% from", "  to")):
                ends = {key: interval[end] for key, interval in samples.intervals.items()}
                cells = [number(ends.get(key), share, "") for key, _, share in shown]
                add_row(table, (label, "", *cells), style="dim")
        add_dim(table, [*oracles, *chance_rows(self.rows), *in_print], shown)
        return table


def label_of(report: Report) -> str:
    """The title of a table under the report's protocol: its name and hash, and limits of the evaluation."""
    protocol = report.protocol
    counts = protocol["counts"]
    whole, under_emd = counts["cd"], counts.get("emd", counts["cd"])
    parts = [f"{protocol['name']} {protocol['hash']}"]
    if protocol["deviations"]:
        parts.append("with deviations")
    if under_emd != whole:
        parts.append("(EMD on {samples} x {reference} clouds of {points} points)".format(**under_emd))
    return " ".join(parts)


def published_rows(report: Report, category: str | None) -> list[Printed]:
    """The rows of published numbers for the report's protocol; none without a category."""
    return [] if category is None else printed_rows(report.protocol["name"], category, report.protocol.get("emd"))
