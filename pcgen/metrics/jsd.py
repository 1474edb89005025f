"""Jensen-Shannon divergence between the occupancies of two sets of clouds."""

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from pcgen.metrics._checks import check_clouds

__all__ = ["ABSOLUTE", "CELLS", "JSD", "Grid", "jsd", "jsd_of_counts"]

RESOLUTION = 28
CELLS = 10144  # those of the 28^3 cells whose centre is in the ball
_OUTERMOST = 27  # a centre's largest coordinate, and the ball's radius, in units of half a spacing
_ROUNDING = 1e-6  # relative tolerance: float32 clouds that were scaled to fill the ball must not be outside
_INSIDE = 0.999  # share of a reference's points in the ball around it, so that outliers do not determine its size
# Shifts in spacings of x, y and z, so that a point at the same distance from several centres is in the cell of least
# index. They are larger than the rounding of float64, and negligible compared with a cell.
_NUDGE = (1e-9, 2e-11, 4e-13)
_CHUNK = 1 << 15  # points per step where all outer centres are compared


@dataclass(frozen=True)
class Grid:
    """The grid for counts of occupancy: those of 28^3 centres in a cube that are in the ball that touches its faces.

    In units of the ball's diameter, the centres are at -1/2 + i/27 for i = 0..27 on each axis, and the 10,144 of 21,952
    with norm at most 1/2 are kept. `Grid()` is the grid of the papers: the ball of radius 1/2 at the origin.
    """

    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    radius: float = 0.5

    @classmethod
    def around(cls, reference: Tensor) -> "Grid":
        """The grid around a reference (R, N, 3): its ball is centred at the points' median and contains 99.9% of them.

        The centre is the median of each coordinate, and the radius the 99.9% quantile of distances from it, over all
        points of all clouds. A ball with all points could be very large because of one outlier, with the clouds in few
        of its cells.

        Raises:
            ValueError: `reference` is not a finite set of clouds, or nearly all its points are equal.
        """
        points = check_clouds(reference, "reference").detach().double().flatten(0, 1)  # (R*N, 3)
        centre = points.median(0).values
        inside = math.ceil(_INSIDE * len(points))
        radius = float((points - centre).norm(dim=1).kthvalue(inside).values)
        if radius == 0.0:
            raise ValueError(
                f"reference: must have points at more than one place, got {inside} of {len(points)} points at "
                f"{centre.tolist()}"
            )
        x, y, z = centre.tolist()
        return cls((x, y, z), radius)

    def centres(self) -> Tensor:
        """The kept centres, (10144, 3) float64, in the order of the cells that `cells` returns."""
        _, kept = _lattice()
        unit = (kept.double() * 2 - _OUTERMOST) / _OUTERMOST
        return unit * self.radius + torch.tensor(self.centre, dtype=torch.float64)

    def cells(self, points: Tensor) -> tuple[Tensor, int]:
        """The cell of the kept centre nearest to each point, (S, N) int64, and the number of points outside the ball.

        A point outside the ball also belongs to its nearest kept centre. A point at the same distance from several
        centres belongs to the one of least index, as in a search through a list of centres.
        """
        shape = points.shape[:-1]
        centre = torch.tensor(self.centre, dtype=torch.float64, device=points.device)
        place = (points.detach().double() - centre) / self.radius  # in the unit ball
        outside = int((place.norm(dim=-1) > 1 + _ROUNDING).sum())
        place = (place * (_OUTERMOST / 2)).reshape(-1, 3)  # in spacings: centres at -13.5, ..., -0.5, 0.5, ..., 13.5
        place = place - place.new_tensor(_NUDGE)
        number, _ = _lattice()
        number = number.to(points.device)
        half = RESOLUTION // 2
        i, j, k = (place.clamp(-half, half).floor().long() + half).clamp(0, RESOLUTION - 1).unbind(-1)
        cell = number[i, j, k]  # the nearest of all 28^3 centres; -1 if it is not kept
        lost = (cell < 0).nonzero().flatten()
        for rows in lost.split(_CHUNK):
            i, j, k = _nearest_outer(place[rows]).unbind(-1)
            cell[rows] = number[i, j, k]
        return cell.reshape(shape), outside

    def counts(self, points: Tensor) -> tuple[Tensor, int]:
        """Points of all clouds (S, N, 3) in each cell, (10144,) int64, and how many of them are outside the ball."""
        cells, outside = self.cells(points)
        return torch.bincount(cells.flatten(), minlength=CELLS), outside


ABSOLUTE = Grid()


@dataclass(frozen=True)
class JSD:
    """The divergence in bits, and the numbers of points of each set outside the grid's ball."""

    value: float
    samples_outside: int
    reference_outside: int


def jsd(samples: Tensor, reference: Tensor, grid: Grid = ABSOLUTE) -> JSD:
    """Jensen-Shannon divergence of the pooled occupancies of two sets of clouds, in bits: 0 is equal, 1 disjoint.

    JSD(P, Q) = H((P + Q) / 2) - (H(P) + H(Q)) / 2, where P and Q are the shares of all points of a set in each of the
    10,144 cells of `grid` and H is the entropy to base 2. It is a divergence, not its square root.

    Args:
        samples: (S, N, 3), in the units of the grid.
        reference: (R, M, 3), in the same units.
        grid: the cells.

    Raises:
        ValueError: a set is empty, not of shape (S, N, 3), or not finite.

    Achlioptas, Diamanti, Mitliagkas, Guibas (2018), Learning Representations and Generative Models for 3D Point Clouds.
    """
    p, samples_outside = grid.counts(check_clouds(samples, "samples"))
    q, reference_outside = grid.counts(check_clouds(reference, "reference"))
    return JSD(float(jsd_of_counts(p, q)), samples_outside, reference_outside)


def jsd_of_counts(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence, in bits, of counts or weights (..., cells): 0 to 1, (...)."""
    p = p.double() / p.sum(-1, keepdim=True)
    q = q.double() / q.sum(-1, keepdim=True)
    return (_entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2).clamp(0.0, 1.0)


def _entropy(p: Tensor) -> Tensor:
    bits: Tensor = torch.special.entr(p).sum(-1) / math.log(2)
    return bits


@cache
def _lattice() -> tuple[Tensor, Tensor]:
    """The index of each kept centre, (28, 28, 28), -1 for the others; and the positions of kept centres, (10144, 3).

    Coordinates are odd integers in units of half a spacing, so "norm <= 1/2" has no rounding. A sum of three odd
    squares is 3 modulo 8, and 27^2 is 1 modulo 8, so no centre is on the sphere.
    """
    axis = (torch.arange(RESOLUTION) * 2 - _OUTERMOST) ** 2
    kept = axis[:, None, None] + axis[None, :, None] + axis[None, None, :] <= _OUTERMOST**2  # (28, 28, 28)
    places = kept.nonzero()
    number = torch.full(kept.shape, -1)
    number[kept] = torch.arange(len(places))
    return number, places


@cache
def _outer_wedge() -> Tensor:
    """Kept centres, x >= y >= z > 0, with an outward neighbour that is not kept, in spacings, (W, 3) float64."""
    axis = torch.arange(RESOLUTION // 2) * 2 + 1
    x, y, z = torch.meshgrid(axis, axis, axis, indexing="ij")
    wedge = torch.stack((x, y, z), -1)[(x >= y) & (y >= z)]
    norm = (wedge**2).sum(1)
    # One step outward is two half spacings, (c + 2)^2 = c^2 + 4 c + 4; the norm grows most along x, the largest.
    outer = (norm <= _OUTERMOST**2) & (norm + 4 * wedge[:, 0] + 4 > _OUTERMOST**2)
    return wedge[outer].double() / 2


def _nearest_outer(place: Tensor) -> Tensor:
    """Indices 0..27 of the kept centre nearest to each point (P, 3) outside the cubes of all kept centres, (P, 3).

    The kept centres have all symmetries of the cube. So for a point that is mapped to x >= y >= z >= 0, the nearest
    centre is in that wedge. A centre whose outward neighbours are all kept is only the nearest of points in its own
    cube, so it need not be compared.
    """
    wedge = _outer_wedge().to(place.device)
    folded, order = place.abs().sort(dim=1, descending=True)
    # |x - c|^2 = |x|^2 - 2 (x.c - |c|^2 / 2): the nearest centre maximises the bracket.
    best = (folded @ wedge.T - (wedge**2).sum(1) / 2).argmax(1)
    steps = torch.empty_like(folded).scatter_(1, order, wedge[best])  # in the original order of axes, absolute values
    return (torch.where(place < 0, -steps, steps) + _OUTERMOST / 2).round().long()
