"""The explorer page as a file: whole, alone, and true to what it was given."""

import base64
import html
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from browser import needs_browser, shown
from reader import Reader, alone, embedded

from pcgen.report import Atlas, write_explorer
from pcgen.report.atlas import CodeSet, Film, Map, Way, Ways

NAME = '</script><b>"x" & y'


def atlas() -> Atlas:
    generator = np.random.default_rng(0)
    sets = [
        CodeSet(
            name,
            generator.normal(size=(count, 20, 3)),
            [f"{NAME} {place}" for place in range(count)],
            labels,
            [generator.normal(size=(count, 2))],
        )
        for name, count, labels in (("train", 3, [0, 1, 0]), (NAME, 2, [None, None]))
    ]
    ways = Ways(
        [(0, 0), (1, 1)], generator.normal(size=(3, 20, 3)), [Way(0, 1, "linear", [0, 2, 1], np.zeros((3, 2)))], [NAME]
    )
    film = Film(generator.normal(size=(4, 2, 20, 3)), [NAME, "1", "2", "3"], [NAME])
    maps = [Map("principal axes", [NAME])]
    return Atlas(NAME, [("model", NAME)], [NAME, "b"], maps, sets, ways, film, [NAME])


def test_a_page_is_one_file_that_asks_for_nothing_else(tmp_path: Path) -> None:
    assert alone(write_explorer(atlas(), tmp_path / "page.html").read_text("utf-8"))


def test_names_with_markup_are_shown_as_they_are(tmp_path: Path) -> None:
    text = write_explorer(atlas(), tmp_path / "page.html").read_text("utf-8")
    page = Reader(text)
    for tag in ("title", "h1", "p"):
        assert (tag, NAME) in page.words, tag
    assert [tag for tag, _ in page.found].count("script") == 2
    assert [tag for tag, _ in page.found].count("b") == 1  # of the one fact
    data = embedded(text)
    assert data["classes"] == [NAME, "b"] and data["sets"][1]["name"] == NAME
    assert data["sets"][0]["titles"][2] == f"{NAME} 2" and data["maps"][0]["about"] == [NAME]


def test_what_the_page_draws_is_what_it_was_given(tmp_path: Path) -> None:
    given, data = atlas(), embedded(write_explorer(atlas(), tmp_path / "page.html").read_text("utf-8"))

    def decoded(found: dict) -> np.ndarray:
        values = np.frombuffer(base64.b64decode(found["data"]), "<u2").reshape(-1, found["points"], 3)
        return np.array(found["low"])[:, None] + values / 65535 * np.array(found["size"])[:, None, None]

    for made, own in zip(data["sets"], given.sets, strict=True):
        np.testing.assert_allclose(decoded(made), own.points, atol=max(made["size"]) / 65535)
        np.testing.assert_allclose(made["places"], own.places, rtol=1e-4)
        assert made["labels"] == own.labels
    np.testing.assert_allclose(decoded(data["ways"]), given.ways.points, atol=1e-4)
    assert data["ways"]["ends"] == [[0, 0], [1, 1]] and data["ways"]["ways"][0]["frames"] == [0, 2, 1]
    frames = decoded(data["film"]).reshape(4, data["film"]["many"], 20, 3)
    np.testing.assert_allclose(frames, given.film.points, atol=1e-4)


def test_what_is_not_there_leaves_no_section(tmp_path: Path) -> None:
    bare = Atlas("bare", [], [], atlas().maps, atlas().sets)
    page = Reader(write_explorer(bare, tmp_path / "page.html").read_text("utf-8"))
    assert [word for tag, word in page.words if tag == "h2"] == ["Map of codes"]
    assert not {"step", "film", "which"} & {attributes.get("id") for _, attributes in page.found}


def test_a_page_is_not_written_over_another(tmp_path: Path) -> None:
    write_explorer(atlas(), tmp_path / "page.html")
    with pytest.raises(FileExistsError, match=r"page\.html: exists already"):
        write_explorer(atlas(), tmp_path / "page.html")


# The colours of the list of sets and classes, and of the marks on the map.
_FILLS = """
<script>
window.addEventListener("load", () => setTimeout(() => {
  const fills = (name) => [...document.querySelectorAll(name)].map((each) => getComputedStyle(each).fill);
  document.body.dataset.found = JSON.stringify([fills("#legend path"), fills("#map path.mark")]);
}, 300));
</script>
"""


@needs_browser
def test_thirty_classes_have_thirty_colours_which_are_listed(tmp_path: Path) -> None:
    count = 30
    points, places = np.random.default_rng(0).normal(size=(count, 20, 3)), [np.arange(2.0 * count).reshape(count, 2)]
    every = CodeSet("all", points, [str(row) for row in range(count)], list(range(count)), places)
    page = write_explorer(
        replace(atlas(), classes=[f"class {label}" for label in range(count)], sets=[every], ways=None, film=None),
        tmp_path / "page.html",
    )
    page.write_text(page.read_text("utf-8").replace("</body>", f"{_FILLS}</body>"))
    legend, marks = json.loads(html.unescape(re.search(r'<body data-found="(.*?)">', shown(page))[1]))
    assert legend[1:] == marks and len(set(marks)) == count  # the first in the list is of the set
