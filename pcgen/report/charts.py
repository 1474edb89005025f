"""Plots as SVG text, in the page's own colours: lines, marks in a plane, bars.

A page shows tens of them, in light and dark and on paper; a picture of matplotlib has one look, and is larger.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from markupsafe import Markup, escape

__all__ = ["bars", "lines", "plane"]

_WIDTH, _HEIGHT = 460, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 12, 40
_WIDE = 30.0  # largest over smallest value from which an axis is logarithmic
_BARS = 24
_LETTER = 6.6  # width of a letter, on average
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
        values = [place * step for place in range(first, math.floor(self.high / step) + 1)]
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
    for place, (name, steps, values) in enumerate(series):
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
        parts.append(f'<path class="line s{place % 10}" d="{"".join(drawn)}"><title>{escape(name)}</title></path>')
    parts.append(_legend([name for name, _, _ in series]))
    return _svg(parts, ", ".join(name for name, _, _ in series))


def plane(points: Sequence[tuple[str, float, float, bool]], x: str, y: str) -> Markup:
    """Names in the plane of two numbers: (name, x, y, whether it is what the others are compared with)."""
    points = [each for each in points if math.isfinite(each[1]) and math.isfinite(each[2])]
    if not points:
        return Markup("")
    along = _Axis((each[1] for each in points), _LEFT, _WIDTH - _RIGHT)
    up = _Axis((each[2] for each in points), _HEIGHT - _BOTTOM, _TOP)
    parts = [_frame(along, up, x, y)]
    taken: list[tuple[float, float, float]] = []  # left, right, height of the names so far
    for place, (name, a, b, oracle) in enumerate(sorted(points, key=lambda each: -each[2])):
        left, top = along(a), up(b)
        width = _LETTER * len(name)
        start = left + 7 if left + 7 + width < _WIDTH else left - 7 - width
        height = top + 4
        while any(
            abs(height - other) < 11 and start < right and begin < start + width for begin, right, other in taken
        ):
            height += 11
        taken.append((start, start + width, height))
        kind = "oracle" if oracle else f"s{place % 10}"
        parts.append(f'<circle class="{kind}" cx="{left:.1f}" cy="{top:.1f}" r="4"/>')
        parts.append(f'<text x="{start:.1f}" y="{height:.1f}">{escape(name)}</text>')
    return _svg(parts, f"{x} against {y}")


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
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = [f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>']
    for value, text in along.ticks():
        parts.append(f'<text class="tick" text-anchor="middle" x="{along(value):.1f}" y="{bottom + 14}">{text}</text>')
    for value, text in up.ticks():
        parts.append(f'<path class="grid" d="M{_LEFT} {up(value):.1f}H{right}"/>')
        parts.append(f'<text class="tick" text-anchor="end" x="{_LEFT - 6}" y="{up(value) + 4:.1f}">{text}</text>')
    parts.append(f'<text text-anchor="middle" x="{(_LEFT + right) / 2}" y="{_HEIGHT - 8}">{escape(x)}</text>')
    if y:
        middle = (_TOP + bottom) / 2
        parts.append(f'<text text-anchor="middle" transform="translate(13 {middle}) rotate(-90)">{escape(y)}</text>')
    return "".join(parts)


def _legend(names: Sequence[str]) -> str:
    parts = []
    for place, name in enumerate(names if len(names) > 1 else []):
        height = _TOP + 8 + 14 * place
        left = _WIDTH - _RIGHT - 8
        parts.append(f'<path class="line s{place % 10}" d="M{left - 14} {height}h14"/>')
        parts.append(f'<text text-anchor="end" x="{left - 19}" y="{height + 4}">{escape(name)}</text>')
    return "".join(parts)


def _svg(parts: Sequence[str], label: str) -> Markup:
    head = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">'
    return Markup("".join([head, *parts, "</svg>"]))
