"""Tables of texts, printed in one look."""

from collections.abc import Collection, Iterable, Sequence

__all__ = ["show_table"]


def show_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    title: str | None = None,
    whole: Collection[str] = (),
    numbers: Collection[str] = (),
) -> None:
    """Print a table whose texts are shown as they are, brackets and all; without rows, print nothing.

    Args:
        headings: of the columns.
        rows: a text for each column.
        title: above the table.
        whole: headings of the columns that are not wrapped.
        numbers: headings of the columns that are not wrapped, and are aligned to the right.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title=title, title_justify="left")
    for heading in headings:
        right = heading in numbers
        table.add_column(
            Text(heading), justify="right" if right else "left", no_wrap=right or heading in whole, overflow="fold"
        )
    for row in rows:
        table.add_row(*map(Text, row))
    if table.rows:
        Console().print(table)
