"""The result of an evaluation: numbers, the protocol they were computed under, and what was measured."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["HEADLINE", "Report", "Row"]

HEADLINE = ("jsd", "mmd_cd", "cov_cd", "one_nna_cd", "mmd_emd", "cov_emd", "one_nna_emd")


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

    def table(self, published: str | None = None) -> "Table":
        """The samples' metrics with the oracles' beneath, for the screen; shares in percent.

        Args:
            published: a category of ShapeNet ("airplane", "chair", "car") whose numbers in print are shown beneath.

        Raises:
            ValueError: there are no numbers in print of that category or under this protocol.
        """
        from pcgen.metrics.tables import table_of

        return table_of(self, published)
