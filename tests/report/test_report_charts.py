import math
import re
import xml.etree.ElementTree as ET
from itertools import combinations

import pytest

from pcgen.report.charts import bars, lines, plane

SVG = "{http://www.w3.org/2000/svg}"


def drawn(text: str) -> ET.Element:
    """The plot as a tree: it must be well formed."""
    return ET.fromstring(str(text).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def paths(tree: ET.Element, kind: str) -> list[str]:
    return [each.get("d", "") for each in tree.iter(f"{SVG}path") if kind in (each.get("class") or "").split()]


def places(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([-\d.]+) ([-\d.]+)", path)]


def test_a_line_falls_where_its_values_fall_and_breaks_where_they_are_not_finite() -> None:
    tree = drawn(lines([("loss", [0, 10, 20, 30], [4.0, 2.0, math.nan, 1.0])], "step", best=20))
    (path,) = paths(tree, "line")
    assert path.count("M") == 2 and path.count("L") == 1
    (x0, y0), (x1, y1), (x2, y2) = places(path)
    assert x0 < x1 < x2 and y0 < y1 < y2
    assert x1 - x0 == pytest.approx((x2 - x0) / 3, abs=0.1) and y1 - y0 == pytest.approx(2 * (y2 - y1), abs=0.2)
    (best,) = paths(tree, "best")
    assert float(re.match(r"M([\d.]+)", best)[1]) == pytest.approx(x0 + 2 * (x1 - x0), abs=0.2)


def test_steps_are_even_however_far_they_reach() -> None:
    (path,) = paths(drawn(lines([("loss", [1, 501, 1001], [3.0, 2.0, 1.0])], "step", zero=True)), "line")
    (x0, y0), (x1, y1), (x2, y2) = places(path)
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2) and x2 > 400
    assert 200 - y2 == pytest.approx(y2 - y1, abs=0.2)  # down to 0 at the bottom
    assert y2 - y1 == pytest.approx(y1 - y0, abs=0.2)


def test_an_axis_is_logarithmic_where_values_span_a_lot() -> None:
    (path,) = paths(drawn(lines([("loss", [0, 1, 2], [1.0, 10.0, 100.0])], "step")), "line")
    (_, y0), (_, y1), (_, y2) = places(path)
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.1)


def test_names_are_text_and_not_markup() -> None:
    name = '<script>"&'
    for plot in (
        lines([(name, [0, 1], [1.0, 2.0]), ("b", [0], [1.0])], name),
        plane([(name, 1.0, 2.0, name)], "x", "y"),
    ):
        assert "<script" not in plot
        assert any(name in (each.text or "") for each in drawn(plot).iter())


def test_names_in_a_plane_cover_neither_each_other_nor_a_mark() -> None:
    crowd = [(f"model {i}", 1.0 + 0.1 * (i % 5), 50.0 + 2 * (i // 5), "abc"[i % 3]) for i in range(20)]
    tree = drawn(plane([*crowd, ("far", 2.0, 80.0, None)], "x", "y"))
    words = [each for each in tree.iter(f"{SVG}text") if (each.text or "").startswith(("model", "far"))]
    names = [(float(each.get("x", "")), float(each.get("y", "")), 6.6 * len(each.text or "")) for each in words]
    marks = [(float(each.get("cx", "")), float(each.get("cy", ""))) for each in tree.iter(f"{SVG}circle")][:21]
    assert len(names) == 21
    for (left, line, width), (start, other, size) in combinations(names, 2):
        assert abs(line - other) >= 11 - 0.2 or left + width <= start + 0.2 or start + size <= left + 0.2
    for left, line, width in names:
        assert not any(left < across < left + width and line - 9 < down < line + 2 for across, down in marks)


def test_marks_of_a_group_have_one_colour_which_is_listed() -> None:
    points = [("a", 1.0, 2.0, "odd"), ("b", 2.0, 1.0, "even"), ("c", 3.0, 3.0, "odd"), ("data", 0.0, 0.0, None)]
    tree = drawn(plane(points, "x", "y"))
    kinds = [each.get("class") for each in tree.iter(f"{SVG}circle")]
    assert kinds == ["s0", "s1", "s0", "oracle", "s0", "s1"]  # the marks, and the list
    assert {"odd", "even"} <= {each.text for each in tree.iter(f"{SVG}text")}
    crowd = drawn(plane([(str(i), float(i), float(i), str(i)) for i in range(12)], "x", "y"))
    assert len({each.get("class") for each in crowd.iter(f"{SVG}circle")}) == 12
    alone = drawn(plane([(name, x, y, name) for name, x, y, _ in points[:3]], "x", "y"))
    assert len(list(alone.iter(f"{SVG}circle"))) == 3  # names stand beside them already


def test_bars_count_every_value_and_tell_how_many_lie_beyond() -> None:
    values = [1.0] * 30 + [2.0] * 10 + [1000.0]
    text = bars(values, "novelty", [(1.0, "a copy")])
    tree = drawn(text)
    heights = [float(each.get("height")) for each in tree.iter(f"{SVG}rect")]
    whole = sum(heights)
    assert max(heights) / whole == pytest.approx(30 / 40, abs=0.01) and "(1 beyond)" in text and "a copy" in text


def test_nothing_is_drawn_of_nothing() -> None:
    assert lines([], "step") == lines([("a", [], [])], "step") == plane([], "x", "y") == bars([math.nan], "x") == ""
