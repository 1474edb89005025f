"""Plots as SVG text, in the page's own colours: lines, marks in a plane, bars.

A page shows tens of them, in light and dark and on paper; a picture of matplotlib has one look, and is larger.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from markupsafe import Markup, escape

from pcgen.view.labels import place

__all__ = ["bars", "lines", "plane"]

_WIDTH, _HEIGHT = 460, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 12, 40
_WIDE = 30.0  # largest over smallest value from which an axis is logarithmic
_BARS = 24
_LETTER, _LINE = 6.6, 11.0  # width of a letter, on average, and height of a name
_PLANE, _CROWDED = (720, 380), (1120, 560)  # width and height of a plane, and of one of more marks than
_FEW, _DOT = 12, 5.0  # so many; and radius of a mark, with a little air
_KEY = 110  # width of the list of groups
_HUES = 30  # of common.css
_MOST = 400  # points of a line that are drawn: more cannot be told apart


class _Axis:
    """From values to pixels along one axis, with its ticks."""

    def __init__(
        self, values: Iterable[float], start: float, end: float, zero: bool = False, even: bool = False
    ) -> None:
        found = np.array([value for value in values if math.isfinite(value)])
        low, high = (float(found.min()), float(found.max())) if len(found) else (0.0, 1.0)
        self.log = not (zero or even) and low > 0 and high / low > _WIDE
        low = min(low, 0.0) if zero else low
        if self.log:
            low, high = math.log10(low), math.log10(high)
        margin = 0.04 * (high - low) or 0.5 * abs(high) or 1.0
        self.low = low if zero and low == 0 else low - margin
        self.high, self.start, self.end = high + margin, start, end

    def __call__(self, value: float) -> float:
        value = math.log10(value) if self.log else value
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Values and what is written at them: about five."""
        if self.log:
            steps = (1, 2, 5) if self.high - self.low < 2 else (1,)
            whole = range(math.floor(self.low), math.ceil(self.high) + 1)
            values = [step * 10.0**power for power in whole for step in steps]
            return [(v, f"{v:g}") for v in values if self.low <= math.log10(v) <= self.high]
        raw = (self.high - self.low) / 5
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
        first = math.ceil(self.low / step)
        values = [number * step for number in range(first, math.floor(self.high / step) + 1)]
        return [(value, f"{value:.10g}") for value in values]


def lines(
    series: Sequence[tuple[str, Sequence[float], Sequence[float]]],
    x: str,
    best: float | None = None,
    zero: bool = False,
) -> Markup:
    """Values against steps, a colour each with its name in a legend.

    Args:
        series: name, steps and values; values that are not finite leave a gap.
        x: what the steps are.
        best: a step to mark by an upright line.
        zero: whether the values' axis begins at 0; else it may be logarithmic.
    """
    if not any(len(steps) for _, steps, _ in series):
        return Markup("")
    taken = [step for _, steps, _ in series for step in steps]
    along = _Axis([0.0, 2 * taken[0]] if len(set(taken)) == 1 else taken, _LEFT, _WIDTH - _RIGHT, even=True)
    up = _Axis((value for _, _, values in series for value in values), _HEIGHT - _BOTTOM, _TOP, zero)
    parts = [_frame(along, up, x, "")]
    if best is not None:
        parts.append(f'<path class="best" d="M{along(best):.1f} {_TOP}V{_HEIGHT - _BOTTOM}"/>')
    for number, (name, steps, values) in enumerate(series):
        every = max(1, len(steps) // _MOST)
        drawn, pen = [], "M"
        for step, value in list(zip(steps, values, strict=True))[::every]:
            if not math.isfinite(value) or (up.log and value <= 0):
                pen = "M"
                continue
            drawn.append(f"{pen}{along(step):.1f} {up(value):.1f}")
            pen = "L"
        if len(drawn) == 1:
            drawn.append("h0.1")
        parts.append(f'<path class="line s{number % _HUES}" d="{"".join(drawn)}"><title>{escape(name)}</title></path>')
    parts.append(_legend([name for name, _, _ in series]))
    return _svg(parts, ", ".join(name for name, _, _ in series))


def plane(points: Sequence[tuple[str, float, float, str | None]], x: str, y: str) -> Markup:
    """Names in the plane of two numbers: (name, x, y, group), of which each has a colour.

    What the others are compared with has no group. Groups are listed if they have several marks.
    """
    points = [each for each in points if math.isfinite(each[1]) and math.isfinite(each[2])]
    if not points:
        return Markup("")
    width, height = _CROWDED if len(points) > _FEW else _PLANE
    groups = list(dict.fromkeys(group for *_, group in points if group is not None))
    listed = groups if 1 < len(groups) < sum(group is not None for *_, group in points) else []
    right = width - _RIGHT - (_KEY if listed else 0)
    along = _Axis((each[1] for each in points), _LEFT, right)
    up = _Axis((each[2] for each in points), height - _BOTTOM, _TOP)
    parts = [_frame(along, up, x, y)]
    anchors = np.array([(along(a), -up(b)) for _, a, b, _ in points])  # upwards, as `place` has it
    sizes = np.array([(_LETTER * len(name), _LINE) for name, *_ in points])
    corners = place(anchors, sizes, (_LEFT, _BOTTOM - height, right, -_TOP), _DOT)
    for anchor, corner, size in zip(anchors, corners, sizes, strict=True):
        near = np.clip(anchor, corner, corner + size)
        if np.linalg.norm(near - anchor) > 2 * _DOT:
            parts.append(f'<path class="lead" d="M{anchor[0]:.1f} {-anchor[1]:.1f}L{near[0]:.1f} {-near[1]:.1f}"/>')
    for (name, *_, group), anchor, corner in zip(points, anchors, corners, strict=True):
        kind = "oracle" if group is None else f"s{groups.index(group) % _HUES}"
        parts.append(f'<circle class="{kind}" cx="{anchor[0]:.1f}" cy="{-anchor[1]:.1f}" r="4"/>')
        parts.append(f'<text x="{corner[0]:.1f}" y="{-corner[1] - 2:.1f}">{escape(name)}</text>')
    for line, group in enumerate(listed):
        level = _TOP + 10 + 16 * line
        parts.append(f'<circle class="s{line % _HUES}" cx="{right + 18}" cy="{level}" r="4"/>')
        parts.append(f'<text x="{right + 27}" y="{level + 4}">{escape(group)}</text>')
    return _svg(parts, f"{x} against {y}", width, height)


def bars(values: Sequence[float], x: str, marks: Sequence[tuple[float, str]] = ()) -> Markup:
    """How often values fall into each of some intervals, with upright lines at marked values."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return Markup("")
    edge = (
        float(np.quantile(finite, 0.98, method="lower")) if len(finite) > 20 else max(finite)
    )  # a far one would leave one bar
    inside = [value for value in finite if value <= edge]
    beyond = len(finite) - len(inside)
    along = _Axis([0.0, edge, *(value for value, _ in marks)], _LEFT, _WIDTH - _RIGHT, zero=True)
    counts, edges = np.histogram(inside, bins=_BARS, range=(0.0, max(edge, 1e-12)))
    up = _Axis([0.0, float(counts.max())], _HEIGHT - _BOTTOM, _TOP, zero=True)
    parts = [_frame(along, up, x + (f" ({beyond} beyond)" if beyond else ""), "samples")]
    for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
        left, top = along(float(low)), up(float(count))
        size = f'width="{along(float(high)) - left - 1:.1f}" height="{_HEIGHT - _BOTTOM - top:.1f}"'
        parts.append(f'<rect class="s0" x="{left:.1f}" y="{top:.1f}" {size}/>')
    for value, text in marks:
        parts.append(f'<path class="best" d="M{along(value):.1f} {_TOP}V{_HEIGHT - _BOTTOM}"/>')
        parts.append(f'<text x="{along(value) + 4:.1f}" y="{_TOP + 10}">{escape(text)}</text>')
    return _svg(parts, x)


def _frame(along: _Axis, up: _Axis, x: str, y: str) -> str:
    bottom, top, right = up.start, up.end, along.end
    parts = [f'<path class="axis" d="M{_LEFT} {top}V{bottom}H{right}"/>']
    for value, text in along.ticks():
        parts.append(f'<text class="tick" text-anchor="middle" x="{along(value):.1f}" y="{bottom + 14}">{text}</text>')
    for value, text in up.ticks():
        parts.append(f'<path class="grid" d="M{_LEFT} {up(value):.1f}H{right}"/>')
        parts.append(f'<text class="tick" text-anchor="end" x="{_LEFT - 6}" y="{up(value) + 4:.1f}">{text}</text>')
    parts.append(f'<text text-anchor="middle" x="{(_LEFT + right) / 2}" y="{bottom + _BOTTOM - 8}">{escape(x)}</text>')
    if y:
        middle = (top + bottom) / 2
        parts.append(f'<text text-anchor="middle" transform="translate(13 {middle}) rotate(-90)">{escape(y)}</text>')
    return "".join(parts)


def _legend(names: Sequence[str]) -> str:
    parts = []
    for number, name in enumerate(names if len(names) > 1 else []):
        height = _TOP + 8 + 14 * number
        left = _WIDTH - _RIGHT - 8
        parts.append(f'<path class="line s{number % _HUES}" d="M{left - 14} {height}h14"/>')
        parts.append(f'<text text-anchor="end" x="{left - 19}" y="{height + 4}">{escape(name)}</text>')
    return "".join(parts)


def _svg(parts: Sequence[str], label: str, width: int = _WIDTH, height: int = _HEIGHT) -> Markup:
    head = f'<svg width="{width}" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">'
    return Markup("".join([head, *parts, "</svg>"]))
