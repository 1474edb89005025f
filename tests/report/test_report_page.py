import base64
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reader import Reader, alone, embedded

from pcgen.report import Content, Gallery, Mark, Model, Table, write_page
from pcgen.report.content import Cell
from pcgen.report.encoding import encoded
from pcgen.report.inlining import palette
from pcgen.view.colors import by_height

NAME = '</script><b>"x" & y'


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
        marks=[Mark(NAME, 1.0, 2.0, NAME), Mark("training set", 2.0, 3.0)],
        notes=[NAME],
    )


def decoded(found: dict[str, Any]) -> np.ndarray:
    """The clouds of a set, as the page's program is given them."""
    values = np.frombuffer(base64.b64decode(found["data"]), "<u2").reshape(found["clouds"], found["points"], 3)
    return np.array(found["low"])[:, None] + values / 65535 * np.array(found["size"])[:, None, None]


def test_a_page_is_one_file_that_asks_for_nothing_else(tmp_path: Path) -> None:
    assert alone(write_page(content(), tmp_path / "page.html").read_text("utf-8"))


def test_names_with_markup_are_shown_as_they_are(tmp_path: Path) -> None:
    page = Reader(write_page(content(), tmp_path / "page.html").read_text("utf-8"))
    for tag in ("title", "h1", "dt", "th", "h2", "pre", "td"):
        assert (tag, NAME) in page.words, tag
    assert not any(tag == "b" and word == '"x" & y' for tag, word in page.words)
    assert [tag for tag, _ in page.found].count("script") == 2


def test_clouds_come_back_within_the_last_of_sixteen_bits(tmp_path: Path) -> None:
    data = embedded(write_page(content(), tmp_path / "page.html").read_text("utf-8"))
    (gallery,) = data["galleries"]
    off = np.abs(decoded(gallery) - content().galleries[0].points)
    assert (off.max((1, 2)) <= np.array(gallery["size"]) / 65535 / 2 * 1.001).all()
    assert (
        gallery["titles"][1] == NAME
        and gallery["numbers"] == {"novelty": [1.5, 2.0, 3.0]}
        and gallery["beside"] == [0] * 3
    )
    assert data["train"]["clouds"] == 1 and len(data["palette"]) == 64 and data["radius"] > 0


def test_a_cloud_that_blew_up_leaves_the_others_their_digits() -> None:
    given = np.random.default_rng(0).normal(size=(3, 20, 3))
    given[1] *= 1e4
    off = np.abs(decoded(encoded(given)) - given).max((1, 2))
    assert off[[0, 2]].max() < 1e-4 < off[1] < 1


def test_a_cloud_of_one_place_is_no_fault() -> None:
    made = encoded(np.ones((1, 4, 3)))
    assert made["size"] == [1.0] and made["low"] == [[1.0, 1.0, 1.0]]


def test_what_is_not_there_leaves_no_section(tmp_path: Path) -> None:
    bare = Content("bare", [], [Model("only", ["Nothing."])])
    page = Reader(write_page(bare, tmp_path / "page.html").read_text("utf-8"))
    assert [word for tag, word in page.words if tag == "h2"] == ["Summary", "only"]
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


def test_clouds_have_the_colours_of_pictures() -> None:
    heights = np.linspace([0, 0, 0], [0, 1, 0], 64)
    assert np.abs(np.array(palette()) - 255 * by_height(heights)).max() < 3
