"""From what an explorer page holds to one HTML file."""

import os
from pathlib import Path
from typing import Any

from pcgen.report.atlas import Atlas, CodeSet, Way
from pcgen.report.encoding import encoded
from pcgen.report.inlining import drawing, render
from pcgen.view.files import target, write
from pcgen.view.inputs import Array

__all__ = ["explorer_html", "write_explorer"]


def write_explorer(atlas: Atlas, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write an explorer page as one file, which needs no other and no network.

    Args:
        atlas: what it shows.
        path: the .html to write; missing folders are made.
        overwrite: replace a page that exists.

    Raises:
        ValueError: the path does not end in .html.
        FileExistsError: the page exists and `overwrite` is false.
    """
    place = target(path, overwrite, ".html")
    write(place, explorer_html(atlas).encode())
    return place


def explorer_html(atlas: Atlas) -> str:
    """The page as text."""
    programs = ["player.js", "map.js", "ways.js", "film.js"]
    return render("explorer.html", ["explorer.css"], programs, _clouds(atlas), title=atlas.title, atlas=atlas)


def _clouds(atlas: Atlas) -> dict[str, Any]:
    """What the page's programs draw."""
    ways, film = atlas.ways, atlas.film
    return {
        **drawing([each.points for each in atlas.sets]),
        "classes": list(atlas.classes),
        "maps": [{"name": each.name, "about": list(each.about)} for each in atlas.maps],
        "sets": [_set(each) for each in atlas.sets],
        "ways": None
        if ways is None
        else {
            "ends": [[number, place] for number, place in ways.ends],
            "ways": [_way(each) for each in ways.ways],
            **encoded(ways.points),
        },
        "film": None
        if film is None
        else {
            "many": film.points.shape[1],
            "captions": list(film.captions),
            **encoded(film.points.reshape(-1, *film.points.shape[2:])),
        },
    }


def _set(found: CodeSet) -> dict[str, Any]:
    return {
        "name": found.name,
        "titles": list(found.titles),
        "labels": list(found.labels),
        "places": [_places(each) for each in found.places],
        **encoded(found.points),
    }


def _way(found: Way) -> dict[str, Any]:
    return {
        "start": found.start,
        "end": found.end,
        "path": found.path,
        "frames": list(found.frames),
        "places": _places(found.places),
    }


def _places(places: Array) -> list[list[float]]:
    """Five digits are finer than a screen."""
    return [[float(f"{value:.5g}") for value in place] for place in places.tolist()]
