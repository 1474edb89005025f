import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from pcgen.report import Content, Gallery, Mark, Model, Table, write_page
from pcgen.report.content import Cell
from pcgen.report.encoding import encoded

NAME = '</script><b>"x" & y'


class Reader(HTMLParser):
    """The elements of a page, and the text of each kind."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "input", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"{tag} closes nothing"

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open:
            self.words.append((self.open[-1], data.strip()))


def content(clouds: int = 3, points: int = 20) -> Content:
    generator = np.random.default_rng(0)
    history = [
        {"step": step, "losses": {"mse": 1 / step}, "rates": {"optimizer": 0.1}, "validation": 1.0} for step in (1, 2)
    ]
    gallery = Gallery(
        NAME,
        generator.normal(size=(clouds, points, 3)),
        ["a", NAME, "c"][:clouds],
        {"novelty": [1.5, 2, 3][:clouds]},
        [0] * clouds,
    )
    cells = [Cell("0.5", 0.5, "0.4 to 0.6", "good"), Cell("")]
    return Content(
        title=NAME,
        facts=[("pcgen", "0")],
        models=[
            Model(NAME, ["As good as data."], [("a", NAME)], history, 1, [1.0, 2.0], {"lr": NAME}, [NAME]),
            Model("gone", failure=NAME),
        ],
        tables=[
            Table("Metrics", [("", ""), ("JSD", NAME), ("MMD", "")], [(NAME, cells)], [("training set", cells)], [NAME])
        ],
        galleries=[gallery],
        train=generator.normal(size=(1, points, 3)),
        marks=[Mark(NAME, 1.0, 2.0), Mark("training set", 2.0, 3.0, True)],
        notes=[NAME],
    )


def test_a_page_is_one_file_that_asks_for_nothing_else(tmp_path: Path) -> None:
    text = write_page(content(), tmp_path / "page.html").read_text("utf-8")
    page = Reader(text)
    assert page.open == []
    for tag, attributes in page.found:
        assert tag not in ("link", "img", "iframe", "object")
        assert not {"src", "href", "srcset", "data", "action"} & attributes.keys()
    assert not re.search(r"https?://(?!www\.w3\.org)|url\(|@import|fetch\(|XMLHttp|import\(", text)


def test_names_with_markup_are_shown_as_they_are(tmp_path: Path) -> None:
    page = Reader(write_page(content(), tmp_path / "page.html").read_text("utf-8"))
    for tag in ("title", "h1", "dt", "th", "h2", "pre", "td"):
        assert (tag, NAME) in page.words, tag
    assert not any(tag == "b" and word == '"x" & y' for tag, word in page.words)
    assert [tag for tag, _ in page.found].count("script") == 2


def test_clouds_come_back_within_the_last_of_sixteen_bits(tmp_path: Path) -> None:
    page = Reader(write_page(content(), tmp_path / "page.html").read_text("utf-8"))
    data = json.loads(next(word for tag, word in page.words if tag == "script"))
    (gallery,) = data["galleries"]
    import base64

    values = np.frombuffer(base64.b64decode(gallery["data"]), "<u2").reshape(3, 20, 3)
    given = content().galleries[0].points
    back = np.array(gallery["low"]) + values / 65535 * gallery["size"]
    assert np.abs(back - given).max() <= gallery["size"] / 65535 / 2 * 1.001
    assert (
        gallery["titles"][1] == NAME
        and gallery["numbers"] == {"novelty": [1.5, 2.0, 3.0]}
        and gallery["beside"] == [0] * 3
    )
    assert data["train"]["clouds"] == 1 and len(data["palette"]) == 64 and data["radius"] > 0


def test_a_cloud_of_one_place_is_no_fault() -> None:
    made = encoded(np.ones((1, 4, 3)))
    assert made["size"] == 1.0 and made["low"] == [1.0, 1.0, 1.0]


def test_what_is_not_there_leaves_no_section(tmp_path: Path) -> None:
    bare = Content("bare", [], [Model("only", ["Nothing."])])
    page = Reader(write_page(bare, tmp_path / "page.html").read_text("utf-8"))
    assert [word for tag, word in page.words if tag == "h2"] == ["In short", "only"]
    assert not any(attributes.get("id") == "galleries" for _, attributes in page.found)


def test_numbers_that_json_has_no_word_for_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    broken = replace(content(), galleries=[replace(content().galleries[0], numbers={"novelty": [math.nan] * 3})])
    with pytest.raises(ValueError, match="JSON"):
        write_page(broken, tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_a_page_is_not_written_over_another(tmp_path: Path) -> None:
    write_page(content(), tmp_path / "page.html")
    with pytest.raises(FileExistsError, match=r"page\.html: exists already"):
        write_page(content(), tmp_path / "page.html")
    write_page(content(), tmp_path / "page.html", overwrite=True)
    with pytest.raises(ValueError, match=r"path: must end in \.html, got .*page\.png"):
        write_page(content(), tmp_path / "page.png")
