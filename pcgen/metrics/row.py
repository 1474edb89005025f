"""One line of a report."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

__all__ = ["Row", "merged"]

_SAME = 1e-4  # a relative difference that another device or order of sums may make


@dataclass(frozen=True)
class Row:
    """The metrics of one set of clouds against the reference: of the samples, or of an oracle.

    Attributes:
        name: of the set of clouds.
        clouds: how many there are.
        values: metric to value; shares are fractions.
        intervals: metric to the ends of its 95% interval.
    """

    name: str
    clouds: int
    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def with_values(self, values: Mapping[str, float]) -> "Row":
        """The row with these metrics added."""
        return replace(self, values={**self.values, **values})


def merged(rows: Mapping[str, Sequence[Row]]) -> list[Row]:
    """The oracles' rows of several reports: those of one name are one row if they are of the same clouds.

    Rows that agree in all metrics that both have are one, with the metrics of both. If they do not, as where models
    were evaluated with different training sets, all stay, and each is called by the reports that it is of.

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
