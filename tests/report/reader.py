"""What tests of pages share: their elements and texts, and whether they stand alone."""

import json
import re
from html.parser import HTMLParser
from typing import Any


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


def alone(text: str) -> bool:
    """Whether a page is whole, and nothing in it asks for another file."""
    page = Reader(text)
    asks = any(
        tag in ("link", "img", "iframe", "object") or {"src", "href", "srcset", "data", "action"} & attributes.keys()
        for tag, attributes in page.found
    )
    outside = re.search(r"https?://(?!www\.w3\.org)|url\(|@import|fetch\(|XMLHttp|import\(", text)
    return page.open == [] and not asks and outside is None


def embedded(text: str) -> Any:
    """What the program of a page draws."""
    page = Reader(text)
    return json.loads(next(word for tag, word in page.words if tag == "script"))
