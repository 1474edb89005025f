"""One line of a report."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

__all__ = ["Printed", "Row", "merged"]

_SAME = 1e-4  # tolerated relative difference, from another device or another order of sums


@dataclass(frozen=True)
class Row:
    """The metrics of one set of clouds against the reference: of the samples, or of an oracle.

    Attributes:
        name: of the set of clouds.
        clouds: number of clouds.
        values: the value of each metric; shares are fractions.
        intervals: the ends of the 95% interval of each metric.
    """

    name: str
    clouds: int
    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def with_values(self, values: Mapping[str, float]) -> "Row":
        """The row with these metrics added."""
        return replace(self, values={**self.values, **values})


@dataclass(frozen=True)
class Printed(Row):
    """A row of published numbers.

    Attributes:
        marks: of footnotes, by the metric beside whose value they stand.
    """

    marks: Mapping[str, str] = field(default_factory=dict)


def merged(rows: Mapping[str, Sequence[Row]]) -> list[Row]:
    """The oracles' rows of several reports; rows of one name are merged if they are of the same clouds.

    Rows that agree in all common metrics become one row, with the metrics of both. Otherwise, for example if models
    were evaluated with different training sets, both remain, and their names include the names of their reports.

    Args:
        rows: the name of each report, and its oracles.
    """
    found: dict[str, list[tuple[Row, list[str]]]] = {}
    for report, oracles in rows.items():
        for row in oracles:
            variants = found.setdefault(row.name, [])
            for place, (other, reports) in enumerate(variants):
                if _agree(row, other):
                    values, intervals = {**other.values, **row.values}, {**other.intervals, **row.intervals}
                    variants[place] = (replace(other, values=values, intervals=intervals), [*reports, report])
                    break
            else:
                variants.append((row, [report]))
    return [
        row if len(variants) == 1 else replace(row, name=f"{row.name} of {', '.join(dict.fromkeys(reports))}")
        for variants in found.values()
        for row, reports in variants
    ]


def _agree(a: Row, b: Row) -> bool:
    shared = a.values.keys() & b.values.keys()
    return a.clouds == b.clouds and all(
        math.isclose(a.values[key], b.values[key], rel_tol=_SAME, abs_tol=1e-9) for key in shared
    )
