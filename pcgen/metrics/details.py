"""What the headline table leaves out: precision, recall, density, coverage, and copies."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pcgen.metrics.report import Report
from pcgen.metrics.tables import Column, add_dim, add_row, cells_of, new_table, shown_columns

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
_FEATURES = (
    "chance: what sets of these sizes and of one distribution score; p: how often chance alone scores as much; "
    "comparable with numbers of the same model and hash alone"
)


def details(reports: Mapping[str, Report]) -> "list[Table]":
    """Tables of precision, recall, density, coverage and share of copies, and of metrics on trained models' features.

    The oracles stand beneath; what was not computed has no table. The reports must be of one protocol and reference, as
    for `compare`.
    """
    rows = [row for report in reports.values() for row in report.rows]
    tables = []
    if shown := shown_columns(rows, _COLUMNS):
        keys = {key for key, _, _ in shown}
        notes = [_BALLS] * bool(keys - {"copies", "novelty"}) + [_COPIES] * ("copies" in keys)
        tables.append(_table("fidelity, diversity, novelty", reports, shown, notes))
    on_features = dict.fromkeys(key for row in rows for key in row.values if "[" in key)
    if on_features:
        columns = [(key, _heading(key), False) for key in on_features]
        tables.append(_table("on the features of trained models", reports, columns, [_FEATURES]))
    return tables


def _table(title: str, reports: Mapping[str, Report], shown: Sequence[Column], notes: Sequence[str]) -> "Table":
    table = new_table(title, ("", "clouds"), shown, notes)
    for name, report in reports.items():
        add_row(table, (name, str(report.rows[0].clouds), *cells_of(report.rows[0], shown)))
    oracles = {row.name: row for report in reports.values() for row in report.rows[1:]}
    add_dim(table, list(oracles.values()), shown)
    return table


def _heading(key: str) -> str:
    """The parts of "energy[autoencoder, RUN, 1a2b3c] p", a line each."""
    name, _, rest = key.partition("[")
    inside, _, suffix = rest.partition("]")
    return "\n".join((name + suffix, *inside.split(", ")))
