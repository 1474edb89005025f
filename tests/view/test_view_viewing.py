"""What keys do, without a window."""

import pytest

from pcgen.view.paging import pages_of
from pcgen.view.viewing import KEYS, LEGEND, Change, Viewing


def viewing(pages: int = 3) -> Viewing:
    return Viewing(pages, ("height", "label", "order"))


def test_leafing_goes_round_and_shows_the_page_as_at_first() -> None:
    shown = viewing()
    found = []
    for action in ("next", "next", "next", "previous", "previous"):
        assert shown.press(action) is Change.VIEW
        found.append(shown.page)
    assert found == [1, 2, 0, 2, 1]
    assert shown.line == "page 2 of 3  ·  h: keys"


def test_one_page_says_that_it_is_the_only_one() -> None:
    shown = viewing(1)
    assert shown.line == "h: keys"
    assert shown.press("next") is Change.SCENE
    assert (shown.page, shown.line) == (0, "there is one page  ·  h: keys")
    shown.press("larger")
    assert shown.line == "h: keys"  # what was said is of the last key alone


def test_colours_come_one_after_another_and_are_named() -> None:
    shown = viewing()
    assert shown.color == "height"
    found = [(shown.press("colours"), shown.color)[1] for _ in range(4)]
    assert found == ["label", "order", "height", "label"]
    assert "coloured by label" in shown.line


def test_points_grow_and_shrink_within_limits_and_back_to_where_they_were() -> None:
    shown = viewing()
    for action in ("larger", "larger", "smaller", "smaller"):
        assert shown.press(action) is Change.SCENE
    assert shown.size == pytest.approx(1)
    for _ in range(40):
        shown.press("larger")
    assert shown.size == 5
    for _ in range(40):
        shown.press("smaller")
    assert shown.size == 0.2


def test_clouds_turn_while_they_are_told_to_and_stay_where_they_were_left() -> None:
    shown = viewing()
    shown.pass_time(1.0)
    assert shown.angle == 0
    shown.press("turn")
    shown.pass_time(3.0)
    assert shown.angle == pytest.approx(90)
    shown.pass_time(12.0)
    assert shown.angle == pytest.approx(90)  # once round
    shown.press("turn")
    shown.pass_time(5.0)
    assert shown.angle == pytest.approx(90)
    assert shown.press("reset") is Change.VIEW and shown.angle == 0


def test_the_list_of_keys_comes_and_goes() -> None:
    shown = viewing()
    assert shown.press("keys") is Change.SCENE and shown.listed
    shown.press("keys")
    assert not shown.listed


def test_saving_and_closing_are_left_to_the_window() -> None:
    assert viewing().press("save") is Change.SAVE and viewing().press("close") is Change.CLOSE


def test_every_key_that_does_something_is_in_the_list() -> None:
    words = " ".join(keys for keys, _ in LEGEND).lower().replace(",", " ").split()
    for code, action in KEYS.items():
        if ord("A") <= code <= ord("Z"):
            assert chr(code).lower() in words, action
    for action in set(KEYS.values()):
        assert isinstance(viewing().press(action), Change)
    with pytest.raises(ValueError, match=r"action: must be one of .*; got 'trun'; did you mean 'turn'"):
        viewing().press("trun")


def test_pages_hold_each_cloud_once() -> None:
    groups = [5, 1, 8]
    found = pages_of(groups, 3)
    assert [there for _, there in found] == [[0, 1, 2], [0, 2], [2]]
    assert [[len(places) for places in page] for page, _ in found] == [[3, 1, 3], [2, 3], [2]]
    assert sorted(place for page, _ in found for places in page for place in places) == list(range(14))
