"""Plots of numbers: losses against steps, and models in a plane of two metrics."""

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pcgen.view.colors import by_label
from pcgen.view.files import target, write
from pcgen.view.inputs import Array
from pcgen.view.labels import place

__all__ = ["curves", "scatter"]

_CROWD = 20  # points of a plot with more than these need more room


def curves(
    history: Sequence[Mapping[str, Any]],
    path: str | os.PathLike[str],
    *,
    title: str = "",
    chosen: bool = True,
    overwrite: bool = False,
) -> Path:
    """Plot every loss of a training against the step, and beside them the validation, if there is one.

    The best validation of the last phase is marked if its checkpoint is used. A vertical axis is logarithmic if all
    its values are positive and span more than a factor of 30. Values that are not finite leave a gap.

    Args:
        history: rows as `pcgen.training.Run.history` has them: {"step": 100, "losses": {"chamfer": 0.1},
            "validation": 0.2}, the last one optional.
        path: the .png to write; missing folders are made.
        title: written above the plot.
        chosen: whether the checkpoint with the best validation is used, not the last one.
        overwrite: replace a picture that exists.

    Raises:
        ValueError: the history has no rows or a row has no step, or the path does not end in .png.
        FileExistsError: the picture exists and `overwrite` is false.
    """
    from pcgen.training.history import best_row  # Imported only when a training is plotted.

    path = target(path, overwrite)
    if not history:
        raise ValueError("history: must have at least one row, got none; train first, or read another run")
    for i, row in enumerate(history):
        if "step" not in row:
            raise ValueError(f"history: every row must have a 'step', got {sorted(row)} in row {i}")
    losses, taken = _lines(history)
    panels = [(losses, next(iter(losses)) if len(losses) == 1 else "loss")] if losses else []
    panels += [({"validation": taken}, "validation")] if taken is not None else []
    figure, every = _figure(7.0 if len(panels) < 2 else 11.0, 4.0, max(1, len(panels)))
    hues = iter(range(len(losses) + 1))
    for axes, (lines, label) in zip(every, panels, strict=False):
        for name, (steps, values) in lines.items():
            dots: dict[str, Any] = {"marker": "o", "markersize": 3.5} if lines is not losses or len(steps) == 1 else {}
            axes.plot(steps, values, label=name, color=by_label(next(hues)), linewidth=1.6, **dots)
        if _wide(np.concatenate([values for _, values in lines.values()])):
            axes.set_yscale("log")
        axes.set_xlabel("step")
        axes.set_ylabel(label)
        if len(lines) > 1:
            axes.legend(frameon=False)
    best = best_row(history) if chosen else None
    if best is not None:
        every[-1].axvline(best["step"], color="#888888", linewidth=1.0, linestyle="--", zorder=1.5)
        every[-1].set_title(f"best {best['validation']:.4g} at step {best['step']:.0f}", fontsize=9)
    figure.suptitle(title)
    _save(figure, path)
    return path


def scatter(
    points: Mapping[str, tuple[float, float]],
    path: str | os.PathLike[str],
    *,
    labels: tuple[str, str] = ("fidelity", "coverage"),
    title: str = "",
    groups: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> Path:
    """Plot named models in the plane of two metrics, each name beside its point and clear of the others.

    An axis is logarithmic if all its values are positive and span more than a factor of 30.

    Args:
        points: (x, y) of every model by its name.
        path: the .png to write; missing folders are made.
        labels: what x and y are, with the unit and which end is better.
        title: written above the plot.
        groups: the family of a model by its name: one colour each, and a legend.
        overwrite: replace a picture that exists.

    Raises:
        ValueError: no points, a point that is not two finite numbers, or the path does not end in .png.
        FileExistsError: the picture exists and `overwrite` is false.
    """
    path = target(path, overwrite)
    if not points:
        raise ValueError("points: must have at least one model, got none")
    for name, pair in points.items():
        if len(pair) != 2 or not np.isfinite(pair).all():
            raise ValueError(f"points: must be two finite numbers for each model, got {tuple(pair)} for {name}")
    names = list(points)
    values = np.array([points[name] for name in names], dtype=np.float64)  # (M, 2)
    families = list(dict.fromkeys((groups or {}).get(name, "") for name in names))
    hues = [by_label(families.index((groups or {}).get(name, ""))) for name in names]
    room = 2.0 if len(names) > _CROWD else 0.0  # inches, for their names
    figure, (axes,) = _figure(7.0 + room + (1.8 if len(families) > 1 else 0.0), 5.2 + room)
    axes.scatter(values[:, 0], values[:, 1], s=46, c=hues, edgecolors="white", linewidths=0.8, zorder=3)
    axes.margins(0.12)
    if _wide(values[:, 0]):
        axes.set_xscale("log")
    if _wide(values[:, 1]):
        axes.set_yscale("log")
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.set_title(title)
    if len(families) > 1:
        for i, family in enumerate(families):
            axes.scatter([], [], s=46, color=[by_label(i)], label=family or "other")
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    _annotate(figure, axes, names, values)
    _save(figure, path)
    return path


def _wide(values: Array) -> bool:
    """Whether only a logarithmic axis shows the small values beside the large ones."""
    finite = values[np.isfinite(values)]
    return bool(len(finite) and finite.min() > 0 and finite.max() > 30 * finite.min())


_Line = tuple[Array, Array]  # steps and values


def _lines(history: Sequence[Mapping[str, Any]]) -> tuple[dict[str, _Line], _Line | None]:
    """Every loss, in the order they first occur, and the validation, if it was taken."""
    lines: dict[str, tuple[list[float], list[float]]] = {}
    taken: tuple[list[float], list[float]] = ([], [])
    for row in history:
        for name, value in row.get("losses", {}).items():
            steps, values = lines.setdefault(name, ([], []))
            steps.append(row["step"])
            values.append(float("nan") if value is None else value)
        if row.get("validation") is not None:
            taken[0].append(row["step"])
            taken[1].append(row["validation"])
    losses = {name: (np.asarray(steps, float), np.asarray(values, float)) for name, (steps, values) in lines.items()}
    return losses, (np.asarray(taken[0], float), np.asarray(taken[1], float)) if taken[0] else None


def _figure(width: float, height: float, panels: int = 1) -> tuple[Any, list[Any]]:
    """A figure in inches and its axes, side by side: light grid, no box; not by pyplot, which is the user's own."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=160, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    every = list(figure.subplots(1, panels, squeeze=False, sharex=panels > 1)[0])
    for axes in every:
        axes.grid(color="#e4e4e4", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color("#888888")
        axes.tick_params(color="#888888")
    return figure, every


def _save(figure: Any, path: Path) -> None:
    data = io.BytesIO()
    figure.savefig(data, format="png")
    write(path, data.getvalue())


def _annotate(figure: Any, axes: Any, names: list[str], values: Array) -> None:
    """Write the names where `place` finds room, a thin line to those that had to stand apart."""
    from matplotlib.patheffects import withStroke

    figure.draw_without_rendering()  # settles where the axes stand
    figure.set_layout_engine("none")
    renderer = figure.canvas.get_renderer()
    halo = [withStroke(linewidth=2.5, foreground="white")]
    texts = [axes.text(0, 0, name, fontsize=9, transform=None, zorder=4, path_effects=halo) for name in names]
    extents = [text.get_window_extent(renderer) for text in texts]
    sizes = np.array([(extent.width, extent.height) for extent in extents])
    anchors = axes.transData.transform(values)
    box = axes.get_window_extent(renderer)
    radius = 0.055 * figure.dpi  # of a dot, with a little air
    corners = place(anchors, sizes, (box.x0, box.y0, box.x1, box.y1), radius)
    for text, corner, size, anchor in zip(texts, corners, sizes, anchors, strict=True):
        text.set(position=corner, verticalalignment="bottom", horizontalalignment="left")
        near = np.clip(anchor, corner, corner + size)
        if np.linalg.norm(near - anchor) > 2 * radius:
            ends = axes.transData.inverted().transform([anchor, near])
            axes.plot(ends[:, 0], ends[:, 1], color="#999999", linewidth=0.7, zorder=2, scalex=False, scaley=False)
