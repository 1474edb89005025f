"""What a page holds, before any of it is HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pcgen.view.inputs import Array

__all__ = ["Cell", "Content", "Gallery", "Mark", "Model", "Table"]


@dataclass(frozen=True)
class Cell:
    """One number of a table.

    Attributes:
        text: as it is printed; empty where nothing was measured.
        value: to sort by; None sorts last.
        beside: its interval, or its deviation, in smaller letters.
        mark: "good" if it is as good as data, "far" if it is not, empty if that is not known.
    """

    text: str
    value: float | None = None
    beside: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of numbers with a heading, which the reader can sort and filter.

    Attributes:
        title: above it.
        columns: headings, the first of the rows' names, each with what it is in a sentence.
        rows: of models, name and cells.
        oracles: the same, of what models are compared with; they stay beneath when rows are sorted.
        notes: beneath, a sentence each.
    """

    title: str
    columns: Sequence[tuple[str, str]]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    oracles: Sequence[tuple[str, Sequence[Cell]]] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Gallery:
    """Clouds of one set, all of one number of points.

    Attributes:
        name: of the set.
        points: (S, N, 3), y up.
        titles: of each cloud, short.
        numbers: what clouds can be sorted by: a name, and a number for each.
        beside: for each cloud the place of its nearest training cloud in the page's own; none for a set without.
    """

    name: str
    points: Array
    titles: Sequence[str]
    numbers: Mapping[str, Sequence[float]] = field(default_factory=dict)
    beside: Sequence[int] = ()


@dataclass(frozen=True)
class Mark:
    """A model in the plane of fidelity and coverage, of a family; None is what models are compared with."""

    name: str
    x: float
    y: float
    family: str | None = None


@dataclass(frozen=True)
class Model:
    """One model: how it was trained, and what its numbers say.

    Attributes:
        name: of the model.
        verdict: sentences, the weightiest first.
        facts: short pairs: when, how long, how large.
        history: rows as a run keeps them; none of a set of samples that was only measured.
        best: the step of the checkpoint that samples, where it is not the last.
        novelty: distance of each sample to its nearest training cloud, by that of a copy; none where not measured.
        settings: its options, and its training's.
        commands: what repeats it, a line each.
        failure: why there is nothing else; empty where there is.
        notes: what its reports remark and those of other models do not, a sentence each.
    """

    name: str
    verdict: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()
    history: Sequence[Mapping[str, Any]] = ()
    best: int | None = None
    novelty: Sequence[float] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    commands: Sequence[str] = ()
    failure: str = ""
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Content:
    """A whole page.

    Attributes:
        title: of the page.
        facts: short pairs about all of it.
        models: in the order of the table.
        tables: of metrics.
        galleries: sets of clouds, samples first.
        train: (T, N, 3), the training clouds that some cloud has beside it.
        marks: in the plane of fidelity and coverage; none where there is no such plot.
        axes: what its two axes are.
        notes: what a reader must know, a sentence each.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    models: Sequence[Model]
    tables: Sequence[Table] = ()
    galleries: Sequence[Gallery] = ()
    train: Array | None = None
    marks: Sequence[Mark] = ()
    axes: tuple[str, str] = ("MMD-CD, lower is more faithful", "COV-CD %, higher covers more")
    notes: Sequence[str] = ()

    def _repr_html_(self) -> str:
        """The page, in a frame of a notebook."""
        from pcgen.report.notebook import framed
        from pcgen.report.page import report_html

        return framed(report_html(self), self.title, 900)
