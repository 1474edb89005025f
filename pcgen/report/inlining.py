"""One HTML file of a template, styles, programs and data: nothing in it asks for another file."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from pcgen.view.inputs import Array

if TYPE_CHECKING:
    import jinja2

__all__ = ["drawing", "fragment", "palette", "render"]

_SHADES = 64  # colours from the lowest point of a cloud to its highest
# Viridis as pcgen's pictures have it, without its darkest and its palest end, at equal distances. Written out, since
# what a notebook shows must not wait for matplotlib.
_COLOURS = (
    *("481d6f", "472e7c", "423f85", "3d4e8a", "365d8d", "306a8e", "2a778e", "25838e", "21918c"),
    *("1e9d89", "23a983", "32b67a", "48c16e", "65cb5e", "84d44b", "a8db34", "cae11f"),
)


def render(template: str, styles: Sequence[str], programs: Sequence[str], data: Mapping[str, Any], **words: Any) -> str:
    """A page as text.

    Args:
        template: its name; it extends common.html.
        styles: names of style sheets, beside common.css.
        programs: names of the page's programs, in the order in which they run; clouds.js runs first.
        data: what the programs read, as JSON values.
        **words: what the template shows, escaped where it is text; title among them.

    Raises:
        ValueError: a number in the data is not finite.
    """
    return (
        _environment()
        .get_template(template)
        .render(
            style=_joined(["common.css", *styles]), program=_joined(["clouds.js", *programs]), data=_json(data), **words
        )
    )


def fragment(template: str, **words: Any) -> str:
    """A part of a page, without style, program or data."""
    return _environment().get_template(template).render(**words)


def drawing(sets: Sequence[Array]) -> dict[str, Any]:
    """What the program that draws clouds needs to know: its colours, and the typical radius of the sets' clouds.

    Args:
        sets: (S, N, 3) each.
    """
    radii = [_radii(points) for points in sets]
    return {"palette": palette(), "radius": (float(np.median(np.concatenate(radii))) if radii else 0.0) or 1.0}


def _radii(points: Array) -> Array:
    """Of each cloud, the distance of the farthest point from the middle of its box: (S,)."""
    middles = (points.min(1, keepdims=True) + points.max(1, keepdims=True)) / 2
    found: Array = np.linalg.norm(points - middles, axis=2).max(1)
    return found


def palette() -> list[list[int]]:
    """The colours of points from the lowest to the highest, red, green and blue of 255."""
    known = np.array([[int(each[i : i + 2], 16) for i in (0, 2, 4)] for each in _COLOURS])
    at, where = np.linspace(0, 1, _SHADES), np.linspace(0, 1, len(known))
    found: list[list[int]] = (
        np.stack([np.interp(at, where, known[:, k]) for k in range(3)], 1).round().astype(int).tolist()
    )
    return found


def _environment() -> "jinja2.Environment":
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_text),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def _text(name: str) -> str:
    return (files("pcgen.report") / name).read_text("utf-8")


def _joined(names: Sequence[str]) -> Markup:
    return Markup("\n".join(_text(name) for name in names))


def _json(value: Any) -> Markup:
    """JSON that no reader of HTML takes for the end of its element."""
    return Markup(json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"))
