"""PointNet as a classifier, with and without T-Nets."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pcgen.errors import not_negative, positive
from pcgen.models.base import Batch
from pcgen.models.classifiers.base import Classifier, in_unit_sphere
from pcgen.nets.pointnet import PointNet
from pcgen.nets.tnet import TransformedPointNet, orthogonality

__all__ = ["PointNetClassifier"]


class PointNetClassifier(Classifier):
    """Classifies a cloud by a perceptron on every point, the maximum over them, and a perceptron on it.

        loss = cross-entropy + regularization * mean of ||I - A A^T||_F^2, the second term only with T-Nets

    Widths 64-64-64-128-code on the points, then 512-256-K.

    Args:
        shape: (points, 3) of the clouds in training; any number of points can be classified.
        classes: the names of the classes, which labels are indices into.
        tnets: transform the points and the features of the second layer by matrices that are predicted from the cloud.
        regularization: weight of the feature transforms' distance from orthogonal matrices.
        code: width of the maximum.
        dropout: probability of zeroing a hidden unit in training.
        lr: Adam's learning rate.

    References:
        Qi, Su, Mo, Guibas (2017). PointNet: Deep Learning on Point Sets for 3D Classification and Segmentation. (Its
        training: batches of 32, 250 epochs, clouds rotated about the up axis and jittered by 0.02.)
    """

    def __init__(
        self,
        shape: Sequence[int],
        classes: Sequence[str],
        tnets: bool = False,
        regularization: float = 0.001,
        code: int = 1024,
        dropout: float = 0.3,
        lr: float = 1e-3,
    ) -> None:
        super().__init__(shape, classes, code, dropout, "pointnet_classifier")
        not_negative(regularization=regularization)
        positive(lr=lr)
        self.regularization = regularization
        self.encoder = TransformedPointNet(code) if tnets else PointNet(code, widths=(64, 64, 64, 128))
        self.optimizer = torch.optim.Adam(self.parameters(), lr, fused=True)

    def encode(self, x: Tensor) -> Tensor:
        return self._encode(x)[0]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        codes, transforms = self._encode(in_unit_sphere(batch.x))
        terms = self.cross_entropy(codes, batch.labels)
        if transforms is not None:
            terms["orthogonality"] = self.regularization * orthogonality(transforms)
        return terms

    def _encode(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        if isinstance(self.encoder, TransformedPointNet):
            codes, transforms = self.encoder(x)
            return codes, transforms
        return self.encoder(x), None
