"""The evaluation: samples against a reference, under a protocol, beside the oracles."""

import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

import pcgen
from pcgen.data import Clouds
from pcgen.errors import choose
from pcgen.metrics.clock import Progress
from pcgen.metrics.copies import CopySearch
from pcgen.metrics.coverage import coverage, covered
from pcgen.metrics.features import FeatureSpace
from pcgen.metrics.intervals import jsd_interval, mean_interval
from pcgen.metrics.jsd import ABSOLUTE, CELLS, Grid, jsd_of_counts
from pcgen.metrics.manifolds import manifolds
from pcgen.metrics.mmd import mmd
from pcgen.metrics.one_nna import one_nna, one_nna_correct
from pcgen.metrics.pairs import Block, pair_matrices
from pcgen.metrics.preparation import SAMPLES, Prepared, prepare
from pcgen.metrics.protocols import Protocol
from pcgen.metrics.protocols import protocol as named
from pcgen.metrics.report import Report
from pcgen.metrics.row import Row
from pcgen.metrics.sets import MeasuredSet
from pcgen.metrics.store import TileStore

__all__ = ["evaluate"]

# Achlioptas et al. let the reference give to the sample for MMD, and the sample to the reference for COV.
_COVERS_FROM_SAMPLES = "approxmatch"
_BALLS = 5  # k of precision, recall, density and coverage
# Clouds of a set and points of a cloud under EMD that take about a minute on two cores. The soft matchings take longer
# for a pair than the exact one, and are wanted for all pairs.
_EXACT_LIMITS = (100, 2048)
_SOFT_LIMITS = (64, 512)


def evaluate(
    samples: Tensor | Clouds,
    reference: Tensor | Clouds,
    train: Tensor | Clouds | None = None,
    protocol: str | Protocol = "exact",
    *,
    second: Tensor | Clouds | None = None,
    distances: Collection[str] = ("cd", "emd"),
    emd_clouds: int | Literal["auto"] | None = "auto",
    emd_points: int | Literal["auto"] | None = "auto",
    full: bool = False,
    features: Sequence[FeatureSpace] = (),
    drop_bad: bool = False,
    seed: int = 0,
    tiles: Path | str | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Measure samples against a reference: JSD, and MMD, COV and 1-NNA under CD and EMD, beside the oracles' rows.

    95% intervals, precision, recall, density and coverage, and with `train` the share of copies are in the report too.
    Under the exact EMD, on a CPU, only those distances are computed that a nearest neighbour may depend on, with the
    same numbers to the bit; precision, recall, density and coverage need them all.
    What looks like a mistake (ranges, axes, set sizes, a cloud in two sets) is warned of before anything is computed,
    and noted in the report.

    Args:
        samples: generated clouds, (S, N, 3) or `Clouds`, in the units of the reference.
        reference: clouds they are held against, (R, N, 3) or `Clouds`; unseen in training.
        train: the training set. Its row, |S| of its clouds drawn by `seed`, is what memorisation scores.
        protocol: a preset's name, or a `Protocol`.
        second: another sampling of the reference's shapes. Its row is what perfect samples of the same shapes score;
            where the reference has twice the points that are used, its unused points serve.
        distances: which columns to compute: "cd", "emd", both or none.
        emd_clouds: at most so many clouds of each set under EMD, drawn by `seed`; None is all; "auto" is 100 under the
            exact EMD, 64 under those in print.
        emd_points: at most so many points of each cloud under EMD; None is all; "auto" is 2048, and 512.
        full: compute every EMD, for precision, recall, density and coverage under it.
        features: trained models on whose features, or codes, the sets are compared too.
        drop_bad: leave out clouds with NaN or infinity, counting and naming them; else they are an error.
        seed: of all draws, from generators of their own: torch's global one is not touched.
        tiles: a folder for finished parts of the distance matrices: an evaluation that was killed goes on from there.
        progress: called with the pairs done and the seconds left, first with an estimate.

    Under torch.distributed the ranks share the distances, and all return the same report: that of one process.

    Raises:
        ValueError: a set is empty, not (S, N, 3), not finite, or of another number of points; or the protocol or a
            distance is unknown.
    """
    protocol = named(protocol)
    columns = _columns(protocol, distances)
    usual_clouds, usual_points = _EXACT_LIMITS if protocol.emd == "exact" else _SOFT_LIMITS
    most_clouds = _limit("emd_clouds", emd_clouds, usual_clouds)
    most_points = _limit("emd_points", emd_points, usual_points)
    sets = prepare(protocol, samples, reference, train, second, drop_bad, seed)
    for role, clouds in sets.raw.items():
        if features and len(clouds) < 2:
            raise ValueError(f"{role}: must be two clouds or more to be compared by features (--features), got one")
    for warning in sets.warnings:
        warnings.warn(warning, stacklevel=2)
    measured = {"cd": sets, "emd": sets.thinned(protocol, most_clouds, most_points, seed)}
    grid = Grid.around(sets.reference.points) if protocol.grid == "reference" else ABSOLUTE
    found, notes = _occupancy(sets, grid, seed)

    blocks: dict[tuple[str, str, str], Block] = {}
    # On a GPU all distances take less time than the search for those that are needed.
    sparse = not full and not sets.reference.points.is_cuda
    nearest = {column: sparse and distance == "exact" for column, distance in columns.items()}
    for column, distance in columns.items():
        blocks |= _blocks(column, distance, measured[column], nearest[column])
    copies = None
    if "cd" in columns and sets.train and sets.train.size > 1:
        copies = CopySearch.of(sets.rows[SAMPLES], sets.train, seed)
        blocks["cd", SAMPLES, "train"] = copies.block
    matrices = pair_matrices(blocks, TileStore(tiles) if tiles is not None else None, progress)
    for column in columns:
        among_reference = matrices[column, "reference", "reference"]
        for name, row in found.items():
            between, among = matrices[column, name, "reference"], matrices[column, name, name]
            covering = matrices[column, "reference", name].T if columns[column] == _COVERS_FROM_SAMPLES else between
            row.add_neighbours(column, between, among, among_reference, covering, seed)
            if not nearest[column] and min(between.shape) > _BALLS:
                balls = asdict(manifolds(between, among, among_reference, _BALLS))
                row.values |= {f"{metric}_{column}": value for metric, value in balls.items()}
    if copies:
        result = copies.finish(matrices["cd", SAMPLES, "train"])
        found[SAMPLES].values |= {"copies": result.copies, "novelty": result.ratio}
        notes.append(copies.describe(result))
    for space in features:
        for name, row in found.items():
            values, remarks = space.compare(sets.raw[name], sets.raw["reference"], seed)
            row.values |= values
            notes += [remark for remark in remarks if remark not in notes]
    deviations = measured["emd" if "emd" in columns else "cd"].deviations
    if "emd" in distances and protocol.emd is None:
        notes.append(f"EMD: the protocol {protocol.name} has none")
    return Report(
        protocol=protocol.stamp(
            seed=seed,
            counts={column: _counts(measured[column]) for column in ("cd", *columns)},
            deviations=list(deviations),
        ),
        version=pcgen.__version__,
        samples=sets.rows[SAMPLES].describe(),
        reference=sets.reference.describe(),
        train=sets.train.describe() if sets.train else None,
        grid={"centre": list(grid.centre), "radius": grid.radius},
        rows=tuple(Row(name, len(sets.rows[name]), row.values, row.intervals) for name, row in found.items()),
        notes=(*sets.warnings, *(d for d in deviations if d not in sets.warnings), *sets.notes, *notes),
    )


@dataclass
class _Found:
    """The metrics of one row, as they are found."""

    values: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)

    def add_neighbours(
        self, column: str, between: Tensor, among: Tensor, among_reference: Tensor, covering: Tensor, seed: int
    ) -> None:
        """Add the metrics of nearest neighbours under one distance.

        Args:
            column: "cd" or "emd".
            between: distances of the row's clouds to the reference, (S, R).
            among: of the row's clouds to each other, (S, S).
            among_reference: of the reference to itself, (R, R).
            covering: (S, R) too, for the coverage.
            seed: of the intervals.
        """
        told_apart = one_nna(between, among, among_reference)
        self.values |= {
            f"mmd_{column}": mmd(between),
            f"cov_{column}": coverage(covering),
            f"one_nna_{column}": told_apart.accuracy,
            f"one_nna_{column}_samples": told_apart.samples,
            f"one_nna_{column}_reference": told_apart.reference,
        }
        self.intervals |= {
            f"mmd_{column}": mean_interval(between.amin(0), seed=seed),
            f"cov_{column}": mean_interval(covered(covering), seed=seed),
            f"one_nna_{column}": mean_interval(*one_nna_correct(between, among, among_reference), seed=seed),
        }


def _limit(name: str, limit: int | Literal["auto"] | None, usual: int) -> int | None:
    if limit == "auto":
        return usual
    if limit is not None and limit < 1:
        raise ValueError(f'{name}: must be at least 1, None for all, or "auto", got {limit}')
    return limit


def _columns(protocol: Protocol, distances: Collection[str]) -> dict[str, str]:
    """The distance of each column, in order."""
    asked = [choose(name, ("cd", "emd"), "distances") for name in distances]
    pairs = (("cd", "chamfer"), ("emd", protocol.emd))
    return {column: distance for column, distance in pairs if column in asked and distance}


def _blocks(column: str, distance: str, sets: Prepared, nearest: bool) -> dict[tuple[str, str, str], Block]:
    """Every row against the reference and itself, and the reference against itself once for all rows."""
    reference = sets.reference.points
    block = Block("reference x reference", distance, reference, reference, nearest)
    blocks = {(column, "reference", "reference"): block}
    for name, row in sets.rows.items():
        between = (column, name, "reference")
        blocks[between] = Block(f"{name} x reference", distance, row.points, reference, nearest)
        if distance == _COVERS_FROM_SAMPLES:
            blocks[column, "reference", name] = Block(f"reference x {name}", distance, reference, row.points)
        # 1-NNA asks of a sample whether another sample is as near as the nearest reference cloud, no more.
        among = Block(f"{name} x {name}", distance, row.points, row.points, nearest, between if nearest else None)
        blocks[column, name, name] = among
    return blocks


def _occupancy(sets: Prepared, grid: Grid, seed: int) -> tuple[dict[str, _Found], list[str]]:
    """The JSD of every row, and what is to be said of the grid."""
    reference, outside = _cell_counts(sets.reference, grid)
    notes = [f"JSD: grid in the ball of radius {grid.radius:.4g} around ({', '.join(f'{c:.4g}' for c in grid.centre)})"]
    shares = {"reference": outside}
    found = {}
    for name, row in sets.rows.items():
        counts, shares[name] = _cell_counts(row, grid)
        value = float(jsd_of_counts(counts.sum(0), reference.sum(0)))
        found[name] = _Found({"jsd": value}, {"jsd": jsd_interval(counts, reference, seed)})
    outside_of = [f"{100 * share:.2g}% of the {name}" for name, share in shares.items() if share]
    if outside_of:
        notes.append(f"JSD: points outside the ball, counted at its border: {', '.join(outside_of)}")
    return found, notes


def _cell_counts(clouds: MeasuredSet, grid: Grid) -> tuple[Tensor, float]:
    """Points of each cloud in each cell, (S, cells), and the share of points outside the ball."""
    cells, outside = grid.cells(clouds.points)  # (S, N)
    counts = torch.zeros(len(clouds), CELLS, dtype=torch.int32)
    counts.scatter_add_(1, cells.cpu(), torch.ones_like(cells, dtype=torch.int32).cpu())
    return counts, outside / cells.numel()


def _counts(sets: Prepared) -> dict[str, int]:
    return {"samples": len(sets.rows[SAMPLES]), "reference": len(sets.reference), "points": sets.reference.size}
