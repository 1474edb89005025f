"""Docstrings as Markdown: the sections become lists, all else stays as it is."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

from families import parts

__all__ = ["first_sentence", "rendered"]

_SECTION = re.compile(r"(Args|Attributes|Logged|Raises|Returns|Yields|References):")
_ENTRY = re.compile(r" {4}(\S[^:]*): (.*)")  # name: what it is
_PROSE = ("Returns", "Yields")


def first_sentence(value: Any) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join((inspect.getdoc(value) or "").partition("\n\n")[0].split())


def rendered(docstring: str) -> str:
    """The docstring, as `inspect.getdoc` gives it, in Markdown."""
    text = docstring.partition("\nReferences:\n")[0].rstrip("\n")
    papers = [f"- {paper}" for paper in parts(docstring)[1]]
    return "\n".join([*_lines(text), *(["", "**References**", ""] if papers else []), *papers]).strip("\n")


def _lines(text: str) -> Iterator[str]:
    section = ""
    for line in text.split("\n"):
        head = _SECTION.fullmatch(line)
        if head:
            section = head[1]
            yield from (f"**{section}**", "")
        elif line and not line.startswith(" "):
            section = ""
            yield _escaped(line)
        elif section and line:
            yield _escaped(_item(line, section))
        else:
            yield line if section == "" else ""


def _item(line: str, section: str) -> str:
    """A line of a section: the beginning of an entry, or what goes on with it."""
    entry = _ENTRY.fullmatch(line)
    if section in _PROSE:
        return line.strip()
    return f"- `{entry[1]}`: {entry[2]}" if entry else f"  {line.strip()}"


def _escaped(line: str) -> str:
    """Without what Markdown would take for HTML, outside of code."""
    pieces = line.split("`")
    return "`".join(re.sub(r"<(?=[A-Za-z/!])", r"\\<", piece) if not i % 2 else piece for i, piece in enumerate(pieces))
