"""PointNet++: PointNet on the neighbourhoods of a few centres, then on theirs, so that detail is seen where it is."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pcgen import ops
from pcgen.nets.pointnet import PointNet

__all__ = ["PointNet2", "spread"]


class PointNet2(nn.Module):
    """Hierarchical encoder of clouds: PointNet on the ball around each of a few centres, level after level.

        f'_i = max over j in ball(i) of h([f_j, p_j - p_i]);   code = max over the last centres i of g([f_i, p_i])

    The convolution is torch-geometric's `PointNetConv`, the neighbours are pcgen's. Each cloud is first put in
    farthest-point order from its outermost point (`spread`). The centres of every level are then the first points,
    which is what farthest-point sampling would choose level by level, and the first points in a ball are themselves
    spread over it: the code does not depend on the order of the points, unlike with balls of the first points as given.

    Args:
        code: width of the code, D.
        centres: centres of each level; a cloud of fewer points has all of them as centres.
        radii: radius of the balls of each level, in the unit of the clouds, meant to be in the unit sphere.
        neighbours: most points of a ball, at each level.
        widths: of the perceptron h at each level, and last of g before the code; the defaults are the paper's single
            scale grouping.

    Shapes: (B, N, 3) -> (B, code).

    Raises:
        ValueError: the levels differ in number, or a size is not positive.

    References:
        Qi, Yi, Su, Guibas (2017). PointNet++: Deep Hierarchical Feature Learning on Point Sets in a Metric Space.
    """

    def __init__(
        self,
        code: int = 1024,
        *,
        centres: Sequence[int] = (512, 128),
        radii: Sequence[float] = (0.2, 0.4),
        neighbours: Sequence[int] = (32, 64),
        widths: Sequence[Sequence[int]] = ((64, 64, 128), (128, 128, 256), (256, 512)),
    ) -> None:
        from pcgen.nets.ball_conv import BallConv

        super().__init__()
        for name, sizes, levels in (
            ("radii", radii, len(centres)),
            ("neighbours", neighbours, len(centres)),
            ("widths", widths, len(centres) + 1),
        ):
            if len(sizes) != levels:
                raise ValueError(
                    f"{name}: must be {levels} for {len(centres)} levels of centres {list(centres)}, got {list(sizes)}"
                )
        for name, numbers in (("centres", centres), ("radii", radii), ("neighbours", neighbours)):
            if not numbers or not min(numbers) > 0:
                raise ValueError(f"{name}: must be one positive number for each level, got {list(numbers)}")
        for level in widths:
            if not level or min(level) < 1:
                raise ValueError(f"widths: must be at least one width of at least 1 for each level, got {list(level)}")
        self.centres = tuple(centres)
        self.levels = nn.ModuleList()
        channels = 0
        for level, radius, most in zip(widths[:-1], radii, neighbours, strict=True):
            self.levels.append(BallConv(channels, level, radius, most))
            channels = level[-1]
        self.whole = PointNet(code, widths=widths[-1], channels=channels + 3)

    def forward(self, x: Tensor) -> Tensor:
        points = spread(x)  # (B, N, 3)
        features = points.new_empty(points.shape[0] * points.shape[1], 0)  # (B*N, C), none yet
        for level, count in zip(self.levels, self.centres, strict=True):
            centres = points[:, :count]  # (B, M, 3)
            features = level(features, points, centres)  # (B*M, C)
            points = centres
        h = torch.cat((features.view(*points.shape[:2], -1), points), 2)
        code: Tensor = self.whole(h)  # (B, code)
        return code


@torch.no_grad()
def spread(x: Tensor) -> Tensor:
    """The same clouds with their points in farthest-point order from the point farthest from the mean, (B, N, 3).

    Equal sets of points come out alike however they are ordered, but for ties between distances.
    """
    start = (x - x.mean(1, keepdim=True)).square().sum(2).argmax(1)  # (B,)
    return ops.take_points(x, ops.farthest_points(x, x.shape[1], start))
