"""The camera of every picture: where a point of a y-up world lands on a cell, whatever engine draws it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from pcgen.view.inputs import Array

__all__ = ["Camera", "Fit", "Frame", "View", "fit", "frame"]

DISTANCE = 6.0  # from the eye to the centre, in radii of the largest cloud: a mild perspective, 19 degrees across
_LARGEST = 4.0  # median radii


@dataclass(frozen=True)
class Camera:
    """A direction to look from, in degrees: `azimuth` about y, 0 on the z axis and 90 on the x axis; `elevation` up."""

    azimuth: float = 35.0
    elevation: float = 22.0

    def axes(self) -> Array:
        """Rows right, up and towards the viewer, (3, 3): orthonormal and right-handed."""
        a, e = np.radians(self.azimuth), np.radians(self.elevation)
        towards = np.array([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)])
        right = np.array([np.cos(a), 0.0, -np.sin(a)])
        return np.stack([right, np.cross(towards, right), towards])

    def view(self, points: Array) -> Array:
        """World coordinates (N, 3) in the camera's axes, (N, 3): right, up, towards the viewer."""
        return points @ self.axes().T


@dataclass(frozen=True)
class Frame:
    """Clouds in the camera's axes, centred, with the projection that fits the largest of them into a cell.

    A point (x, y, z) lands `focal * x / (distance - z)` pixels right of the centre of its cell and
    `focal * y / (distance - z)` above it.
    """

    clouds: tuple[Array, ...]  # each (N_i, 3)
    floors: tuple[Array, ...]  # each (N_i, 3): the points dropped to the height of the lowest one
    distance: float
    focal: float  # pixels
    width: int  # of a cell, in pixels
    heights: tuple[int, ...]  # of each cloud's own cell: even numbers of pixels
    shrunk: tuple[float, ...]  # how many times smaller each is drawn than the shared scale says; 1 for most
    marks: tuple[Array, ...] = ()  # each (M_i, 3): what else is drawn of each cloud, placed as it is

    def scale_of(self, i: int) -> str:
        """What to write beside a cloud that is drawn smaller than the others; "" for one that is not."""
        return f"1 : {self.shrunk[i]:.3g}" if self.shrunk[i] > 1 else ""

    @property
    def height(self) -> int:
        """Pixels that hold every cloud."""
        return max(self.heights)

    def of(self, cells: Sequence[int]) -> "Frame":
        """The frame of some of the clouds, which are placed as they are here."""

        def some(each: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(each[cell] for cell in cells) if each else ()

        return replace(
            self,
            clouds=some(self.clouds),
            floors=some(self.floors),
            heights=some(self.heights),
            shrunk=some(self.shrunk),
            marks=some(self.marks),
        )

    def project(self, points: Array) -> Array:
        """Pixels from the centre of the cell, right and up, (N, 2)."""
        return _project(points, self.distance) * self.focal


@dataclass(frozen=True)
class Fit:
    """How clouds are placed before cameras so that they fit into their cells: the same in all pictures of a film."""

    middles: tuple[Array, ...]  # (3,) of each cell, the place in the world that its camera looks at
    units: tuple[float, ...]  # of each cell, a length in the world that is drawn as long as 1
    shifts: tuple[Array, ...]  # (3,) of each cell, in the camera's axes and in units
    focal: float
    width: int
    heights: tuple[int, ...]
    shrunk: tuple[float, ...]

    def frame(self, clouds: Sequence[Array], camera: Camera, marks: Sequence[Array] = ()) -> Frame:
        """The clouds, one for each cell, before a camera; the marks, (M_i, 3) for each, are placed as they are."""
        cells = list(zip(self.middles, self.units, self.shifts, strict=True))

        def placed(sets: Sequence[Array]) -> tuple[Array, ...]:
            return tuple(
                camera.view(points - middle) / unit + shift
                for points, (middle, unit, shift) in zip(sets, cells, strict=True)
            )

        floors = [_dropped(cloud) for cloud in clouds]
        seen = placed(clouds), placed(floors)
        heights, shrunk = self.heights, self.shrunk
        return Frame(*seen, DISTANCE, self.focal, self.width, heights, shrunk, placed(marks) if marks else ())


View: TypeAlias = tuple[Sequence[Array], Camera]
"""A cloud for each cell, and where they are looked at from."""


def frame(
    clouds: list[Array],
    camera: Camera,
    width: int,
    scale: str = "shared",
    margin: float = 0.075,
    marks: list[Array] | None = None,
) -> Frame:
    """Place each cloud (N_i, 3) before the camera as `fit` says; the marks, (M_i, 3) for each, are placed with it."""
    return fit([(clouds, camera)], width, scale, margin).frame(clouds, camera, marks or ())


def fit(views: Sequence[View], width: int, scale: str = "shared", margin: float = 0.075) -> Fit:
    """How to place clouds so that each cell holds what it shows in all of the views, in its middle.

    The largest cloud, with its shadow on the floor, fills the cell but for `margin` (a fraction of the width) on each
    side; the height of a cell follows from its shape, between a quarter and one and a half times the width. With
    `scale` "shared" one unit is equally long in every cell, but clouds of more than four times the median radius are
    shrunk to the largest of the others, and the frame says by how much: one cloud that a model blew up, or one stray
    point, must not make specks of all others. With "each" every cloud fills its cell. Marks are not asked for room.
    """
    middles, seen = [], []
    for clouds in zip(*(clouds for clouds, _ in views), strict=True):  # those of a cell
        low, high = (np.min([c.min(0) for c in clouds], axis=0), np.max([c.max(0) for c in clouds], axis=0))
        middles.append((low + high) / 2)
        centred = [(cloud - middles[-1], camera) for cloud, (_, camera) in zip(clouds, views, strict=True)]
        bodies = [camera.view(cloud) for cloud, camera in centred]
        grounds = [camera.view(_dropped(cloud)) for cloud, camera in centred]
        seen.append((np.concatenate(bodies), np.concatenate(grounds)))
    units = [max(float(np.linalg.norm(body, axis=1).max()), 1e-12) for body, _ in seen]
    outlines = [np.concatenate(each) for each in seen]
    if scale == "shared":
        common = max(unit for unit in units if unit <= _LARGEST * np.median(units))
        shrunk = tuple(max(1.0, unit / common) for unit in units)
        units = [max(common, unit) for unit in units]
    else:  # at most twice the radius: a rod seen from its end must not grow into the camera
        extents = [_centring(outline / unit)[1] for outline, unit in zip(outlines, units, strict=True)]
        units = [u * max(float(extent.max()) * DISTANCE, 0.5) for u, extent in zip(units, extents, strict=True)]
        shrunk = (1.0,) * len(units)
    shifts = []
    halves = np.full((len(units), 2), 0.05 / DISTANCE)
    for i, unit in enumerate(units):
        shift, extent = _centring(outlines[i] / unit)
        shifts.append(shift)
        halves[i] = np.maximum(halves[i], extent)
    half = halves.max(axis=0)
    focal = width * min((0.5 - margin) / half[0], (0.75 - margin) / half[1])
    tall = np.clip(focal * halves[:, 1] + width * margin, width / 8, 0.75 * width)
    heights = tuple(2 * round(float(pixels)) for pixels in tall)
    return Fit(tuple(middles), tuple(units), tuple(shifts), float(focal), width, heights, shrunk)


def _dropped(cloud: Array) -> Array:
    """The points at the height of the lowest one."""
    return np.stack([cloud[:, 0], np.full(len(cloud), cloud[:, 1].min()), cloud[:, 2]], axis=1)


def _centring(cloud: Array) -> tuple[Array, Array]:
    """The shift in the picture's plane that centres the projection of a cloud, (3,), and half its extent then, (2,)."""
    shift = np.zeros(3)
    for _ in range(4):  # perspective makes the shift depend on itself; each pass gains two digits
        flat = _project(cloud + shift, DISTANCE)
        shift[:2] -= (flat.min(axis=0) + flat.max(axis=0)) / 2 * DISTANCE
    flat = _project(cloud + shift, DISTANCE)
    return shift, np.abs(flat).max(axis=0)


def _project(points: Array, distance: float) -> Array:
    return np.asarray(points[:, :2] / (distance - points[:, 2:]))
