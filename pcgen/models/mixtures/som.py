"""Self-organising map."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from pcgen.errors import at_least, positive
from pcgen.models.base import Batch, Facts, GenerativeModel, Recipe
from pcgen.models.shape import accepted
from pcgen.ranks import reduce_sum

__all__ = ["SOM"]

_ROWS_A_UNIT, _SIDE = 10, 10  # what the data's number of rows gives: units for so many rows each, at most 10 x 10
_BELIEF = 5.0  # rows of the common spread that each unit's own is mixed with
_RIDGE = 1e-6  # of the mean variance of what is left over, added in every direction
_FAR = 1e-30  # the weight of a unit's neighbours below which it stays where it is


class SOM(GenerativeModel):
    """A self-organising map: a grid of units in the space of the data, whose neighbours on the grid are similar.

        c(x) = the unit u whose m_u is nearest to x,  h(u, v) = exp(-|position of u - position of v|^2 / (2 r^2))
        m_u <- sum over rows of h(u, c(x)) x / sum over rows of h(u, c(x))

    The radius r falls from half of the grid's longer side to `radius`, by equal factors. The paper moves the units row
    by row, with a decreasing learning rate. This is the batch rule, whose step is the fixed point of that rule at a
    fixed radius: it has no learning rate, and does not depend on the order of the rows. Units start at random rows, as
    in the paper; the wide radius at first orders them. One update is one step for the rows of the batch, which by the
    recipe are all training rows.

    The map has no density of its own. To sample, a unit is chosen in proportion to its number of training rows, and its
    rows are assumed to be Gaussian, about their mean, with a covariance shared by all units and scaled for each:

        x ~ N(mean of unit u's rows, s_u C),  C = the mean of (x - their mean)(x - their mean)^T over all rows

    `encode` gives the position of the nearest unit, row and column of the grid; `decode` gives the vector at a
    position, interpolated between the four nearest units.

    Args:
        shape: (dim,).
        height: rows of the grid; 1 is a map along a line.
        width: columns of the grid.
        radius: of the neighbourhood at the end, in steps of the grid; at most half of its longer side.

    Logged:
        quantisation: mean distance of rows to their nearest unit.
        topographic: share of the rows whose nearest and second nearest unit are not neighbours on the grid.
        radius: of the neighbourhood, in steps of the grid.

    Raises:
        ValueError: a shape that is not (dim,), an argument out of range, or a grid of one unit.

    References:
        Kohonen (1982). Self-Organized Formation of Topologically Correct Feature Maps.
        Kohonen (2001). Self-Organizing Maps. (The batch rule.)
        Kiviluoto (1996). Topology Preservation in Self-Organizing Maps. (The topographic error.)
    """

    objective: ClassVar[str] = "none: distances to units, smoothed over neighbours"
    learning: ClassVar[str] = "the batch rule, with decreasing radius"
    sampling: ClassVar[str] = "a unit, then a Gaussian of its rows"
    follows_progress = True
    units: Tensor
    shares: Tensor
    centres: Tensor
    sizes: Tensor
    factor: Tensor
    places: Tensor

    def __init__(self, shape: Sequence[int], height: int = _SIDE, width: int = _SIDE, radius: float = 0.5) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "som")
        at_least(1, height=height, width=width)
        positive(radius=radius)
        if height * width < 2:
            raise ValueError("height, width: must make a grid of two units or more, got 1 x 1")
        widest = max(height, width) / 2
        if radius > widest:
            raise ValueError(
                f"radius: must be at most {widest:g}, half of the grid's longer side, from which it falls, got "
                f"{radius:g}; give a smaller one, or make the grid larger"
            )
        (dim,) = self.shape
        self.code_shape = (2,)
        self.height, self.width, self.radius, self.widest = height, width, radius, widest
        count = height * width
        self.register_buffer("units", torch.zeros(count, dim))  # m, rows of the grid one after the other
        self.register_buffer("shares", torch.full((count,), 1 / count))  # of the training rows
        self.register_buffer("centres", torch.zeros(count, dim))  # of what falls to each unit
        self.register_buffer("sizes", torch.ones(count))  # s
        self.register_buffer("factor", torch.eye(dim))  # lower triangular, C = factor factor^T
        down, across = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        places = torch.stack([down.flatten(), across.flatten()], dim=1).float()
        self.register_buffer("places", places, persistent=False)  # (U, 2)

    @classmethod
    def arguments(cls, facts: Facts) -> dict[str, Any]:
        """A square grid with ten rows of the data for each unit, at most 10 x 10.

        Codes of several samplings of a cloud count as rows of their own.
        """
        side = max(2, min(_SIDE, int((facts.rows / _ROWS_A_UNIT) ** 0.5)))
        return {"shape": facts.shape, "height": side, "width": side}

    @property
    def recipe(self) -> Recipe:
        return Recipe(steps=100, batch_size=None)

    @torch.no_grad()
    def setup(self, data: Batch) -> None:
        self.units.copy_(data.x[torch.randint(len(data), (len(self.units),), device=data.x.device)])

    @torch.no_grad()
    def update(self, batch: Batch) -> dict[str, Tensor]:
        x = batch.x
        radius = self.widest * (self.radius / self.widest) ** batch.progress
        count, total = self._gather(x, self._nearest(x)[:, 0])
        near = (-self._apart().square().sum(2) / (2 * radius**2)).exp()  # h, (U, U)
        weight = near @ count
        moved = (near @ total) / weight.clamp_min(_FAR)[:, None]
        self.units.copy_(torch.where(weight[:, None] > _FAR, moved, self.units))
        self._fit_noise(x)
        return {
            "quantisation": self.quantisation_error(x),
            "topographic": self.topographic_error(x),
            "radius": x.new_tensor(radius),
        }

    def quantisation_error(self, x: Tensor) -> Tensor:
        """The mean distance of rows (B, D) to their nearest units, ()."""
        away: Tensor = x - self.units[self._nearest(x)[:, 0]]
        return away.square().sum(1).sqrt().mean()

    def topographic_error(self, x: Tensor) -> Tensor:
        """The share of rows (B, D) whose two nearest units are not neighbours on the grid, diagonals included, ()."""
        first, second = self._nearest(x, 2).T
        steps = (self.places[first] - self.places[second]).abs().amax(1)
        return (steps > 1).float().mean()

    def encode(self, x: Tensor) -> Tensor:
        """Positions on the map, (B, D) -> (B, 2): row and column of the nearest unit."""
        return self.places[self._nearest(x)[:, 0]]

    def decode(self, z: Tensor) -> Tensor:
        """The vectors at positions (B, 2) of the map, interpolated between units, and clamped at its edge: (B, D)."""
        last = z.new_tensor([self.height - 1, self.width - 1])
        place = torch.minimum(z.clamp_min(0), last)
        low = place.floor()
        high = torch.minimum(low + 1, last)
        down, across = (place - low).split(1, dim=1)  # (B, 1)
        (top, left), (bottom, right) = low.long().T, high.long().T
        units = self.map()
        above = (1 - across) * units[top, left] + across * units[top, right]
        below = (1 - across) * units[bottom, left] + across * units[bottom, right]
        found: Tensor = (1 - down) * above + down * below
        return found

    def map(self) -> Tensor:
        """The units, (height, width, D)."""
        return self.units.view(self.height, self.width, -1)

    @torch.no_grad()
    def draw(self, n: int) -> Tensor:
        unit = torch.multinomial(self.shares, n, replacement=True)
        noise = torch.randn(n, *self.shape, device=self.device) @ self.factor.T
        return self.centres[unit] + self.sizes[unit].sqrt()[:, None] * noise

    def _nearest(self, x: Tensor, count: int = 1) -> Tensor:
        """The nearest units of rows (B, D), the nearest first, (B, count)."""
        return torch.cdist(x, self.units).topk(count, largest=False).indices

    def _apart(self) -> Tensor:
        """Steps down and across from each unit to each, (U, U, 2)."""
        return self.places[:, None] - self.places

    def _gather(self, x: Tensor, unit: Tensor) -> tuple[Tensor, Tensor]:
        """The number of rows of all ranks at each unit, (U,), and their sum, (U, D)."""
        count = torch.bincount(unit, minlength=len(self.units)).to(x.dtype)
        total = torch.zeros_like(self.units).index_add_(0, unit, x)
        reduce_sum([count, total])
        return count, total

    def _fit_noise(self, x: Tensor) -> None:
        """Fit the sampling distribution to the rows of each unit."""
        unit = self._nearest(x)[:, 0]
        count, total = self._gather(x, unit)
        self.shares.copy_(count / count.sum())
        found = torch.where(count[:, None] > 0, total / count.clamp_min(1)[:, None], self.units)
        self.centres.copy_(found)
        rest = (x - found[unit]).double()  # (B, D)
        scatter = rest.T @ rest
        squared = torch.zeros_like(count).index_add_(0, unit, rest.square().sum(1).to(x.dtype))  # (U,)
        reduce_sum([scatter, squared])
        covariance = scatter / count.sum()
        common = covariance.trace()
        if not bool(torch.isfinite(common)):
            raise FloatingPointError("som: the rows of the batch are not finite; leave such rows out")
        if common > 0:
            least = _RIDGE * common / len(covariance) * torch.eye(len(covariance)).to(covariance)
            self.factor.copy_(torch.linalg.cholesky(covariance + least))
            self.sizes.copy_((squared / common + _BELIEF) / (count + _BELIEF))
        else:  # every row is a unit
            self.factor.zero_()
