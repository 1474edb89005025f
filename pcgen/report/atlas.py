"""What an explorer page holds, before any of it is HTML."""

from collections.abc import Sequence
from dataclasses import dataclass

from pcgen.view.inputs import Array

__all__ = ["Atlas", "CodeSet", "Film", "Map", "Way", "Ways"]


@dataclass(frozen=True)
class Map:
    """A plane in which every cloud of a page has a position.

    Attributes:
        name: of the map.
        about: what its two directions are, and what it hides, a sentence each.
    """

    name: str
    about: Sequence[str]


@dataclass(frozen=True)
class CodeSet:
    """Clouds with the positions of their codes on the maps.

    Attributes:
        name: of the set.
        points: (S, N, 3), y up.
        titles: of each cloud, short.
        labels: of each cloud, its index in the page's classes; None if it is not known.
        places: of each cloud, (S, 2) for each map of the page, x to the right and y up.
    """

    name: str
    points: Array
    titles: Sequence[str]
    labels: Sequence[int | None]
    places: Sequence[Array]


@dataclass(frozen=True)
class Way:
    """Decoded clouds on a path between two codes.

    Attributes:
        start, end: indices in the ends of all paths.
        path: linear or spherical.
        frames: indices in the clouds of all paths, the decoded start first and the decoded end last.
        places: of the frames on the page's first map, (F, 2).
    """

    start: int
    end: int
    path: str
    frames: Sequence[int]
    places: Array


@dataclass(frozen=True)
class Ways:
    """All paths of a page.

    Attributes:
        ends: the clouds that paths join: which set of the page, and which cloud of it.
        points: (W, N, 3), the clouds of all paths.
        ways: one for each two ends and each kind of path.
        about: how they were made, a sentence each.
    """

    ends: Sequence[tuple[int, int]]
    points: Array
    ways: Sequence[Way]
    about: Sequence[str]


@dataclass(frozen=True)
class Film:
    """How a generator samples step by step.

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
        classes: which labels are indices of; () if there are none.
        maps: the principal axes first.
        sets: of clouds.
        ways: between clouds; None if there are none.
        film: of a generator that samples step by step; None for others.
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
