"""Checks of a report's JSON, so that what is no report is refused where it is read."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pcgen.metrics.row import Row

__all__ = ["report_fields"]

_FIELDS = ("protocol", "version", "samples", "reference", "train", "grid", "rows", "notes")
_OF_A_COUNT = ("samples", "reference", "points")


def report_fields(data: Any) -> dict[str, Any]:
    """The fields of a report from its JSON values, with all that tables and pages read of them.

    Raises:
        ValueError: one is missing, or is something else; the message names it.
    """
    report = _mapping(data, "the text")
    found = {name: _entry(report, name, "the text") for name in _FIELDS}
    _check_protocol(_mapping(found["protocol"], "protocol"))
    _text(found["version"], "version")
    for role in ("samples", "reference", "train"):
        if role != "train" or found[role] is not None:
            _check_set(_mapping(found[role], role), role)
    _mapping(found["grid"], "grid")
    rows = _list(found["rows"], "rows")
    if not rows:
        raise ValueError("rows: must hold that of the samples, got none")
    notes = _list(found["notes"], "notes")
    return {
        **found,
        "rows": tuple(_row(row, f"rows[{place}]") for place, row in enumerate(rows)),
        "notes": tuple(_text(note, "notes") for note in notes),
    }


def _check_protocol(protocol: Mapping[str, Any]) -> None:
    """What the titles of tables, and comparisons of reports, need of a protocol."""
    for name in ("name", "hash"):
        _text(_entry(protocol, name, "protocol"), f"protocol.{name}")
    for deviation in _list(_entry(protocol, "deviations", "protocol"), "protocol.deviations"):
        _text(deviation, "protocol.deviations")
    counts = _mapping(_entry(protocol, "counts", "protocol"), "protocol.counts")
    _entry(counts, "cd", "protocol.counts")
    for column, each in counts.items():
        for name in _OF_A_COUNT:
            place = f"protocol.counts.{column}"
            _count(_entry(_mapping(each, place), name, place), f"{place}.{name}")


def _check_set(described: Mapping[str, Any], role: str) -> None:
    for name in ("source", "sha256"):
        _text(_entry(described, name, role), f"{role}.{name}")
    _count(_entry(described, "clouds", role), f"{role}.clouds")


def _row(value: Any, place: str) -> Row:
    row = _mapping(value, place)
    values, intervals = (_mapping(_entry(row, name, place), f"{place}.{name}") for name in ("values", "intervals"))
    ends: dict[str, tuple[float, float]] = {}
    for name, pair in intervals.items():
        if len(_list(pair, f"{place}.intervals.{name}")) != 2:
            raise ValueError(f"{place}.intervals.{name}: must be two numbers, got {len(pair)}")
        low, high = (_number(end, f"{place}.intervals.{name}") for end in pair)
        ends[name] = (low, high)
    return Row(
        _text(_entry(row, "name", place), f"{place}.name"),
        _count(_entry(row, "clouds", place), f"{place}.clouds"),
        {name: _number(each, f"{place}.values.{name}") for name, each in values.items()},
        ends,
    )


def _entry(values: Mapping[str, Any], name: str, place: str) -> Any:
    if name not in values:
        raise ValueError(f"{name}: is missing in {place}")
    return values[name]


def _mapping(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{place}: must be values by name, got {_kind(value)}")
    return value


def _list(value: Any, place: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{place}: must be a list, got {_kind(value)}")
    return value


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{place}: must be a text, got {_kind(value)}")
    return value


def _number(value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{place}: must be a finite number, got {_kind(value)}")
    return value


def _count(value: Any, place: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{place}: must be a number of clouds or points, got {_kind(value)}")
    return value


def _kind(value: Any) -> str:
    """What a value is, for messages: a number itself, of others the type alone, which may be long."""
    return str(value) if isinstance(value, int | float) or value is None else f"a {type(value).__name__}"
