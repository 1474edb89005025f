"""Where cells and captions stand on a sheet."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Layout", "columns_for", "layout", "shorten"]


@dataclass(frozen=True)
class Layout:
    """Cells in reading order; pixels from the top left of the sheet."""

    columns: int
    rows: tuple[int, ...]  # height of the cells of each row
    width: int  # of the sheet
    height: int
    cells: tuple[tuple[int, int], ...]  # left, top of each cell

    def row_height(self, cell: int) -> int:
        """Height of the cells beside this one."""
        return self.rows[cell // self.columns]


def columns_for(count: int) -> int:
    """Columns of a sheet of `count` cells: of the shapes from square to 5:2, the one with the fewest empty cells.

    >>> [columns_for(count) for count in (1, 4, 6, 7, 16, 100)]
    [1, 4, 3, 4, 4, 10]
    """
    candidates = range(math.ceil(math.sqrt(count)), math.ceil(math.sqrt(2.5 * count)) + 1)
    return min(candidates, key=lambda columns: (-count % columns, -columns)) if count > 1 else 1


def layout(
    width: int, heights: Sequence[int], columns: int | None = None, caption_height: int = 0, gutter: int = 0
) -> Layout:
    """Place cells of `width` pixels with captions below them, right of a gutter for row titles.

    Each row is as high as the highest of its cells.

    Raises:
        ValueError: `columns` is less than 1.
    """
    if columns is not None and columns < 1:
        raise ValueError(f"columns: must be at least 1, got {columns}; leave it out to have it chosen")
    count = len(heights)
    columns = min(columns or columns_for(count), count)
    rows = tuple(max(heights[start : start + columns]) for start in range(0, count, columns))
    tops = [sum(rows[:row]) + row * caption_height for row in range(len(rows) + 1)]
    cells = tuple((gutter + i % columns * width, tops[i // columns]) for i in range(count))
    return Layout(columns, rows, gutter + columns * width, tops[-1], cells)


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
