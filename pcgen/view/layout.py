"""Where cells and captions stand on a sheet."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Layout", "check_titles", "columns_for", "layout", "shorten"]

_ROW = 16  # a group of at most so many cells stands in one row


@dataclass(frozen=True)
class Layout:
    """Cells in reading order; pixels from the top left of the sheet."""

    columns: int
    rows: tuple[int, ...]  # height of the cells of each row
    width: int  # of the sheet
    height: int
    cells: tuple[tuple[int, int], ...]  # left, top of each cell
    row_of: tuple[int, ...]  # of each cell
    title_middles: tuple[float, ...]  # where titles stand: beside each row, or beside the first of each group

    def row_height(self, cell: int) -> int:
        """Height of the cells beside this one."""
        return self.rows[self.row_of[cell]]


def columns_for(count: int) -> int:
    """Columns of a sheet of `count` cells: of the shapes from square to 5:2, the one with the fewest empty cells.

    >>> [columns_for(count) for count in (1, 4, 6, 7, 16, 100)]
    [1, 4, 3, 4, 4, 10]
    """
    candidates = range(math.ceil(math.sqrt(count)), math.ceil(math.sqrt(2.5 * count)) + 1)
    return min(candidates, key=lambda columns: (-count % columns, -columns)) if count > 1 else 1


def layout(
    width: int,
    heights: Sequence[int],
    columns: int | None = None,
    caption_height: int = 0,
    gutter: int = 0,
    groups: Sequence[int] | None = None,
) -> Layout:
    """Place cells of `width` pixels with captions below them, right of a gutter for titles.

    Each row is as high as the highest of its cells, and each of the `groups`, of so many cells, begins a row.

    Raises:
        ValueError: `columns` is less than 1, or the groups do not have all cells.
    """
    if columns is not None and columns < 1:
        raise ValueError(f"columns: must be at least 1, got {columns}; leave it out to have it chosen")
    if groups is not None and (sum(groups) != len(heights) or min(groups) < 1):
        raise ValueError(f"groups: must be numbers of clouds, {len(heights)} in all, got {list(groups)}")
    most = len(heights) if groups is None else max(groups)
    columns = min(columns or (columns_for(most) if groups is None or most > _ROW else most), most)
    lines: list[range] = []  # the cells of each row
    titled: list[int] = []  # rows with a title
    end = 0
    for count in groups or [len(heights)]:
        start, end = end, end + count
        titled.append(len(lines))
        lines += [range(first, min(first + columns, end)) for first in range(start, end, columns)]
    rows = tuple(max(heights[cell] for cell in line) for line in lines)
    tops = [sum(rows[:row]) + row * caption_height for row in range(len(rows) + 1)]
    cells = tuple(
        (gutter + place * width, top) for line, top in zip(lines, tops, strict=False) for place in range(len(line))
    )
    middles = tuple(tops[row] + rows[row] / 2 for row in (range(len(rows)) if groups is None else titled))
    row_of = tuple(row for row, line in enumerate(lines) for _ in line)
    return Layout(columns, rows, gutter + columns * width, tops[-1], cells, row_of, middles)


def check_titles(rows: Sequence[str] | None, places: Layout) -> None:
    """Refuse another number of titles than that of rows or groups.

    Raises:
        ValueError: as said.
    """
    count = len(places.title_middles)
    if rows and len(rows) != count:
        kind = f"the {count} rows of the grid" if count == len(places.rows) else f"the {count} groups"
        raise ValueError(f"rows: must be one title for each of {kind}, got {len(rows)}")


def shorten(text: str, measure: Callable[[str], float], room: float) -> str:
    """The text, or as much of both its ends as `room` allows around an ellipsis, by the lengths that `measure` gives.

    >>> shorten("airplane/0123", len, 9)
    'airp…0123'
    """
    text = " ".join(text.split())
    if measure(text) <= room:
        return text
    for kept in range(len(text) - 1, 0, -1):
        short = text[: kept - kept // 2].rstrip() + "…" + text[len(text) - kept // 2 :].lstrip()
        if measure(short) <= room:
            return short
    return "…"
