"""Points of clouds in a common order, given by a template."""

import torch
from torch import Tensor, nn

from pcgen import ops
from pcgen.errors import at_least

__all__ = ["TemplateOrder"]


class TemplateOrder(nn.Module):
    """For each point t_i of a template the nearest point of a cloud, as a vector whose entries correspond among clouds.

        y_i = argmin over points p of the cloud of |p - t_i|

    The result depends neither on the order of the cloud's points nor on their number M. Some points may occur several
    times, others not at all.

    Args:
        points: number of points of the template, N. Before `fit` they are uniform in [-1, 1]^3.

    Shapes: (B, M, 3) -> (B, 3 N).

    Raises:
        ValueError: no points.

    References:
        Prokudin, Lassner, Romero (2019). Efficient Learning on Point Clouds with Basis Point Sets. (There the basis is
        uniform in a ball; here it consists of points of the data.)
    """

    template: Tensor

    def __init__(self, points: int) -> None:
        super().__init__()
        at_least(1, points=points)
        self.register_buffer("template", 2 * torch.rand(points, 3) - 1)

    @torch.no_grad()
    def fit(self, clouds: Tensor) -> None:
        """Choose the template at random from the points of all clouds (S, M, 3), so that it is dense where they are."""
        among = clouds.flatten(0, 1)
        self.template.copy_(among[torch.randint(len(among), (len(self.template),), device=among.device)])

    def forward(self, x: Tensor) -> Tensor:
        _, index = ops.knn(self.template.to(x.dtype).expand(len(x), -1, -1), x, 1)  # (B, N, 1)
        return ops.take_points(x, index[:, :, 0]).flatten(1)
