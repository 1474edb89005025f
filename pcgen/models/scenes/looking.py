"""Views of scenes: a plan of a whole scene from above, and a glimpse of the points in a box."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pcgen.nets.mlp import MLP

__all__ = ["Glimpse", "Look", "Plan"]

_LAYERS = 4  # heights that a plan tells apart
_WAVES = 2  # frequencies along each axis in what tells a cell's place
_REACH = 0.25  # how far from its cell a cell may place an object, in the frame
_EDGE = 1.2  # a glimpse sees a little beyond its box, or nothing would tell that the box is too small
_GLIMPSED = (32, 64)  # widths of a glimpse, on each point and on all


@dataclass(frozen=True)
class Look:
    """The features of each cell of the plan of scenes."""

    features: Tensor  # (B, C, cells)
    places: Tensor  # (B, 3, cells): where an object of each cell would be
    mass: Tensor  # (B, cells): logarithm of what is seen there
    summary: Tensor  # (B, C)

    def attend(self, query: Tensor, avoided: Tensor) -> tuple[Tensor, Tensor]:
        """The place that a query (B, C) attends to, (B, 3), and its feature, (B, C), with cells avoided (B, cells)."""
        logits = torch.einsum("bc,bcn->bn", query, self.features) + self.mass - avoided
        weight = logits.softmax(1)[:, None]
        return (self.places * weight).sum(2), (self.features * weight).sum(2)


class Plan(nn.Module):
    """A convolutional network of the cells of a grid seen from above, with a few layers of height.

    A cell's feature also has waves of its position, so a query can attend to any position, or avoid it.

    Args:
        grid: cells along x, and along z.
        width: channels of the network.
    """

    centres: Tensor
    waves: Tensor

    def __init__(self, grid: int, width: int) -> None:
        super().__init__()
        self.grid, self.width = grid, width + 4 * _WAVES
        side = (torch.arange(grid) + 0.5) * 2 / grid - 1
        centres = torch.stack(torch.meshgrid(side, side, indexing="ij"))  # (2, grid, grid)
        angles = torch.cat([math.pi / 2 * (k + 1) * centres for k in range(_WAVES)])
        self.register_buffer("centres", centres)
        self.register_buffer("waves", torch.cat([angles.sin(), angles.cos()]))  # (4 waves, grid, grid)
        self.net = nn.Sequential(
            nn.Conv2d(_LAYERS, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1)
        )
        self.shift = nn.Conv2d(width, 3, 1)

    def forward(self, u: Tensor, height: Tensor, weight: Tensor) -> Look:
        """Of points in the frame (B, N, 3), whose heights are within +- `height`, seen with weights (B, N)."""
        batch, g = len(u), self.grid
        x, z = (((u[..., axis] + 1) * (g / 2)).long().clamp(0, g - 1) for axis in (0, 2))
        layer = ((u[..., 1] / height + 1) * (_LAYERS / 2)).long().clamp(0, _LAYERS - 1)
        seen = u.new_zeros(batch, _LAYERS * g * g).scatter_add(1, (layer * g + x) * g + z, weight)
        seen = (seen * (g * g / u.shape[1])).view(batch, _LAYERS, g, g)  # 1 where points are spread over all cells
        features = self.net((4 * seen).log1p())
        shift = self.shift(features).tanh()
        places = torch.stack(
            [self.centres[0] + _REACH * shift[:, 0], height * shift[:, 1], self.centres[1] + _REACH * shift[:, 2]], 1
        )
        whole = torch.cat([features, self.waves.expand(batch, -1, g, g)], dim=1).flatten(2)
        mass = (seen.sum(1) + 0.01).log().flatten(1)
        summary = (features.mean((2, 3)), seen.mean((1, 2, 3))[:, None].expand(-1, 4 * _WAVES))
        return Look(whole, places.flatten(2), mass, torch.cat(summary, dim=1))


class Glimpse(nn.Module):
    """The content of a box: a perceptron of every point in it, in the box's own frame, and the maximum over points.

    Args:
        code: dimensions of the output.
    """

    def __init__(self, code: int) -> None:
        super().__init__()
        narrow, wide = _GLIMPSED
        self.each = MLP((3, narrow, wide), activation="silu")
        self.all = MLP((wide, wide, code), activation="silu")

    def forward(self, u: Tensor, where: Tensor) -> Tensor:
        """Of points (B, N, 3) in boxes (B, 4), centre and logarithm of half the size, (B, code)."""
        own = (u - where[:, None, :3]) * (-where[:, None, 3:]).exp()
        outside = (own.abs() > _EDGE).any(2, keepdim=True)
        features = self.each(own.clamp(-_EDGE, _EDGE)).relu().masked_fill(outside, 0.0)
        found: Tensor = self.all(features.amax(1))
        return found
