"""PointNet++: PointNet on the neighbourhoods of a few centres, level after level, for local detail."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pcgen import ops
from pcgen.errors import choose
from pcgen.nets.pointnet import PointNet

__all__ = ["GROUPINGS", "PointNet2", "spread"]

GROUPINGS = ("single_scale", "multi_resolution")


class PointNet2(nn.Module):
    """Hierarchical encoder of clouds: PointNet on the ball around each of a few centres, level after level.

        f'_i = max over j in ball(i) of h([f_j, p_j - p_i]);   code = max over the last centres i of g([f_i, p_i])

    The convolution is torch-geometric's `PointNetConv`; the neighbour search is pcgen's. First, each cloud is sorted in
    farthest-point order, from the point farthest from its mean (`spread`). Then the centres of each level are the first
    points, the same as those of farthest point sampling at each level. The first points in a ball are spread over the
    ball too. So the code does not depend on the order of the points, as it would if a ball had its first points in the
    given order.

    Args:
        code: width of the code, D.
        centres: number of centres of each level; in a cloud with fewer points, all points are centres.
        radii: radius of the balls of each level, in the unit of the clouds, which should be in the unit sphere.
        neighbours: maximum number of points of a ball, for each level.
        widths: of the perceptron h of each level, and at the end of g without the code; the defaults are the paper's
            single-scale grouping.
        grouping: "single_scale" or "multi_resolution".
        features: of every point besides its place, F, such as the 3 of a normal.

    Shapes: (B, N, 3 + F) -> (B, code).

    Raises:
        ValueError: the levels differ in number, a size is not positive, or an unknown grouping.

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
        grouping: str = "single_scale",
        features: int = 0,
    ) -> None:
        from pcgen.nets.ball_conv import BallConv

        super().__init__()
        several = choose(grouping, GROUPINGS, "grouping") == "multi_resolution"
        if several and code < 2:
            raise ValueError(f"code: must be at least 2 with multi-resolution grouping, got {code}")
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
        self.raw_levels = nn.ModuleList()  # of every level after the first, on the points of the cloud
        channels = features
        for level, radius, most in zip(widths[:-1], radii, neighbours, strict=True):
            if several and len(self.levels):
                self.raw_levels.append(BallConv(features, level, radius, most))
            self.levels.append(BallConv(channels, level, radius, most))
            channels = 2 * level[-1] if len(self.levels) > 1 and several else level[-1]
        of_cloud = code // 2 if several else 0
        self.whole = PointNet(code - of_cloud, widths=widths[-1], channels=channels + 3)
        self.raw_whole = PointNet(of_cloud, widths=widths[-1], channels=features + 3) if several else None

    def forward(self, x: Tensor) -> Tensor:
        cloud = spread(x)
        every, given = cloud[..., :3].contiguous(), cloud[..., 3:].flatten(0, 1)  # (B, N, 3), (B*N, F)
        points, features = every, given
        for place, (level, count) in enumerate(zip(self.levels, self.centres, strict=True)):
            centres = points[:, :count]  # (B, M, 3)
            features = level(features, points, centres)  # (B*M, C)
            if place and len(self.raw_levels):
                features = torch.cat((features, self.raw_levels[place - 1](given, every, centres)), 1)
            points = centres
        h = torch.cat((features.view(*points.shape[:2], -1), points), 2)
        code: Tensor = self.whole(h)  # (B, code)
        return code if self.raw_whole is None else torch.cat((code, self.raw_whole(cloud)), 1)


@torch.no_grad()
def spread(x: Tensor) -> Tensor:
    """The clouds, (B, N, 3 + F), with points in farthest-point order, starting at the point farthest from the mean.

    The result does not depend on the given order of the points, except for ties between distances.
    """
    points = x[..., :3].contiguous()
    start = (points - points.mean(1, keepdim=True)).square().sum(2).argmax(1)  # (B,)
    return ops.take_points(x, ops.farthest_points(points, points.shape[1], start))
