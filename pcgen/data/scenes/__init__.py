"""The built-in scenes: up to four of the built-in shapes on a floor, any number of scenes, determined by (index, seed).

Every scene has a floor, the square from -1/2 to 1/2 along x and z at y = 0. Each shape is rotated about y, scaled down,
and placed on the floor; bounding boxes do not overlap. The shapes of test scenes are of the test split, so they are in
no scene of another split.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pcgen.data import shapes
from pcgen.data.shapes.parts import rotation
from pcgen.errors import at_least
from pcgen.seeds import stream

__all__ = ["MOST", "Placed", "cloud", "count", "scene"]

Floats = NDArray[np.float64]

MOST = 4  # shapes in a scene

_DIAGONAL = (0.25, 0.4)  # of a shape's box before rotation; the floor's side is 1
_GAP = 0.04  # between two boxes
_NUMBERS = 1000  # shapes in each family
_PARTS = 8  # parts of the points: one for each shape, all others for the floor


@dataclass(frozen=True)
class Placed:
    """A shape of a scene, with its position."""

    family: str
    index: int
    turn: float  # degrees about y
    diagonal: float  # scale factor of the shape, whose own diagonal is 1
    centre: Floats  # (3,), of its box
    size: Floats  # (3,), of its box along the axes, after the turn
    offset: Floats  # (3,), from the shape's own centre, about which it is turned, to that of its box


def count(index: int, seed: int = 0) -> int:
    """Number of shapes of scene number `index`: 0 to 4, all equally likely."""
    return _count(stream("scene", index, seed))


def scene(index: int, seed: int = 0) -> tuple[Placed, ...]:
    """The shapes of scene number `index`, zero to four."""
    generator = stream("scene", index, seed)
    number = _count(generator)
    if not number:
        return ()
    split, families = shapes.split(index), tuple(shapes.FAMILIES)
    same = [row for row in range(_NUMBERS) if shapes.split(row) == split]
    kinds = torch.randint(len(families), (number,), generator=generator).tolist()
    places = torch.randint(len(same), (number,), generator=generator).tolist()
    turns, shares = torch.rand(2, number, generator=generator, dtype=torch.float64).numpy()
    diagonals = _DIAGONAL[0] + (_DIAGONAL[1] - _DIAGONAL[0]) * shares
    sizes, offsets = [], []
    for kind, place, turn, diagonal in zip(kinds, places, turns, diagonals, strict=True):
        turned = shapes.vertices(families[kind], same[place], seed) @ rotation("y", 360 * turn).T
        low, high = turned.min(0), turned.max(0)
        sizes.append(diagonal * (high - low))
        offsets.append(diagonal * (high + low) / 2)
    middles = _apart(np.stack(sizes)[:, ::2], generator)
    return tuple(
        Placed(
            family=families[kinds[i]],
            index=same[places[i]],
            turn=360 * float(turns[i]),
            diagonal=float(diagonals[i]),
            centre=np.array([middles[i, 0], sizes[i][1] / 2, middles[i, 1]]),
            size=sizes[i],
            offset=offsets[i],
        )
        for i in range(number)
    )


def cloud(index: int, points: int, seed: int = 0) -> tuple[Floats, Floats, Floats]:
    """Points of scene number `index`, (points, 3), in random order, their unit normals, and its shapes' boxes, (4, 6).

    Every shape has an eighth of the points, uniform by area on its outside, and the floor has all others. So the
    density of points on a shape does not depend on the number of other shapes. Boxes are centre and size, NaN if there
    is no shape.

    Raises:
        ValueError: fewer than 16 points.
    """
    at_least(2 * _PARTS, points=points)
    placed = scene(index, seed)
    each = points // _PARTS
    generator = stream("scene points", index, seed)
    left = points - each * len(placed)
    floor = torch.rand(left, 2, generator=generator, dtype=torch.float64).numpy() - 0.5
    drawn, normals = [np.insert(floor, 1, 0.0, axis=1)], [np.tile([0.0, 1.0, 0.0], (left, 1))]
    boxes = np.full((MOST, 6), np.nan)
    for i, one in enumerate(placed):
        own, arrows = shapes.cloud(one.family, one.index, each, seed)
        turn = rotation("y", one.turn)
        drawn.append(own @ turn.T * one.diagonal + one.centre - one.offset)
        normals.append(arrows @ turn.T)
        boxes[i] = np.concatenate([one.centre, one.size])
    order = torch.randperm(points, generator=generator).numpy()
    return np.concatenate(drawn)[order], np.concatenate(normals)[order], boxes


def _count(generator: torch.Generator) -> int:
    return int(torch.randint(MOST + 1, (), generator=generator))


def _apart(sizes: Floats, generator: torch.Generator) -> Floats:
    """Centres (k, 2) of boxes of sizes (k, 2) within the floor, with a gap between each other."""
    one, other = np.triu_indices(len(sizes), 1)
    needed = (sizes[one] + sizes[other]) / 2 + _GAP
    while True:  # the four largest boxes fill less than half of the floor, so a few tries are enough
        drawn = torch.rand(len(sizes), 2, generator=generator, dtype=torch.float64).numpy()
        centres = (drawn - 0.5) * (1 - sizes)
        if (np.abs(centres[one] - centres[other]) > needed).any(1).all():
            return centres
