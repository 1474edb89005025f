"""What notebooks show of clouds, reports and pages."""

import html
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import coloured, needs_browser, shot, shown
from reader import Reader, alone, embedded

from pcgen import metrics
from pcgen.data import Clouds
from pcgen.report import Atlas, Content, Model
from pcgen.report.atlas import CodeSet, Map
from pcgen.report.page import report_html

NAME = '</script><b>"x" & y'


def framed_page(shown: str) -> str:
    """The page in a frame, as the browser reads it."""
    (frame,) = [attributes for tag, attributes in Reader(shown).found if tag == "iframe"]
    assert frame["sandbox"] == "allow-scripts"
    return frame["srcdoc"] or ""


def clouds(count: int, points: int = 600) -> Clouds:
    return Clouds(torch.rand(count, points, 3) + 100 * torch.arange(count)[:, None, None], source=NAME)


def test_a_set_shows_its_first_clouds_thinned_and_says_so() -> None:
    given = clouds(15)
    page = framed_page(given._repr_html_())
    assert alone(page)
    words = [word for _, word in Reader(page).words]
    assert "Shown: 12 of 15 clouds and 512 of 600 points." in words and repr(given) in words
    data = embedded(page)
    assert data["set"]["titles"] == [str(row) for row in range(12)] and data["columns"] == 6
    assert (data["set"]["clouds"], data["set"]["points"]) == (12, 512)
    assert max(data["set"]["size"]) < 1.001  # though the clouds are far from each other
    small = framed_page(clouds(2, 40)._repr_html_())
    assert embedded(small)["set"]["points"] == 40 and not any("Shown" in word for _, word in Reader(small).words)


def test_names_with_markup_are_shown_as_they_are() -> None:
    page = framed_page(Clouds(torch.rand(2, 9, 3), names=(NAME, "b"), source=NAME)._repr_html_())
    assert [tag for tag, _ in Reader(page).found].count("script") == 2
    assert embedded(page)["set"]["titles"] == [NAME, "b"]
    assert any(NAME in word for tag, word in Reader(page).words if tag == "span")


def test_clouds_that_cannot_be_drawn_are_named() -> None:
    given = clouds(3, 40)
    given.points[1, 0, 0] = torch.nan
    page = framed_page(given._repr_html_())
    assert embedded(page)["set"]["titles"] == ["0", "2"]
    assert "Not shown, because they have NaN or infinity: 1." in [word for _, word in Reader(page).words]
    given.points[:] = torch.inf
    page = Reader(given._repr_html_())
    assert page.words == [("p", repr(given)), ("p", "Not shown, because they have NaN or infinity: 0, 1, 2.")]


def test_a_report_is_its_tables_with_intervals() -> None:
    points = torch.rand(60, 32, 3)
    report = metrics.evaluate(points[:20], points[20:40], points[40:], distances=("cd",))
    page = Reader(report._repr_html_())
    assert page.open == [] and not {"script", "iframe"} & {tag for tag, _ in page.found}
    words = [word for _, word in page.words]
    low, high = report.rows[0].intervals["one_nna_cd"]
    assert f"{100 * report.one_nna_cd:.1f}" in words and f"{100 * low:.1f} to {100 * high:.1f}" in words
    assert {"training set", "chance", *report.notes} <= set(words)
    assert any(report.protocol["hash"] in word for word in words)


def test_samples_that_repeat_the_reference_are_not_as_good_as_data() -> None:
    points = torch.rand(60, 32, 3)
    report = metrics.evaluate(points[20:40] + 1e-5, points[20:40], points[40:], distances=("cd",))
    assert report.one_nna_cd == 0
    cells = [found for tag, found in Reader(report._repr_html_()).found if tag == "td"]
    assert [found["class"] for found in cells if found.get("data-value") == "0.0" and "class" in found] == ["far"]


def test_pages_show_themselves_in_a_frame() -> None:
    content = Content(NAME, [("a", NAME)], [Model(NAME, ["Nothing."])])
    assert framed_page(content._repr_html_()) == report_html(content)
    rows = np.random.default_rng(0).normal(size=(2, 9, 3))
    atlas = Atlas(NAME, [], [], [Map("a", [])], [CodeSet("a", rows, ["b", "c"], [None] * 2, [rows[:, 0, :2]])])
    page = framed_page(atlas._repr_html_())
    assert alone(page) and (("title", NAME) in Reader(page).words)


def test_nothing_heavy_is_loaded_to_show_clouds() -> None:
    program = (
        "import sys, torch; from pcgen.data import Clouds; Clouds(torch.rand(1, 9, 3))._repr_html_(); "
        "heavy = {'matplotlib', 'open3d', 'ot', 'sklearn', 'scipy', 'torch_geometric', 'trimesh', 'pcgen.training'}; "
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@needs_browser
def test_displays_on_one_page_do_not_meet(tmp_path: Path) -> None:
    """Each draws its own clouds, and neither they nor the page say anything on the console."""
    both = [clouds(3, 200)._repr_html_(), clouds(3, 100)._repr_html_()]
    heights = [int(re.search(r"height: (\d+)px", each)[1]) for each in both]
    page = tmp_path / "notebook.html"
    page.write_text(f'<!doctype html><body style="margin: 0">{"".join(each for each in both)}')
    shown(page)
    for _ in range(3):  # on a busy machine a picture may be taken before a frame has drawn
        picture = shot(page, 900, sum(heights) + 20)
        if min(coloured(picture[: heights[0]]), coloured(picture[heights[0] + 10 :])) > 0:
            break
    for part in (picture[: heights[0]], picture[heights[0] + 10 :]):
        assert coloured(part) > 3 * 500


# For each canvas, what it is called and how many pixels along its edges are drawn.
_EDGES = """
<script>
window.addEventListener("load", () => setTimeout(() => {
  const found = [...document.querySelectorAll("canvas")].map((canvas) => {
    const side = canvas.width;
    const { data } = canvas.getContext("2d").getImageData(0, 0, side, side);
    const drawn = (x, y) => data[4 * (y * side + x) + 3] > 0;
    const all = [...Array(side).keys()];
    const edge = all.filter((i) => drawn(i, 0) || drawn(i, side - 1) || drawn(0, i) || drawn(side - 1, i));
    return [canvas.getAttribute("aria-label"), edge.length];
  });
  document.body.dataset.found = JSON.stringify(found);
}, 300));
</script>
"""


@needs_browser
def test_a_cloud_that_is_larger_than_the_others_fits_and_says_how_much_smaller_it_is_drawn(tmp_path: Path) -> None:
    points = torch.rand(1, 512, 3) * torch.tensor([1.0, 1.0, 1.1, 3.0, 20.0])[:, None, None]
    page = tmp_path / "clouds.html"
    page.write_text(framed_page(Clouds(points)._repr_html_()).replace("</body>", f"{_EDGES}</body>"))
    found = json.loads(html.unescape(re.search(r'<body data-found="(.*?)">', shown(page))[1]))
    # A cloud of the median radius fills three quarters of a cell; from 1.2 of it, clouds are shrunk.
    assert found == [["0", 0], ["1", 0], ["2", 0], ["3, drawn at 1 : 2.27", 0], ["4, drawn at 1 : 15.2", 0]]


@pytest.mark.parametrize("points", [1, 2])
def test_the_least_of_clouds_is_shown(points: int) -> None:
    assert embedded(framed_page(clouds(1, points)._repr_html_()))["set"]["points"] == points
