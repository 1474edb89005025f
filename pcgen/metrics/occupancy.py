"""The JSD of every row of an evaluation."""

from statistics import fmean

import torch
from torch import Tensor

from pcgen.metrics.batches import batches
from pcgen.metrics.intervals import jsd_interval
from pcgen.metrics.jsd import ABSOLUTE, CELLS, Grid, jsd_of_counts
from pcgen.metrics.preparation import Prepared
from pcgen.metrics.protocols import Protocol
from pcgen.metrics.sets import REFERENCE, MeasuredSet

__all__ = ["FEW_OUTSIDE", "Occupancy"]

FEW_OUTSIDE = "JSD: few"
"""How the note on points outside the ball begins where they are of no matter; of many there is a warning."""
_MANY_OUTSIDE = 0.01  # a larger share of a set's points outside the grid's ball gives a warning
_STRETCHED = 4.0  # ratio of the ball's radius to that of a ball with half of the points; 2.6 for a Gaussian


class Occupancy:
    """Counts of every set's points in the cells of the protocol's grid.

    Attributes:
        grid: the grid.
        notes: position of the grid, and number of points outside its ball.
        warnings: reasons why the JSD means little: many points outside, or a ball that is mostly empty.
    """

    def __init__(self, sets: Prepared, protocol: Protocol) -> None:
        """Count the points of the prepared sets."""
        reference = sets.reference.points
        self.grid = Grid.around(reference) if protocol.grid == "reference" else ABSOLUTE
        self._batch = protocol.batch
        self._counts: dict[str, Tensor] = {}
        centre = ", ".join(f"{c:.4g}" for c in self.grid.centre)
        self.notes = [f"JSD: grid in the ball of radius {self.grid.radius:.4g} around ({centre})"]
        self.warnings: list[str] = []
        outside, many = [], False
        for name, clouds in {**sets.rows, REFERENCE: sets.reference}.items():
            self._counts[name], beyond = _cell_counts(clouds, self.grid)
            total = clouds.points.shape[0] * clouds.points.shape[1]
            outside += [f"{beyond:,} of {total:,} of the {name}"] if beyond else []
            many |= beyond > _MANY_OUTSIDE * total
        if outside:
            said = f"points outside the ball, counted at its border: {', '.join(outside)}"
            if many:
                self.warnings.append(f"JSD: {said}")
            else:
                self.notes.append(f"{FEW_OUTSIDE} {said}")
        if protocol.grid == "reference":
            self.warnings += _stretched(reference, self.grid)

    def jsd(self, name: str) -> tuple[float, tuple[float, float]]:
        """The JSD of the row of that name against the reference, and its 95% interval."""
        found = []
        rows, reference = self._counts[name], self._counts[REFERENCE]
        for part in batches(len(rows), len(reference), self._batch):
            a, b = rows[part], reference[part]
            found.append((float(jsd_of_counts(a.sum(0), b.sum(0))), *jsd_interval(a, b)))
        value, low, high = (fmean(each) for each in zip(*found, strict=True))
        # The standard deviation of a mean over batches is that of one batch, divided by the root of their number.
        narrow = len(found) ** -0.5
        return value, (value - narrow * (value - low), value + narrow * (high - value))


def _cell_counts(clouds: MeasuredSet, grid: Grid) -> tuple[Tensor, int]:
    """Numbers of each cloud's points in each cell, (S, cells), and the number of points outside the ball."""
    cells, outside = grid.cells(clouds.points)  # (S, N)
    counts = torch.zeros(len(clouds), CELLS, dtype=torch.int32)
    counts.scatter_add_(1, cells.cpu(), torch.ones(cells.shape, dtype=torch.int32))
    return counts, outside


def _stretched(reference: Tensor, grid: Grid) -> list[str]:
    """A warning if distant clouds make the ball too large."""
    centre = torch.tensor(grid.centre, dtype=torch.float64, device=reference.device)
    half = float((reference.double() - centre).norm(dim=-1).median())
    if grid.radius <= _STRETCHED * half:
        return []
    return [
        f"JSD: the ball of radius {grid.radius:.3g} is mostly empty, half of the reference's points are within "
        f"{half:.3g} of its centre; are there outliers in the reference?"
    ]
