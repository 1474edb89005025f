"""The messages that docs/faults.md explains are those of the package, and none of its classes is left out."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "faults.md"
HOLE = "..."

if not PAGE.is_file():
    pytest.skip("no source tree with its pages", allow_module_level=True)


@cache
def trees() -> list[ast.Module]:
    return [ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "pcgen").rglob("*.py"))]


def texts() -> set[str]:
    """Every text of the package's code, with a hole for each value that is put into it."""
    found = set()
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                found.add("".join(str(part.value) if isinstance(part, ast.Constant) else HOLE for part in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def quoted() -> list[str]:
    """The messages at the beginning of each line of the lists, up to the colon before the explanation."""
    messages = []
    for item in re.findall(r"(?m)^- (.*)$", PAGE.read_text(encoding="utf-8")):
        # Code spans, with commas or colons between them, down to the first word that is none.
        head = re.match(r"(?:`[^`]+`(?:: |, )?)+", item)
        assert head, f"must begin with a message: {item}"
        messages += re.findall(r"`([^`]+)`", head[0])
    return messages


def exceptions() -> set[str]:
    """The names of the package's own classes of errors."""
    bases = re.compile(r"Error$|Exit$|Exception$|Warning$")
    return {
        node.name
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and any(bases.search(ast.unparse(base)) for base in node.bases)
    }


def test_every_message_is_one_that_the_package_writes() -> None:
    known, classes, messages = texts(), exceptions(), quoted()
    assert len(messages) > 80
    for message in messages:
        wanted = re.compile(
            ".*".join(map(re.escape, message.removeprefix(HOLE).removesuffix(HOLE).split(HOLE))), re.DOTALL
        )
        found = message in classes or any(wanted.search(text) for text in known)
        assert found, f"no text of the package is like {message!r}"


def test_every_class_of_errors_is_explained() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert exceptions() and all(f"`{name}`" in page or f".{name}`" in page for name in exceptions())
