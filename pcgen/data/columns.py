"""The columns of a point: position, normal, or something else; and removal of points that are not finite."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pcgen.data.source import Raw

__all__ = ["finite_points", "split_columns"]

_TOLERANCE = 0.01  # of a normal's length, which rounding to two decimals may change by 0.009
_SHARE = 0.99  # share of rows that must be normals: scans have a few rows that are not


def split_columns(raw: Raw) -> Raw:
    """A cloud (N, 6) as points (N, 3) with normals, if columns 4 to 6 are normals; otherwise they are dropped.

    They are normals if 99% of the rows have length 1 or 0 within 0.01, and half of them 1. Other columns, such as
    colours, are dropped with a note. Clouds of other shapes are not changed.
    """
    if raw.points.ndim != 2 or raw.points.shape[1] != 6 or raw.points.dtype.kind not in "fiu":
        return raw
    points, rest = raw.points[:, :3], raw.points[:, 3:]
    if _are_normals(rest):
        return replace(raw, points=points, normals=rest)
    return replace(raw, points=points, notes=(*raw.notes, "columns 4 to 6 left out: they are not normals of length 1"))


def _are_normals(columns: NDArray[np.generic]) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(columns.astype(np.float64), axis=1)
        unit = np.abs(lengths - 1) <= _TOLERANCE
    return bool((unit | (lengths == 0)).mean() >= _SHARE and unit.mean() >= 0.5) if len(lengths) else False


def finite_points(raw: Raw) -> Raw:
    """A cloud (N, 3) without the points whose position or normal is NaN or infinite; a note counts them.

    A cloud without finite points, or of another shape, is not changed here; it is reported as bad later.
    """
    if (
        raw.points.ndim != 2
        or raw.points.dtype.kind != "f"
        or (raw.normals is not None and raw.normals.dtype.kind != "f")
    ):
        return raw
    good = np.isfinite(raw.points).all(1)
    if raw.normals is not None:
        good &= np.isfinite(raw.normals).all(1)
    bad = len(good) - int(good.sum())
    if bad in (0, len(good)):
        return raw
    return replace(
        raw,
        points=raw.points[good],
        normals=None if raw.normals is None else raw.normals[good],
        notes=(*raw.notes, f"{bad} of {len(good)} points left out, which are NaN or infinite"),
    )
