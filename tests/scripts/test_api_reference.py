"""The API's pages: signatures as they are written, docstrings as Markdown, every public name."""

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch

import pcgen

Script = Callable[[str], Any]


@dataclass
class Box:
    """A box."""

    side: float  # in metres
    name: str = "box"

    def volume(self, unit: float = 1.0) -> float:
        return unit * self.side**3


@torch.no_grad()
def mixed(a: int, *rest: str, b: "float" = 2.0, **more: object) -> None:
    """Of every kind."""


def apart(
    a: int = 1, *, b: tuple[int, ...] = (), a_name_that_is_long: str = "a text that is long too, for a page"
) -> str:
    return f"{a}{b}{a_name_that_is_long}"


def test_signatures_are_as_they_are_written(script: Script) -> None:
    signature = script("signatures").signature
    assert signature(mixed) == "mixed(a: int, *rest: str, b: 'float' = 2.0, **more: object) -> None"
    assert signature(apart).splitlines()[:4] == ["apart(", "    a: int = 1,", "    *,", "    b: tuple[int, ...] = (),"]
    assert signature(Box) == 'class Box:\n    side: float  # in metres\n    name: str = "box"'
    assert signature(Box.volume, bound=True) == "volume(unit: float = 1.0) -> float"
    assert "    path: Path\n" in signature(pcgen.training.Run)  # a field of the class that it inherits from


def test_docstrings_become_lists_with_the_rest_as_it_is(script: Script) -> None:
    docstring = """What it is, in <b> and `<b>`.

    x = y

Args:
    a, b: numbers that
        go on.
    **more: others.

Returns:
    (S,), a number.

And a remark.

References:
    One, Two (2001). A Title: that
    goes on.
"""
    assert script("docstrings").rendered(docstring).splitlines() == [
        "What it is, in \\<b> and `<b>`.",
        "",
        "    x = y",
        "",
        "**Args**",
        "",
        "- `a, b`: numbers that",
        "  go on.",
        "- `**more`: others.",
        "",
        "**Returns**",
        "",
        "(S,), a number.",
        "",
        "And a remark.",
        "",
        "**References**",
        "",
        "- One, Two (2001). A Title: that goes on.",
    ]


@pytest.mark.parametrize("package", ["data", "metrics", "models", "studies"])
def test_a_page_has_every_public_name_and_nothing_of_this_process(script: Script, package: str) -> None:
    text = script("api_reference").page(package)
    names = getattr(importlib.import_module(f"pcgen.{package}"), "__all__", ["quality", "benchmark", "answer"])
    assert set(names) <= set(re.findall(r"(?m)^### `(\w+)`$", text))
    assert not re.search(r"0x[0-9a-f]{6}", text) and str(script("figures").ROOT) not in text


def test_models_are_on_the_pages_of_their_families(script: Script) -> None:
    text = script("api_reference").page("models")
    assert "[`gan`](../models/adversarial.md#gan)" in text and "### `GAN`" not in text
    assert "sample(\n    n: int,\n" in text.partition("### `GenerativeModel`")[2]
