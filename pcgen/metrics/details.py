"""Further tables: precision, recall, density, coverage, and the metrics of copying."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pcgen.metrics.comparable import check_comparable
from pcgen.metrics.report import Report
from pcgen.metrics.row import Row, merged
from pcgen.metrics.tables import Column, add_dim, add_row, cells_of, copying_columns, new_table, number, shown_columns

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["details"]

_OF_BALLS = (("precision", True), ("recall", True), ("density", False), ("coverage", True))
_OF_MODELS: tuple[Column, ...] = (("", "value", False), (" chance", "chance", False), (" p", "p", False))
# A metric of a trained model's features: "energy[autoencoder, runs/ae, 1a2b3c4d5e6f] p".
_KEY = re.compile(r"(?P<metric>[^\[]+)\[(?P<model>.+)\](?P<part>| chance| p)", re.DOTALL)
_BALLS = "precision, density: fidelity; recall, coverage: diversity; by balls to each cloud's 5th neighbour"
_COPYING = (
    "Read these together: a model that copies has Z_U and C_T (Z_U in cells) far below 0, fewer authentic samples, "
    "more copies and less novelty than a second sample of the data.\n"
    "copies: as near to a training cloud as a second sampling of it, below it those of the reference; novelty: median "
    "distance to the nearest training cloud, divided by that of two samplings of it"
)
_VARIETY = "Vendi: effective number of different clouds in the set / in the reference"
_FEATURES = (
    "chance: the score of equal distributions with these set sizes; p: how often chance alone scores as much; "
    "only values of the same model and hash can be compared"
)


def details(reports: Mapping[str, Report]) -> "list[Table]":
    """Tables of precision, recall, density and coverage, of copying, and of metrics on trained models' features.

    There is one table for each distance, and one for each trained model, with the oracles below. Metrics that were not
    computed have no table.

    Raises:
        ValueError: two reports differ in protocol or reference; the message names both.
    """
    check_comparable(list(reports.items()))
    oracles = merged({name: report.rows[1:] for name, report in reports.items()})
    models = [replace(report.rows[0], name=name) for name, report in reports.items()]
    rows = [*models, *oracles]
    tables = []
    for distance in ("cd", "emd"):
        columns = [(f"{m}_{distance}", f"{m} %" if share else m, share) for m, share in _OF_BALLS]
        tables += _table(f"fidelity and diversity, {distance.upper()}", models, oracles, columns, _BALLS)
    for distance in ("cd", "emd"):
        searched = any(f"z_u_{distance}" in row.values for row in rows)
        varied = any(f"vendi_{distance}" in row.values for row in rows)
        title = " and ".join(["copying"] * searched + ["variety"] * varied)
        note = "\n".join([_COPYING] * searched + [_VARIETY] * varied)
        tables += _table(f"{title}, {distance.upper()}", models, oracles, copying_columns(distance), note)
    metrics: dict[str, list[str]] = {}
    for match in (_KEY.fullmatch(key) for row in rows for key in row.values):
        if match and match["metric"] not in metrics.setdefault(match["model"], []):
            metrics[match["model"]].append(match["metric"])
    return tables + [_features_table(model, names, rows, len(models)) for model, names in metrics.items()]


def _table(
    title: str, models: Sequence[Row], oracles: Sequence[Row], columns: Sequence[Column], note: str
) -> "list[Table]":
    """The rows that have one of the columns; no table if there is none."""
    shown = shown_columns([*models, *oracles], columns)
    if not shown:
        return []
    table = new_table(title, ("", "clouds"), shown, [note])
    for row in models:
        add_row(table, (row.name, str(row.clouds), *cells_of(row, shown)))
    add_dim(table, [row for row in oracles if shown_columns([row], shown)], shown)
    return [table]


def _features_table(model: str, metrics: Sequence[str], rows: Sequence[Row], models: int) -> "Table":
    """The metrics on one model's features, each with a line for every row that has it.

    The model's name, run and hash are in the title, since they would be too wide as headings of columns.
    """
    keys = [f"{metric}[{model}]{part}" for metric in metrics for part, _, _ in _OF_MODELS]
    measured = {key for row in rows for key in row.values if key in keys}
    shown = [column for column in _OF_MODELS if any(key.endswith(f"]{column[0]}") for key in measured)]
    table = new_table(f"on the features of trained models: {model}", ("metric", "", "clouds"), shown, [_FEATURES])
    for metric in metrics:
        heading = metric
        for place, row in enumerate(rows):
            values = [row.values.get(f"{metric}[{model}]{part}") for part, _, _ in shown]
            if any(value is not None for value in values):
                cells = (heading, row.name, str(row.clouds), *(number(value, False) for value in values))
                add_row(table, cells, style=None if place < models else "dim")
                heading = ""
        table.add_section()
    return table
