"""One distance between the rows of an evaluation and its reference: the matrices to compute, and their metrics."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from pcgen.metrics.batches import batches, mean_of
from pcgen.metrics.blocks import Block
from pcgen.metrics.coverage import coverage
from pcgen.metrics.distances import pair_distance
from pcgen.metrics.intervals import coverage_interval, mean_interval, mmd_interval, share_interval
from pcgen.metrics.manifolds import manifolds
from pcgen.metrics.mmd import mmd
from pcgen.metrics.one_nna import one_nna, one_nna_correct
from pcgen.metrics.preparation import Prepared
from pcgen.metrics.sets import REFERENCE, SAMPLES, SECOND, MeasuredSet
from pcgen.metrics.vendi import vendi
from pcgen.seeds import stream

__all__ = ["ALIKE", "Comparison", "Key"]

Key = tuple[str, str, str, str]  # the column, the sets of a matrix's rows and columns, and the part of their clouds

# Achlioptas et al. move mass from the reference to the sample for MMD, and from the sample to the reference for COV.
_COVERS_FROM_SAMPLES = "approxmatch"
_BALLS = 5  # k of precision, recall, density and coverage
# Two clouds that are each other's nearest neighbours get the same result. On a line, two thirds of the points are in
# such pairs, in more dimensions fewer. The variance of a 1-NNA is larger by this share.
# Schilling (1986), Multivariate Two-Sample Tests Based on Nearest Neighbors.
ALIKE = 5 / 3
_FEW = 20  # a 1-NNA of fewer clouds of each set gives a warning


class _Part(NamedTuple):
    """Clouds of a row and clouds of the reference that are compared with each other."""

    label: str
    a: Tensor  # (S, N, 3)
    b: Tensor  # (R, N, 3)


@dataclass(frozen=True)
class Comparison:
    """The matrices of one distance, and the metrics of nearest neighbours that follow from them.

    1-NNA uses sets of equal size: from the larger set, as many clouds as the smaller set has are chosen by seed.

    Attributes:
        column: "cd" or "emd".
        distance: a name for `pair_distance`.
        sets: the sets to compare.
        nearest: whether to compute only the distances on which nearest neighbours depend.
        batch: number of clouds of both sets that are compared with each other, as in `Protocol`.
        seed: of random choices and intervals.
    """

    column: str
    distance: str
    sets: Prepared
    nearest: bool
    batch: int | None
    seed: int

    def blocks(self) -> dict[Key, Block]:
        """The matrices to compute: every row against the reference and itself, and the reference once for all rows."""
        blocks: dict[Key, Block] = {}
        for name, row in self.sets.rows.items():
            for part in self._parts(row):
                # The interval of MMD needs the second nearest samples; there are none of a single one.
                self._add(blocks, name, REFERENCE, *part, second=self.nearest and len(part.a) > 1)
                if self.distance == _COVERS_FROM_SAMPLES:
                    self._add(blocks, REFERENCE, name, part.label, part.b, part.a)
                if self.nearest:  # a search over all clouds omits distances that neighbours among fewer clouds need
                    part = self._equal(name, part)
                    self._add(blocks, name, REFERENCE, *part)
                # For 1-NNA, it is enough to know whether another sample is as near as the nearest reference cloud.
                below = (self.column, name, REFERENCE, part.label) if self.nearest else None
                self._add(blocks, name, name, part.label, part.a, part.a, below)
                self._add(blocks, REFERENCE, REFERENCE, part.label, part.b, part.b)
        return blocks

    def metrics(
        self, name: str, matrices: Mapping[Key, Tensor]
    ) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
        """The metrics of the row of that name, and their 95% intervals, from the matrices of `blocks`."""
        values, compared, covers = [], [], []
        right: list[Tensor] = []
        parts = self._parts(self.sets.rows[name])
        for part in parts:
            between = matrices[self.column, name, REFERENCE, part.label]
            covering = between
            if self.distance == _COVERS_FROM_SAMPLES:
                covering = matrices[self.column, REFERENCE, name, part.label].T
            three = self._of_equal_sets(name, part, matrices)
            told_apart = one_nna(*three)
            values.append(
                {
                    f"mmd_{self.column}": mmd(between),
                    f"cov_{self.column}": coverage(covering),
                    f"one_nna_{self.column}": told_apart.accuracy,
                    f"one_nna_{self.column}_samples": told_apart.samples,
                    f"one_nna_{self.column}_reference": told_apart.reference,
                    f"one_nna_{self.column}_chance": told_apart.chance,
                }
            )
            compared.append(between)
            covers.append(covering)
            right += one_nna_correct(*three)
        means = mean_of(values)
        each = [1 / len(parts)] * len(parts)
        classes = [share / 2 for share in each for _ in range(2)]
        if name == SECOND:  # each cloud has a twin in the reference, and is drawn with it
            of_mmd = mean_interval(*(between.amin(0) for between in compared), weights=each, seed=self.seed)
        else:
            of_mmd = mmd_interval(*compared, weights=each, seed=self.seed)
        intervals = {
            f"mmd_{self.column}": of_mmd,
            f"cov_{self.column}": coverage_interval(*covers, weights=each, seed=self.seed),
            f"one_nna_{self.column}": share_interval(*right, weights=classes, alike=ALIKE, seed=self.seed),
        }
        return means | self._balls(name, matrices) | self._variety(name, matrices), intervals

    def remarks(self) -> tuple[list[str], list[str]]:
        """Warnings about a 1-NNA of few clouds, and notes on its clouds."""
        warnings, notes = [], []
        reference = len(self.sets.reference)
        for name, row in self.sets.rows.items():
            fewer = min(len(row), reference)
            if self.batch is not None:
                notes.append(f"1-NNA, MMD, COV and JSD: of batches of {self.batch} clouds, then averaged")
            elif len(row) != reference:
                drawn = name if len(row) > reference else REFERENCE
                whose = "" if name == SAMPLES else f" of the {name}"
                notes.append(f"1-NNA{whose}: on {fewer} clouds per set, those of the {drawn} chosen by seed")
            if name == SAMPLES and fewer < _FEW:
                warnings.append(
                    f"1-NNA: {fewer} clouds per set are few, see its interval; use {_FEW} or more of both sets"
                )
        return warnings, notes

    def _add(
        self,
        blocks: dict[Key, Block],
        rows: str,
        columns: str,
        label: str,
        a: Tensor,
        b: Tensor,
        below: Key | None = None,
        second: bool = False,
    ) -> None:
        block = Block(f"{rows} x {columns}", self.distance, a, b, self.nearest, below, second)
        blocks.setdefault((self.column, rows, columns, label), block)

    def _parts(self, row: MeasuredSet) -> list[_Part]:
        """The whole sets, or batches of both."""
        reference = self.sets.reference
        found = []
        for part in batches(len(row), len(reference), self.batch):
            label = "all" if self.batch is None else f"{part.start} to {part.stop}"
            found.append(_Part(label, row.points[part], reference.points[part]))
        return found

    def _equal(self, name: str, part: _Part) -> _Part:
        """The same number of clouds of both sets."""
        if len(part.a) == len(part.b):
            return part
        rows, columns = self._drawn(name, part)
        label = f"{part.label}, {len(rows)} clouds per set"
        return _Part(label, part.a[rows.to(part.a.device)], part.b[columns.to(part.b.device)])

    def _drawn(self, name: str, part: _Part) -> list[Tensor]:
        """Indices of the same number of clouds of both sets."""
        fewer = min(len(part.a), len(part.b))
        drawn = []
        for role, count in ((name, len(part.a)), (REFERENCE, len(part.b))):
            order = torch.randperm(count, generator=stream(self.seed, f"1-NNA {role}"))
            drawn.append(order[:fewer].sort().values)  # all of the smaller set
        return drawn

    def _of_equal_sets(self, name: str, part: _Part, matrices: Mapping[Key, Tensor]) -> list[Tensor]:
        """Row x reference, row x row and reference x reference, of the same number of clouds of both sets."""
        rows, columns = self._drawn(name, part)
        label = part.label
        if self.nearest:
            label, rows, columns = self._equal(name, part).label, torch.arange(len(rows)), torch.arange(len(columns))
        taken = {name: rows, REFERENCE: columns}
        return [
            matrices[self.column, first, second, label][taken[first]][:, taken[second]]
            for first, second in ((name, REFERENCE), (name, name), (REFERENCE, REFERENCE))
        ]

    def _balls(self, name: str, matrices: Mapping[Key, Tensor]) -> dict[str, float]:
        """Precision, recall, density and coverage, if all distances between the whole sets are computed."""
        if self.nearest or self.batch is not None:
            return {}
        between, among, reference = (
            matrices[self.column, first, second, "all"]
            for first, second in ((name, REFERENCE), (name, name), (REFERENCE, REFERENCE))
        )
        if min(between.shape) <= _BALLS:
            return {}
        found = asdict(manifolds(between, among, reference, _BALLS))
        return {f"{metric}_{self.column}": value for metric, value in found.items()}

    def _variety(self, name: str, matrices: Mapping[Key, Tensor]) -> dict[str, float]:
        """The Vendi scores of the row and the reference, on the same number of clouds, if all distances are computed.

        The scale is the median distance between reference clouds; if it is 0, there is no score.
        """
        if self.nearest or self.batch is not None or not pair_distance(self.distance).symmetric:
            return {}
        _, among, reference = self._of_equal_sets(name, self._parts(self.sets.rows[name])[0], matrices)
        above = torch.ones_like(reference, dtype=torch.bool).triu(1)
        if len(reference) < 2 or not float(reference[above].median()) > 0:
            return {}
        own = vendi(reference)
        of_row = vendi(among, own.scale)
        found = {"vendi": of_row.score, "vendi_reference": own.score, "vendi_scale": own.scale}
        found["vendi_clipped"] = max(of_row.clipped, own.clipped)
        return {f"{metric}_{self.column}": value for metric, value in found.items()}
