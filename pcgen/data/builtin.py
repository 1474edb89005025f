"""The built-in shapes, and scenes of them, as a source of clouds."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from pcgen.data import scenes, shapes
from pcgen.data.formats.arrays import check_count
from pcgen.data.source import Listing, Raw
from pcgen.errors import choose

__all__ = ["DEFAULT_COUNT", "SCENE", "list_shapes"]

DEFAULT_COUNT = 1000
SCENE = "scene"
_DIGITS = 19  # of a count, at most one fewer


def list_shapes(classes: tuple[str, ...], seed: int, max_bytes: int) -> Listing:
    """Shapes of the given families, each `FAMILY` or `FAMILY=COUNT`; of all families if none is given.

    `scene` or `scene=COUNT`, without other families, gives scenes of such shapes; the class of a scene is the number of
    its shapes.

    Raises:
        ValueError: a family is unknown or named twice, its count is not a positive integer, scenes are combined with
            families, or the names of so many would need more than `max_bytes`.
    """
    counts: dict[str, int] = {}
    for asked in classes or tuple(shapes.FAMILIES):
        family, equals, count = asked.partition("=")
        choose(family, (*shapes.FAMILIES, SCENE), "shapes")
        if equals and not (count.isdecimal() and len(count) < _DIGITS and int(count) > 0):
            raise ValueError(f"shapes:{asked}: must be FAMILY=COUNT with COUNT >= 1, as shapes:{family}=200")
        if family in counts:
            raise ValueError(f"shapes:{','.join(classes)}: names {family!r} twice; name each family once")
        counts[family] = int(count) if equals else DEFAULT_COUNT
    check_count(sum(counts.values()), f"shapes:{','.join(classes)}", max_bytes)
    if SCENE not in counts:
        return _shapes(counts, seed)
    if len(counts) > 1:
        raise ValueError(f"shapes:{','.join(classes)}: scenes cannot be combined with families; use shapes:scene alone")
    return _scenes(counts[SCENE], seed)


def _shapes(counts: dict[str, int], seed: int) -> Listing:
    """Shapes of each family, as many as `counts` gives."""
    rows = [(family, index) for family, count in counts.items() for index in range(count)]

    def read(row: int, surface_points: int) -> Raw:
        points, normals = shapes.cloud(*rows[row], points=surface_points, seed=seed)
        again = partial(_shape, *rows[row], seed)
        return Raw(points, normals, sampled=True, surface=again)

    return Listing(
        names=[f"{family}/{index}" for family, index in rows],
        read=read,
        labels=[family for family, _ in rows],
        splits=[shapes.split(index) for _, index in rows],
        classes=tuple(counts),
        up="y",
    )


def _shape(family: str, index: int, seed: int, points: int) -> NDArray[np.float64]:
    return shapes.cloud(family, index, points=points, seed=seed)[0]


def _scenes(count: int, seed: int) -> Listing:
    """`count` scenes, with boxes."""

    def read(row: int, surface_points: int) -> Raw:
        points, normals, boxes = scenes.cloud(row, surface_points, seed)
        return Raw(points, normals, sampled=True, boxes=boxes, surface=lambda count: scenes.cloud(row, count, seed)[0])

    return Listing(
        names=[f"{SCENE}/{index}" for index in range(count)],
        read=read,
        labels=[_class(scenes.count(index, seed)) for index in range(count)],
        splits=[shapes.split(index) for index in range(count)],
        classes=tuple(_class(number) for number in range(scenes.MOST + 1)),
        up="y",
    )


def _class(number: int) -> str:
    return f"{number} shape{'s' * (number != 1)}"
