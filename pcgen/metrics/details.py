"""What the headline table leaves out: precision, recall, density, coverage, and copies."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pcgen.metrics.report import Report
from pcgen.metrics.tables import Column, add_dim, cells_of, new_table, shown_columns

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["details"]

_COLUMNS: tuple[Column, ...] = (
    *(
        (f"{metric}_{key}", f"{metric}\n{key.upper()}{' %' if share else ''}", share)
        for key in ("cd", "emd")
        for metric, share in (("precision", True), ("recall", True), ("density", False), ("coverage", True))
    ),
    ("copies", "copies\n%", True),
    ("novelty", "novelty", False),
)
_BALLS = "precision, density: fidelity; recall, coverage: diversity; by balls to each cloud's 5th neighbour"
_COPIES = (
    "copies: samples as near to a training cloud as it sampled again is; novelty: median distance to the nearest "
    "training cloud over that of its two samplings"
)


def details(reports: Mapping[str, Report]) -> "list[Table]":
    """A table of the models' precision, recall, density, coverage and share of copies, the oracles beneath.

    No table where nothing of it was computed. The reports must be of one protocol and reference, as for `compare`.
    """
    rows = [row for report in reports.values() for row in report.rows]
    shown = shown_columns(rows, _COLUMNS)
    if not shown:
        return []
    keys = {key for key, _, _ in shown}
    notes = [_BALLS] * bool(keys - {"copies", "novelty"}) + [_COPIES] * ("copies" in keys)
    table = new_table("fidelity, diversity, novelty", ("", "clouds"), shown, notes)
    for name, report in reports.items():
        table.add_row(name, str(report.rows[0].clouds), *cells_of(report.rows[0], shown))
    oracles = {row.name: row for report in reports.values() for row in report.rows[1:]}
    add_dim(table, list(oracles.values()), shown)
    return [table]
