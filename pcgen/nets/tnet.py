"""PointNet with T-Nets: small PointNets that predict linear transforms of the points and of their first features."""

import torch
from torch import Tensor, nn

from pcgen.nets.mlp import MLP
from pcgen.nets.pointnet import PointNet
from pcgen.nets.pointwise import PointwiseMLP

__all__ = ["TNet", "TransformedPointNet", "orthogonality"]


class TNet(nn.Module):
    """A matrix for each cloud, predicted from all of its points; it starts as the identity.

        A = I + MLP(PointNet(x))

    Args:
        channels: numbers per point, C.

    Shapes: (B, N, channels) -> (B, channels, channels).

    References:
        Qi, Su, Mo, Guibas (2017). PointNet: Deep Learning on Point Sets for 3D Classification and Segmentation.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.encoder = PointNet(1024, widths=(64, 128), channels=channels)
        self.head = MLP((1024, 512, 256, channels * channels), norm="batch")
        last = self.head[-1]
        nn.init.zeros_(last.weight)  # type: ignore[arg-type]
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        offset: Tensor = self.head(self.encoder(x)).view(-1, self.channels, self.channels)  # (B, C, C)
        return offset + torch.eye(self.channels, dtype=offset.dtype, device=offset.device)


class TransformedPointNet(nn.Module):
    """PointNet with an input and a feature transform.

        code = max over points p of MLP'(A(h) h_p),  h_p = MLP(T(x) p),  T and A predicted by T-Nets

    Args:
        code: width of the code, D.

    Shapes: (B, N, 3) -> (B, code), and the feature transforms A (B, 64, 64), to be penalised by `orthogonality`.

    References:
        Qi, Su, Mo, Guibas (2017). PointNet: Deep Learning on Point Sets for 3D Classification and Segmentation.
    """

    def __init__(self, code: int = 1024) -> None:
        super().__init__()
        self.input_transform = TNet(3)
        self.first = PointwiseMLP((3, 64, 64))
        self.feature_transform = TNet(64)
        self.encoder = PointNet(code, widths=(64, 128), channels=64)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x @ self.input_transform(x).mT  # (B, N, 3)
        h = self.first(x.flatten(0, 1)).view(*x.shape[:2], -1)  # (B, N, 64)
        transform = self.feature_transform(h)  # (B, 64, 64)
        return self.encoder(h @ transform.mT), transform


def orthogonality(transforms: Tensor) -> Tensor:
    """The penalty on matrices that are not orthogonal: mean over the batch of ||I - A A^T||_F^2 (sum over entries).

    Args:
        transforms: (B, C, C).

    Returns:
        A scalar, 0 if every matrix is orthogonal.
    """
    product = transforms.float() @ transforms.float().mT
    identity = torch.eye(transforms.shape[-1], device=transforms.device)
    return (identity - product).square().sum((1, 2)).mean()
