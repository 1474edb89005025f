"""PointNet: a shared perceptron on every point, then a symmetric pooling, which is invariant to the points' order."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

__all__ = ["PointNet"]


class PointNet(nn.Module):
    """Permutation-invariant encoder of clouds: one perceptron on every point, batch norm and ReLU, then the maximum.

        code_c = max over points p of relu(BN(W_L relu(BN(... W_1 p))))_c

    The perceptron is computed by matrix products on (B*N, C); 1x1 convolutions on (B, C, N) are several times slower on
    a CPU. A linear layer before batch norm needs no bias, since the mean is subtracted. The last ReLU is applied after
    the maximum, with which it commutes.

    Args:
        code: width of the code, D.
        widths: of the layers before the code; the default, with a code of 128, is the encoder of Achlioptas et al.
        channels: coordinates per point.

    Shapes: (B, N, channels) -> (B, code).

    Raises:
        ValueError: a size below 1.

    References:
        Qi, Su, Mo, Guibas (2017). PointNet: Deep Learning on Point Sets for 3D Classification and Segmentation.
        Achlioptas, Diamanti, Mitliagkas, Guibas (2018). Learning Representations and Generative Models for 3D Point
        Clouds.
    """

    def __init__(self, code: int = 128, *, widths: Sequence[int] = (64, 128, 128, 256), channels: int = 3) -> None:
        super().__init__()
        dims = [channels, *widths, code]
        if min(dims) < 1:
            raise ValueError(f"code, widths, channels: must be at least 1, got {code}, {list(widths)}, {channels}")
        pairs = list(pairwise(dims))
        self.linears = nn.ModuleList(nn.Linear(before, after, bias=False) for before, after in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm1d(after) for _, after in pairs)

    def forward(self, x: Tensor) -> Tensor:
        batch, points, channels = x.shape
        h = x.reshape(batch * points, channels)  # (B*N, C)
        last = len(self.linears) - 1
        for i, (linear, norm) in enumerate(zip(self.linears, self.norms, strict=True)):
            h = norm(linear(h))
            if i < last:
                h = h.relu_()
        return h.view(batch, points, -1).max(dim=1).values.relu()  # (B, code)
