"""What notebooks show of clouds, reports and pages, without a network.

Programs run in separate frames: several displays on one page share no names, and cannot access the notebook.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup, escape

from pcgen.report.encoding import encoded
from pcgen.report.inlining import drawing, fragment, render
from pcgen.view.inputs import Array

if TYPE_CHECKING:
    from pcgen.data import Clouds
    from pcgen.metrics.report import Report

__all__ = ["clouds_html", "framed", "metrics_html"]

_CLOUDS, _POINTS = 12, 512  # that are shown at most
_COLUMNS = 6
_WIDTH, _CELL = 920, 200  # pixels of all columns, and of one, at most
_TEXT = 90  # pixels above the clouds
_CAPTION = 30  # pixels beneath each


def clouds_html(clouds: "Clouds") -> str:
    """The first clouds of a set, turning, in a frame.

    At most 12 clouds are shown, with at most 512 points each. Clouds with NaN or infinite coordinates are left out, and
    named.
    """
    bad = (~clouds.points.detach().isfinite()).flatten(1).any(1).tolist()
    rows = [row for row, broken in enumerate(bad) if not broken][:_CLOUDS]
    notes = [
        f"Not shown, because they have NaN or infinity: {_few([clouds.names[r] for r, b in enumerate(bad) if b])}."
    ]
    notes = notes if any(bad) else []
    if not rows:
        return f"<p>{escape(repr(clouds))}</p>" + "".join(f"<p>{escape(note)}</p>" for note in notes)
    points = _thinned(clouds.points.detach()[rows].cpu().double().numpy())
    counts = (("clouds", len(rows), len(clouds)), ("points", points.shape[1], clouds.points.shape[1]))
    parts = [f"{some} of {every} {what}" for what, some, every in counts if some < every]
    notes += [f"Shown: {' and '.join(parts)}."] if parts else []
    columns = min(_COLUMNS, len(rows))
    titles = [clouds.names[row] for row in rows]
    data = {**drawing([points]), "columns": columns, "set": {"titles": titles, **encoded(points)}}
    page = render("notebook.html", ["notebook.css"], ["notebook.js"], data, title=repr(clouds), notes=notes)
    height = _TEXT + math.ceil(len(rows) / columns) * (min(_CELL, _WIDTH // columns) + _CAPTION)
    return framed(page, "point clouds", height)


def metrics_html(report: "Report") -> str:
    """The tables of a report, with its intervals."""
    from pcgen.report.measured import tables

    return fragment("report.html", tables=tables({report.rows[0].name: [report]}, str(report.protocol["name"])))


def framed(page: str, title: str, height: int) -> str:
    """A whole page as a part of another: a frame whose program runs apart from all others.

    Args:
        page: its HTML.
        title: what is in the frame, for those who hear it.
        height: of the frame, pixels.
    """
    return Markup(
        '<iframe title="{}" sandbox="allow-scripts" style="width: 100%; height: {}px; border: 0" srcdoc="{}"></iframe>'
    ).format(title, height, page)


def _thinned(points: Array) -> Array:
    """Clouds (S, N, 3) with some of their points."""
    if points.shape[1] > _POINTS:
        kept = np.random.default_rng(0).choice(points.shape[1], _POINTS, replace=False)
        points = points[:, np.sort(kept)]
    return points


def _few(names: list[str]) -> str:
    return ", ".join(names[:_COLUMNS]) + ("" if len(names) <= _COLUMNS else f" and {len(names) - _COLUMNS} more")
