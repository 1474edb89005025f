"""PointNet++ as a classifier."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from pcgen.errors import positive
from pcgen.models.base import Recipe
from pcgen.models.classifiers.base import Classifier
from pcgen.nets.pointnet2 import PointNet2

__all__ = ["PointNet2Classifier"]


class PointNet2Classifier(Classifier):
    """Classifies a cloud by PointNets on the neighbourhoods of centres, level after level (single scale grouping).

    Args:
        shape: (points, 3) of the clouds in training; any number of points can be classified.
        classes: the names of the classes, which labels are indices into.
        centres: centres of each level.
        radii: radius of the balls of each level, in clouds that are scaled into the unit sphere.
        neighbours: most points of a ball, at each level; half of them take about half the time.
        widths: of the perceptron of each level, and last of the one on the whole before the code.
        code: width of the maximum over the last centres.
        dropout: probability of zeroing a hidden unit in training.
        lr: Adam's learning rate.

    References:
        Qi, Yi, Su, Guibas (2017). PointNet++: Deep Hierarchical Feature Learning on Point Sets in a Metric Space.
    """

    def __init__(
        self,
        shape: Sequence[int],
        classes: Sequence[str],
        centres: Sequence[int] = (512, 128),
        radii: Sequence[float] = (0.2, 0.4),
        neighbours: Sequence[int] = (32, 64),
        widths: Sequence[Sequence[int]] = ((64, 64, 128), (128, 128, 256), (256, 512)),
        code: int = 1024,
        dropout: float = 0.5,
        lr: float = 1e-3,
    ) -> None:
        super().__init__(shape, classes, code, dropout, "pointnet2_classifier")
        positive(lr=lr)
        self.encoder = PointNet2(code, centres=centres, radii=radii, neighbours=neighbours, widths=widths)
        self.optimizer = torch.optim.Adam(self.parameters(), lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        """In bfloat16, where the processor computes in it, an update takes half the time."""
        return replace(super().recipe, bf16=True)

    def encode(self, x: Tensor) -> Tensor:
        codes: Tensor = self.encoder(x)
        return codes
