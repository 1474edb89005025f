"""From what a report holds to one HTML file."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pcgen.report import charts
from pcgen.report.content import Content, Model
from pcgen.report.encoding import encoded
from pcgen.report.inlining import drawing, render
from pcgen.view.files import target, write

__all__ = ["report_html", "write_page"]


def write_page(content: Content, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a page as one file, which needs no other and no network.

    Args:
        content: of the page.
        path: the .html to write; missing folders are made.
        overwrite: replace a page that exists.

    Raises:
        ValueError: the path does not end in .html.
        FileExistsError: the page exists and `overwrite` is false.
    """
    place = target(path, overwrite, ".html")
    write(place, report_html(content).encode())
    return place


def report_html(content: Content) -> str:
    """The page as text."""
    return render(
        "page.html",
        ["page.css"],
        ["page.js"],
        _clouds(content),
        title=content.title,
        content=content,
        curves={model.name: _curves(model) for model in content.models},
        novelty={model.name: _novelty(model) for model in content.models},
        plane=charts.plane([(mark.name, mark.x, mark.y, mark.family) for mark in content.marks], *content.axes),
    )


def _clouds(content: Content) -> dict[str, Any]:
    """What the page's program draws."""
    return {
        **drawing([gallery.points for gallery in content.galleries]),
        "train": None if content.train is None else encoded(content.train),
        "galleries": [
            {
                "name": gallery.name,
                "titles": list(gallery.titles),
                "numbers": {name: [round(float(v), 4) for v in values] for name, values in gallery.numbers.items()},
                "beside": [int(place) for place in gallery.beside],
                **encoded(gallery.points),
            }
            for gallery in content.galleries
        ],
    }


def _curves(model: Model) -> list[tuple[str, Markup]]:
    """A plot of the losses, one of the validation with the checkpoint that samples, one of the rates."""
    history = model.history
    if not history:
        return []
    losses = list(dict.fromkeys(name for row in history for name in row.get("losses", {})))
    rates = list(dict.fromkeys(name for row in history for name in row.get("rates", {})))

    def series(group: str, names: Sequence[str]) -> list[tuple[str, list[float], list[float]]]:
        found = []
        for name in names:
            rows = [row for row in history if row.get(group, {}).get(name) is not None]
            found.append((name, [row["step"] for row in rows], [float(row[group][name]) for row in rows]))
        return found

    known = [row for row in history if row.get("validation") is not None]
    held_out = [("validation", [row["step"] for row in known], [float(row["validation"]) for row in known])]
    plots = [
        ("losses", charts.lines(series("losses", losses), "step")),
        ("validation, and the checkpoint that is used", charts.lines(held_out, "step", model.best)),
        ("learning rates", charts.lines(series("rates", rates), "step", zero=True)),
    ]
    return [(title, plot) for title, plot in plots if plot]


def _novelty(model: Model) -> Markup:
    text = "distance to the nearest training cloud, divided by that of a copy"
    return charts.bars(model.novelty, text, [(1.0, "a copy")])
