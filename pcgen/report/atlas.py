"""What an explorer page holds, before any of it is HTML."""

from collections.abc import Sequence
from dataclasses import dataclass

from pcgen.view.inputs import Array

__all__ = ["Atlas", "CodeSet", "Film", "Map", "Way", "Ways"]


@dataclass(frozen=True)
class Map:
    """A plane in which every cloud of a page has a place.

    Attributes:
        name: of the map.
        about: what its two directions are, and what it hides, a sentence each.
    """

    name: str
    about: Sequence[str]


@dataclass(frozen=True)
class CodeSet:
    """Clouds with the places of their codes.

    Attributes:
        name: of the set.
        points: (S, N, 3), y up.
        titles: of each cloud, short.
        labels: of each cloud, its place in the page's classes; None where it is not known.
        places: of each cloud, (S, 2) for each map of the page, x to the right and y up.
    """

    name: str
    points: Array
    titles: Sequence[str]
    labels: Sequence[int | None]
    places: Sequence[Array]


@dataclass(frozen=True)
class Way:
    """Clouds on the way between the codes of two.

    Attributes:
        start, end: places in the ends of all ways.
        path: how it goes: linear or spherical.
        frames: places in the clouds of all ways, the decoded start first and the decoded end last.
        places: of the frames on the page's first map, (F, 2).
    """

    start: int
    end: int
    path: str
    frames: Sequence[int]
    places: Array


@dataclass(frozen=True)
class Ways:
    """All ways of a page.

    Attributes:
        ends: the clouds that ways go between: which set of the page, and which cloud of it.
        points: (W, N, 3), the clouds of all ways.
        ways: one for each two ends and each path.
        about: how they were made, a sentence each.
    """

    ends: Sequence[tuple[int, int]]
    points: Array
    ways: Sequence[Way]
    about: Sequence[str]


@dataclass(frozen=True)
class Film:
    """How a generator comes to its samples.

    Attributes:
        points: (F, C, N, 3): frames of C clouds.
        captions: of each frame.
        about: what the frames are, a sentence each.
    """

    points: Array
    captions: Sequence[str]
    about: Sequence[str]


@dataclass(frozen=True)
class Atlas:
    """A whole page of what a model has learned.

    Attributes:
        title: of the page.
        facts: short pairs about all of it.
        classes: which labels are places in; () where there are none.
        maps: the principal axes first.
        sets: of clouds.
        ways: between clouds; None where there are none.
        film: of a generator that comes to its samples step by step; None of others.
        notes: what a reader must know, a sentence each.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    classes: Sequence[str]
    maps: Sequence[Map]
    sets: Sequence[CodeSet]
    ways: Ways | None = None
    film: Film | None = None
    notes: Sequence[str] = ()

    def _repr_html_(self) -> str:
        """The page, in a frame of a notebook."""
        from pcgen.report.explorer import explorer_html
        from pcgen.report.notebook import framed

        return framed(explorer_html(self), self.title, 900)
