"""PointNet++ as a classifier."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from pcgen.errors import positive
from pcgen.models.classifiers.base import Classifier
from pcgen.nets.pointnet2 import PointNet2

__all__ = ["PointNet2Classifier"]


class PointNet2Classifier(Classifier):
    """Classifies a cloud by PointNets on the neighbourhoods of centres, level after level.

    Args:
        shape: (points, 3) of the clouds in training, or (points, 6) with the normal of every point as its features; any
            number of points can be classified.
        classes: the names of the classes, which labels are indices into.
        centres: centres of each level; None is half and an eighth of the points, as in the paper.
        radii: radius of the balls of each level, in clouds that are scaled into the unit sphere.
        neighbours: most points of a ball, at each level; half of them take about half the time.
        widths: of the perceptron of each level, and last of the one on the whole before the code.
        code: width of the maximum over the last centres.
        grouping: "single_scale", or "multi_resolution", where every level also sees the points of the cloud itself.
        dropout: probability of zeroing a hidden unit in training.
        lr: Adam's learning rate.

    Raises:
        ValueError: a shape of neither, or an argument out of range.

    References:
        Qi, Yi, Su, Guibas (2017). PointNet++: Deep Hierarchical Feature Learning on Point Sets in a Metric Space.
    """

    accepts: ClassVar[tuple[str, ...]] = ("cloud", "oriented cloud")

    def __init__(
        self,
        shape: Sequence[int],
        classes: Sequence[str],
        centres: Sequence[int] | None = None,
        radii: Sequence[float] = (0.2, 0.4),
        neighbours: Sequence[int] = (32, 64),
        widths: Sequence[Sequence[int]] = ((64, 64, 128), (128, 128, 256), (256, 512)),
        code: int = 1024,
        grouping: str = "single_scale",
        dropout: float = 0.5,
        lr: float = 1e-3,
    ) -> None:
        super().__init__(shape, classes, code, dropout, "pointnet2_classifier")
        positive(lr=lr)
        points = self.shape[0]
        centres = (max(1, points // 2), max(1, points // 8)) if centres is None else centres
        self.encoder = PointNet2(
            code,
            centres=centres,
            radii=radii,
            neighbours=neighbours,
            widths=widths,
            grouping=grouping,
            features=self.shape[1] - 3,
        )
        self.optimizer = torch.optim.Adam(self.parameters(), lr, fused=True)

    def encode(self, x: Tensor) -> Tensor:
        codes: Tensor = self.encoder(x)
        return codes
