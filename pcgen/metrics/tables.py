"""Tables of metrics: columns, cells, percent."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pcgen.metrics.row import Printed, Row

if TYPE_CHECKING:
    from rich.table import Table

__all__ = [
    "IDEAL",
    "Column",
    "add_dim",
    "add_row",
    "cells_of",
    "chance_rows",
    "copying_columns",
    "new_table",
    "number",
    "shown_columns",
]

Column = tuple[str, str, bool]

# The key of a value, its heading, and whether it is a share that is printed in percent; in the order of the columns.
_COLUMNS = (
    ("jsd", "JSD", False),
    ("mmd_cd", "MMD\nCD", False),
    ("cov_cd", "COV\nCD %", True),
    ("one_nna_cd", "1-NNA\nCD %", True),
    ("mmd_emd", "MMD\nEMD", False),
    ("cov_emd", "COV\nEMD %", True),
    ("one_nna_emd", "1-NNA\nEMD %", True),
)
_COPYING = (
    ("z_u_{}", "Z_U", False),
    ("c_t_{}", "C_T", False),
    ("authenticity_{}", "auth.\n%", True),
    ("copies", "copies\n%", True),
    ("novelty", "novelty", False),
    ("vendi_{}", "Vendi", False),
    ("vendi_reference_{}", "of ref.", False),
)
_UNDER_CD = ("copies", "novelty")
IDEAL = "1-NNA is best at chance, the score of equal distributions; below it, on the samples / on the reference"


def shown_columns(rows: Iterable[Row], columns: Sequence[Column] = _COLUMNS) -> list[Column]:
    """The columns for which some row has a value."""
    measured = {key for row in rows for key in row.values}
    return [column for column in columns if column[0] in measured]


def copying_columns(distance: str) -> list[Column]:
    """The columns of the metrics of copying under "cd" or "emd"."""
    own = [column for column in _COPYING if distance == "cd" or column[0] not in _UNDER_CD]
    return [(key.format(distance), heading, share) for key, heading, share in own]


def new_table(title: str, left: Sequence[str], shown: Sequence[Column], notes: Sequence[str]) -> "Table":
    """An empty table with the columns `left`, then `shown`; the notes are below, a line each.

    Numbers and their headings are not cut or wrapped as long as the names of rows can be wrapped instead.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    # As `Text`, since brackets in a string would be parsed as markup, and "[nan, 0, 1]" would disappear.
    table = Table(
        title=Text(title, style="table.title"),
        caption=Text("\n".join(notes), style="table.caption"),
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for heading in left:
        counted = heading == "clouds"
        table.add_column(heading, justify="right" if counted else "left", no_wrap=counted, overflow="fold")
    for _, heading, _ in shown:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def add_row(table: "Table", cells: Iterable[str], style: str | None = None) -> None:
    """Add a row of texts without parsing brackets as markup."""
    from rich.text import Text

    table.add_row(*(Text(cell) for cell in cells), style=style)


def add_dim(table: "Table", rows: Sequence[Row], shown: Sequence[Column]) -> None:
    """Add rows for comparison: oracles, published numbers."""
    for row in rows:
        add_row(table, (row.name, str(row.clouds or ""), *cells_of(row, shown)), style="dim")


def cells_of(row: Row, shown: Sequence[Column]) -> list[str]:
    """A row's cells: beside a published value its footnote's mark, below a 1-NNA its two class accuracies, below copies
    those of the reference."""
    cells = []
    marks = row.marks if isinstance(row, Printed) else {}
    for key, _, share in shown:
        cell = number(row.values.get(key), share) + marks.get(key, "")
        classes = [row.values[name] for side in ("samples", "reference") if (name := f"{key}_{side}") in row.values]
        cells.append("\n".join((cell, "/".join(f"{100 * value:.0f}" for value in classes))) if classes else cell)
    return cells


def chance_rows(rows: Sequence[Row]) -> list[Row]:
    """Rows with the 1-NNA of equal distributions for the sets' sizes: one for each different value."""
    ends = "_chance"
    found: dict[tuple[tuple[str, float], ...], str] = {}
    for row in rows:
        chance = tuple(
            (key.removesuffix(ends), value)
            for key, value in row.values.items()
            if key.startswith("one_nna") and key.endswith(ends)
        )
        if chance:
            found.setdefault(chance, f"chance of {row.name}" if found else "chance")
    return [Row(name, 0, dict(chance)) for chance, name in found.items()]


def number(value: float | None, share: bool, absent: str = "-") -> str:
    """A value as it is printed: shares in percent with one decimal, others to three digits."""
    if value is None:
        return absent
    return f"{100 * value:.1f}" if share else f"{value:.3g}"
