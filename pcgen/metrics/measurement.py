"""The evaluation of prepared sets: the computations, and the report."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

import pcgen
from pcgen.metrics.blocks import Block
from pcgen.metrics.clock import Progress
from pcgen.metrics.comparison import Comparison, Key
from pcgen.metrics.copying import Copying
from pcgen.metrics.distances import pair_distance
from pcgen.metrics.features import FeatureSpace
from pcgen.metrics.occupancy import Occupancy
from pcgen.metrics.pairs import pair_matrices
from pcgen.metrics.preparation import Prepared
from pcgen.metrics.protocols import Protocol
from pcgen.metrics.report import Report
from pcgen.metrics.row import Row
from pcgen.metrics.sets import REFERENCE, SAMPLES
from pcgen.metrics.store import TileStore

__all__ = ["Measurement"]

_SEARCHED = ("chamfer", "exact")  # distances for which nearest training clouds are searched


class Measurement:
    """The computations of an evaluation; `run` performs them.

    Attributes:
        warnings: likely mistakes, and limits on what the metrics mean; they are known before any computation.
    """

    def __init__(
        self,
        protocol: Protocol,
        sets: Prepared,
        measured: Mapping[str, Prepared],
        columns: Mapping[str, str],
        full: bool,
        features: Sequence[FeatureSpace],
        seed: int,
    ) -> None:
        """Count the points in the grid's cells and plan the rest.

        Args:
            protocol: the conventions.
            sets: the prepared sets.
            measured: the sets that are compared under each distance, by column.
            columns: the distance of each column.
            full: whether to compute all distances, not only those of nearest neighbours.
            features: models on whose features the sets are compared.
            seed: of all random choices.

        Raises:
            ValueError: features are given, but a set has a single cloud.
        """
        for role, each in sets.raw.items():
            if features and len(each) < 2:
                raise ValueError(f"{role}: must be two clouds or more to be compared by features (--features), got one")
        self._protocol, self._sets, self._features, self._seed = protocol, sets, features, seed
        self._occupancy = Occupancy(sets, protocol)
        # On a GPU, computing all distances is faster than the search for those that are needed.
        sparse = not full and not sets.reference.points.is_cuda
        self._comparisons = [
            Comparison(column, distance, measured[column], sparse and distance == "exact", protocol.batch, seed)
            for column, distance in columns.items()
        ]
        remarks = [comparison.remarks() for comparison in self._comparisons]
        # The limited sets for EMD include the notes of the whole sets.
        of_sets = [each.sets for each in self._comparisons[-1:]] or [sets]
        self._deviations = of_sets[0].deviations
        self.warnings = tuple(
            dict.fromkeys(
                (*of_sets[0].warnings, *self._occupancy.warnings, *(w for found, _ in remarks for w in found))
            )
        )
        self._notes = [*sets.notes, *self._occupancy.notes, *(note for _, found in remarks for note in found)]
        self._notes += self._elsewhere()
        if protocol.emd is None:
            self._notes.append(f"EMD: the protocol {protocol.name} has none")

    def run(self, store: TileStore | None, progress: Callable[[Progress], None] | None) -> Report:
        """Compute the distances and all that follows from them."""
        blocks: dict[Key, Block] = {}
        for comparison in self._comparisons:
            blocks |= comparison.blocks()
        samples, train = self._sets.rows[SAMPLES], self._sets.train
        searched = {each.column: each.sets for each in self._comparisons if each.distance in _SEARCHED}
        # The training set has no fewer points than the reference of a column, and is cut into halves of these.
        halved = {column: sets for column, sets in searched.items() if sets.reference.size > 1}
        copying = Copying(train, halved, self._seed) if train and halved else None
        if copying:
            blocks |= copying.blocks()
        matrices = pair_matrices(blocks, store, progress)
        rows = [self._row(name, matrices) for name in self._sets.rows]
        notes = _on_vendi(rows, list(searched))
        if train and (single := [column.upper() for column in searched if column not in halved]):
            notes.append(f"{', '.join(single)}: no metrics of copying, which need two points of each cloud, got one")
        if copying:
            found, remarks = copying.finish(matrices, store)
            rows = [row.with_values(found.get(row.name, {})) for row in rows]
            notes += remarks
        for space in self._features:
            for place, row in enumerate(rows):
                values, said = space.compare(self._sets.raw[row.name], self._sets.raw[REFERENCE], self._seed)
                rows[place] = row.with_values(values)
                notes += said
        rows, left_out = _finite(rows)
        notes += left_out
        return Report(
            protocol=self._protocol.stamp(seed=self._seed, **self._conditions()),
            version=pcgen.__version__,
            samples=samples.describe(),
            reference=self._sets.reference.describe(),
            train=train.describe() if train else None,
            grid={"centre": list(self._occupancy.grid.centre), "radius": self._occupancy.grid.radius},
            rows=tuple(rows),
            notes=tuple(dict.fromkeys((*self.warnings, *self._deviations, *self._notes, *notes))),
        )

    def _row(self, name: str, matrices: Mapping[Key, Tensor]) -> Row:
        """The metrics of one row under all distances."""
        value, interval = self._occupancy.jsd(name)
        values, intervals = {"jsd": value}, {"jsd": interval}
        for comparison in self._comparisons:
            found, ends = comparison.metrics(name, matrices)
            values |= found
            intervals |= ends
        return Row(name, len(self._sets.rows[name]), values, intervals)

    def _elsewhere(self) -> list[str]:
        """A note on distances that are not computed on the device of the sets."""
        place = self._sets.reference.points.device.type
        names = [each.distance for each in self._comparisons if place not in pair_distance(each.distance).devices]
        return [f"{', '.join(names)}: computed on the CPU, there is no kernel for {place}"] if names else []

    def _conditions(self) -> dict[str, Any]:
        """The conditions on which the metrics depend, besides the protocol and the seed, as JSON values."""
        counts = {"cd": _counts(self._sets)} | {each.column: _counts(each.sets) for each in self._comparisons}
        normalization = self._sets.normalization
        fitted = {"normalized_by": normalization.to_dict()} if normalization.fitted else {}
        return {"counts": counts, "deviations": list(self._deviations), **fitted}


def _counts(sets: Prepared) -> dict[str, int]:
    return {"samples": len(sets.rows[SAMPLES]), "reference": len(sets.reference), "points": sets.reference.size}


def _finite(rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """The rows without values that are not finite, which JSON cannot have, and notes on them.

    A novelty is infinite if the training clouds that are nearest to most samples are one point each.
    """
    kept: list[Row] = []
    lacking: dict[str, list[str]] = {}
    for row in rows:
        bad = [key for key, value in row.values.items() if not math.isfinite(value)]
        bad += [key for key, ends in row.intervals.items() if not all(map(math.isfinite, ends)) and key not in bad]
        values = {key: value for key, value in row.values.items() if math.isfinite(value)}
        intervals = {key: ends for key, ends in row.intervals.items() if key not in bad}
        kept.append(replace(row, values=values, intervals=intervals))
        for key in bad:
            lacking.setdefault(key, []).append(row.name)
    return kept, [f"{key}: not finite, so left out, of the {', '.join(names)}" for key, names in lacking.items()]


def _on_vendi(rows: Sequence[Row], columns: Sequence[str]) -> list[str]:
    """Notes on the scale of Vendi scores, and on clipped eigenvalues."""
    notes = []
    for column in columns:
        scale = rows[0].values.get(f"vendi_scale_{column}")
        if scale is not None:
            clipped = max(row.values.get(f"vendi_clipped_{column}", 0.0) for row in rows)
            said = f"; negative eigenvalues, {clipped:.2g} of their sum at the most, were clipped" if clipped else ""
            notes.append(f"Vendi under {column.upper()}: at the reference's median distance, {scale:.3g}{said}")
    return notes
