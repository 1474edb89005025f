"""Metrics of copying: every row's distances to the training set, compared with those of held-out clouds."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from pcgen.metrics.authenticity import authenticity
from pcgen.metrics.blocks import Block
from pcgen.metrics.c_t import LEAST, c_t
from pcgen.metrics.comparison import Key
from pcgen.metrics.copies import CopySearch, Near
from pcgen.metrics.medoids import medoids
from pcgen.metrics.novelty import novelty
from pcgen.metrics.pairs import pair_matrices
from pcgen.metrics.preparation import Prepared
from pcgen.metrics.sets import REFERENCE, SAMPLES, TRAINING, MeasuredSet
from pcgen.metrics.store import TileStore
from pcgen.metrics.z_u import z_u
from pcgen.seeds import stream

__all__ = ["Copying"]

_CELLS = 10  # maximum number of cells for C_T
_HELD_OUT_IN_A_CELL = 40  # on average, so that most cells have enough samples to count
_CELLS_FROM = 256  # training clouds, chosen by seed, among which the medoids of the cells are found


@dataclass(frozen=True)
class _Part:
    """The columns whose rows are the same clouds on the same points, and their common search."""

    columns: tuple[str, ...]
    search: CopySearch
    clouds: dict[str, Tensor]  # by row, and of the reference; (S, N/2, 3)
    cells: int

    def key(self, first: str, second: str = TRAINING) -> Key:
        return self.columns[0], first, second, "copies"


class Copying:
    """Z_U, C_T and authenticity of each row except the training set's, and under CD its copies and novelty.

    Under CD, a row also has the copies among the reference, with which its own are to be compared.

    Rows and reference (the held-out clouds) are compared with the training set by one search, on the same number of
    points. For C_T, a cloud is in the cell of the nearest of k medoids, under CD on few points. These are medoids of
    the training set, or of 256 of its clouds. k is such that a cell has 40 reference clouds on average, and at most 10;
    if it is below two, C_T is not computed. The distances that C_T compares are to the nearest of all training clouds.
    """

    def __init__(self, train: MeasuredSet, measured: Mapping[str, Prepared], seed: int) -> None:
        """Choose the points.

        Args:
            train: the training set, of clouds of 2 points or more.
            measured: the sets that are compared with it under each distance, "cd" and the exact "emd", by column.
            seed: of all random choices.
        """
        self._parts = []
        for sets in {id(each): each for each in measured.values()}.values():
            search = CopySearch.of(train, sets.reference.size, seed)
            rows = {name: row for name, row in sets.rows.items() if name != TRAINING} | {REFERENCE: sets.reference}
            cells = min(_CELLS, len(sets.reference) // _HELD_OUT_IN_A_CELL, len(train))
            columns = tuple(column for column, each in measured.items() if each is sets)
            clouds = {name: search.sampled(row) for name, row in rows.items()}
            self._parts.append(_Part(columns, search, clouds, cells if cells > 1 else 0))

    def blocks(self) -> dict[Key, Block]:
        """The matrices to compute, on few points."""
        blocks: dict[Key, Block] = {}
        for part in self._parts:
            blocks |= {part.key(name): part.search.block(name, clouds) for name, clouds in part.clouds.items()}
            if part.cells:
                some = part.search.train[_some(part.search).to(part.search.train.device)]
                blocks[part.key(TRAINING)] = part.search.block("cells", some, some)
        return blocks

    def finish(
        self, matrices: Mapping[Key, Tensor], store: TileStore | None
    ) -> tuple[dict[str, dict[str, float]], list[str]]:
        """The values of each row, and notes on them, from the matrices of `blocks`."""
        values: dict[str, dict[str, float]] = {}
        notes: list[str] = []
        for part in self._parts:
            near = {column: self._near(part, column, matrices, store) for column in part.columns}
            others = _others(part, near, store)
            cells = _cells(part, matrices)
            for name in part.clouds:
                if name == REFERENCE:
                    continue
                own = values.setdefault(name, {})
                for column in part.columns:
                    own |= _compare(name, column, near[column], others.get((column, name)), cells)
            if "cd" in part.columns:
                notes += _novelties(part, near["cd"], values)
            notes.append(_said(part, near[part.columns[0]]))
            if part.cells and f"c_t_{part.columns[0]}" not in values[SAMPLES]:
                notes.append(f"C_T: not computed, none of {part.cells} cells holds {LEAST} samples")
        return values, notes

    @staticmethod
    def _near(part: _Part, column: str, matrices: Mapping[Key, Tensor], store: TileStore | None) -> dict[str, Near]:
        """The nearest training clouds of all rows, and of the reference, under one distance."""
        near = {name: part.search.nearest(clouds, matrices[part.key(name)]) for name, clouds in part.clouds.items()}
        if column == "cd":
            return near
        return {name: part.search.nearest_emd(part.clouds[name], each, store) for name, each in near.items()}


def _some(search: CopySearch) -> Tensor:
    """The training clouds among which medoids are found."""
    return torch.randperm(len(search.train), generator=stream(search.seed, "copies cells"))[:_CELLS_FROM]


def _cells(part: _Part, matrices: Mapping[Key, Tensor]) -> dict[str, Tensor] | None:
    """The cell of each cloud of each row, (S,); None if there are no cells."""
    if not part.cells:
        return None
    centres = _some(part.search)[medoids(matrices[part.key(TRAINING)], part.cells)]
    return {name: matrices[part.key(name)][:, centres].argmin(1) for name in part.clouds}


def _others(
    part: _Part, near: Mapping[str, Mapping[str, Near]], store: TileStore | None
) -> dict[tuple[str, str], Tensor]:
    """By column and row: for each cloud, the distance from its nearest training cloud to the next training cloud, (S,).

    It is computed only for training clouds that are the nearest of some cloud.
    """
    search = part.search
    if len(search.train) < 2:
        return {}
    rows = {
        name: torch.cat([near[column][name].row for column in part.columns]).unique()
        for name in part.clouds
        if name != REFERENCE
    }
    clouds = {name: search.train[each.to(search.train.device)] for name, each in rows.items()}
    coarse = pair_matrices({name: search.block(f"nearest of {name}", each) for name, each in clouds.items()}, store)
    found = {}
    for name, each in rows.items():
        coarse[name][torch.arange(len(each)), each] = torch.inf  # no cloud is its own neighbour
        under_cd = search.nearest(clouds[name], coarse[name])
        for column in part.columns:
            own = near[column][name].row
            asked, back = torch.searchsorted(each, own.contiguous()).unique(return_inverse=True)
            of = under_cd.select(asked)
            if column == "emd":
                of = search.nearest_emd(clouds[name][asked.to(search.train.device)], of, store)
            found[column, name] = of.distance[back]
    return found


def _compare(
    name: str, column: str, near: Mapping[str, Near], others: Tensor | None, cells: Mapping[str, Tensor] | None
) -> dict[str, float]:
    """The metrics of one row under one distance."""
    own, held_out = near[name].distance, near[REFERENCE].distance
    found = {f"z_u_{column}": z_u(own, held_out)}
    in_cells = None if cells is None else c_t(own, held_out, cells[name], cells[REFERENCE])
    if in_cells is not None:
        found |= {f"c_t_{column}": in_cells.c_t, f"c_t_least_{column}": in_cells.least}
    if others is not None:
        found[f"authenticity_{column}"] = authenticity(own, others)
    return found


def _novelties(part: _Part, near: Mapping[str, Near], values: Mapping[str, dict[str, float]]) -> list[str]:
    """Add copies and novelty of each row, and the reference's copies; returns a note on the samples' share of copies.

    New shapes may also be as near to a training cloud as a copy of it, if many shapes are nearly alike. The reference's
    share of such clouds is that of new data.
    """
    floor, said = part.search.floor(), []
    held_out = novelty(near[REFERENCE].matrix(len(floor)), floor)
    for name in values:
        found = novelty(near[name].matrix(len(floor)), floor)
        values[name].update(copies=found.copies, copies_reference=held_out.copies, novelty=found.ratio)
        if name == SAMPLES:
            said.append(
                f"copies: {100 * found.copies:.3g}% of samples, {100 * held_out.copies:.3g}% of reference clouds are "
                f"as near to a training cloud as a copy of it; the median of samples is {found.ratio:.3g} times as far "
                f"(CD on {part.search.train.shape[1]} points)"
            )
    return said


def _said(part: _Part, near: Mapping[str, Near]) -> str:
    """A note on the clouds and points of one search."""
    columns = " and ".join(column.upper() for column in part.columns)
    held_out, points = len(near[REFERENCE].row), part.search.train.shape[1]
    cells = f"; C_T in {part.cells} cells" if part.cells else "; too few reference clouds for the cells of C_T"
    return (
        f"Z_U, authenticity under {columns}: nearest of {len(part.search.train)} training clouds on {points} points; "
        f"held-out clouds are the {held_out} reference clouds{cells}"
    )
