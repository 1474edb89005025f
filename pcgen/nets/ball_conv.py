"""torch-geometric's PointNet convolution on balls of points. Its import takes seconds: import this module lazily."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric import EdgeIndex
from torch_geometric.nn import MaxAggregation, PointNetConv

from pcgen import ops
from pcgen.nets.pointwise import PointwiseMLP

__all__ = ["BallConv", "ball_edges"]


class BallConv(nn.Module):
    """PointNet on the balls around some of the points.

        f'_i = max over j in ball(i) of h([f_j, p_j - p_i])

    Args:
        channels: features per point, C; 0 for none.
        widths: of the perceptron h.
        radius: of the balls, in the unit of the points.
        neighbours: maximum number of points of a ball, the first by index.

    Shapes: features (B*N, C) of points (B, N, 3), centres (B, M, 3) -> (B*M, widths[-1]).

    References:
        Qi, Yi, Su, Guibas (2017). PointNet++: Deep Hierarchical Feature Learning on Point Sets in a Metric Space.
    """

    def __init__(self, channels: int, widths: Sequence[int], radius: float, neighbours: int) -> None:
        super().__init__()
        self.radius, self.neighbours = radius, neighbours
        perceptron = PointwiseMLP((channels + 3, *widths))
        self.conv = PointNetConv(perceptron, add_self_loops=False, aggr=_SortedMax())

    def forward(self, features: Tensor, points: Tensor, centres: Tensor) -> Tensor:
        edges = ball_edges(centres, points, self.radius, self.neighbours)
        places = (points.flatten(0, 1), centres.flatten(0, 1))
        size = (len(places[0]), len(places[1]))
        out: Tensor = self.conv((features, None), places, EdgeIndex(edges, sparse_size=size, sort_order="col"))
        return out


@torch.no_grad()
def ball_edges(centres: Tensor, points: Tensor, radius: float, neighbours: int) -> Tensor:
    """Edges from points to the centres in whose ball they are, over the whole batch, in torch-geometric's format.

    Args:
        centres: (B, M, 3).
        points: (B, N, 3).
        radius: of the balls, in the clouds' unit.
        neighbours: maximum number of points of a ball, the first by index.

    Returns:
        (2, E) int64: indices of the B*N points, and of the B*M centres, in ascending order of the centres.
    """
    found = ops.ball_query(centres, points, radius, neighbours)  # (B, M, K)
    batch, count, _ = found.shape
    inside = found >= 0
    first = points.shape[1] * torch.arange(batch, device=found.device)  # (B,), the first point of each cloud
    sources = (found + first[:, None, None])[inside]
    targets = torch.arange(batch * count, device=found.device).repeat_interleave(inside.sum(2).flatten())
    return torch.stack((sources, targets))  # (2, E)


class _SortedMax(MaxAggregation):  # type: ignore[misc]
    """The maximum over runs of sorted edges; on a CPU it takes a third of the time of a scatter."""

    def forward(
        self,
        x: Tensor,
        index: Tensor | None = None,
        ptr: Tensor | None = None,
        dim_size: int | None = None,
        dim: int = -2,
    ) -> Tensor:
        # Without the index torch-geometric reduces runs; with it, it scatters.
        out: Tensor = super().forward(x, None, ptr, dim_size, dim)
        return out
