"""The grid and the shortening of captions."""

import pytest

from pcgen.view.layout import columns_for, layout, shorten


@pytest.mark.parametrize("count", range(1, 200))
def test_columns_make_a_grid_near_landscape(count: int) -> None:
    columns = columns_for(count)
    rows = -(-count // columns)
    assert (rows - 1) * columns < count <= rows * columns  # no empty row
    assert columns >= rows or count <= 2
    assert columns <= 2.5 * rows + 3


def test_layout_places_cells_in_reading_order() -> None:
    placed = layout(100, [60, 80, 70, 50, 40], columns=3, caption_height=20, gutter=30)
    assert placed.cells == ((30, 0), (130, 0), (230, 0), (30, 100), (130, 100))
    assert (placed.width, placed.height, placed.rows) == (330, 170, (80, 50))
    assert [placed.row_height(i) for i in range(5)] == [80, 80, 80, 50, 50]


def test_each_group_begins_a_row_and_titles_stand_beside_its_first() -> None:
    placed = layout(100, [60, 80, 70, 50, 40], columns=2, caption_height=20, gutter=30, groups=[3, 2])
    assert placed.cells == ((30, 0), (130, 0), (30, 100), (30, 190), (130, 190))
    assert (placed.width, placed.height, placed.rows) == (230, 260, (80, 70, 50))
    assert placed.row_of == (0, 0, 1, 2, 2) and [placed.row_height(i) for i in range(5)] == [80, 80, 70, 50, 50]
    assert placed.title_middles == (40.0, 215.0)
    assert layout(100, [60] * 5, columns=2).title_middles == (30.0, 90.0, 150.0)


def test_a_group_stands_in_one_row_unless_it_is_large() -> None:
    assert layout(100, [60] * 20, groups=[16, 4]).columns == 16
    assert layout(100, [60] * 100, groups=[96, 4]).columns == columns_for(96)


@pytest.mark.parametrize("groups", [[3], [2, 2, 0], [5, -1]])
def test_layout_refuses_groups_of_other_clouds(groups: list[int]) -> None:
    with pytest.raises(ValueError, match="groups: must be numbers of clouds, 4 in all, got"):
        layout(100, [60] * 4, groups=groups)


def test_layout_is_no_wider_than_its_cells() -> None:
    assert layout(100, [80, 80], columns=7).width == 200


def test_layout_refuses_no_columns() -> None:
    with pytest.raises(ValueError, match="columns: must be at least 1, got 0"):
        layout(100, [80, 80], columns=0)


def test_shorten_keeps_both_ends_within_the_room() -> None:
    assert shorten("short", len, 10) == "short"
    assert shorten("two\nlines", len, 20) == "two lines"
    for room in range(1, 12):
        short = shorten("airplane/0123", len, room)
        assert len(short) <= room and "…" in short
    assert shorten("abcdefgh", len, 4) == "ab…h"
