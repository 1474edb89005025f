"""Points of clouds in an order that all clouds share."""

import torch
from torch import Tensor, nn

from pcgen import ops
from pcgen.errors import at_least

__all__ = ["TemplateOrder"]


class TemplateOrder(nn.Module):
    """For each point of a template the nearest point of a cloud: numbers whose place says what they are of.

        y_i = argmin over points p of the cloud of |p - t_i|

    The order of the cloud's points does not matter, and neither does how many there are. A point may come several
    times, and some do not come at all.

    Args:
        points: of the template, N. Before `fit` they are uniform in [-1, 1]^3.

    Shapes: (B, M, 3) -> (B, 3 N).

    Raises:
        ValueError: no points.

    References:
        Prokudin, Lassner, Romero (2019). Efficient Learning on Point Clouds with Basis Point Sets. (Its basis is a ball
        of points, ours the data's own.)
    """

    template: Tensor

    def __init__(self, points: int) -> None:
        super().__init__()
        at_least(1, points=points)
        self.register_buffer("template", 2 * torch.rand(points, 3) - 1)

    @torch.no_grad()
    def fit(self, clouds: Tensor) -> None:
        """Take the template's points from those of all clouds (S, M, 3), at random: it is dense where they are."""
        among = clouds.flatten(0, 1)
        self.template.copy_(among[torch.randint(len(among), (len(self.template),), device=among.device)])

    def forward(self, x: Tensor) -> Tensor:
        _, index = ops.knn(self.template.to(x.dtype).expand(len(x), -1, -1), x, 1)  # (B, N, 1)
        return ops.take_points(x, index[:, :, 0]).flatten(1)
