"""A decoder whose first perceptron gives a cloud, and whose second perceptron corrects each point."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pcgen.errors import at_least
from pcgen.nets.coded_perceptron import CodedPerceptron
from pcgen.nets.decoders.fully_connected import FullyConnected

__all__ = ["Residual"]


class Residual(nn.Module):
    """A cloud from one perceptron, and a correction of each point by a second perceptron that all points share.

        y = decode(code),  x_i = y_i + f(y_i, e_i, code)

    f starts at zero, so training starts from the cloud of the first perceptron. e_i is a learned feature of the i-th
    point, with which f distinguishes points that are close to each other.

    Args:
        code: width of the code, D.
        points: points per cloud, N.
        coarse: hidden widths of the first perceptron.
        widths: hidden widths of the correction f.
        features: width of e_i; 0 for none.

    Shapes: (B, code) -> (B, points, 3).

    Raises:
        ValueError: a width below 1.
    """

    def __init__(
        self,
        code: int,
        points: int,
        *,
        coarse: Sequence[int] = (256, 512),
        widths: Sequence[int] = (64, 64),
        features: int = 8,
    ) -> None:
        super().__init__()
        at_least(0, features=features)
        self.coarse = FullyConnected(code, points, widths=coarse)
        self.features = nn.Parameter(torch.randn(points, features))
        self.correction = CodedPerceptron(3 + features, code, widths, 3)
        nn.init.zeros_(self.correction.out.weight)
        nn.init.zeros_(self.correction.out.bias)

    def forward(self, z: Tensor) -> Tensor:
        cloud: Tensor = self.coarse(z)  # (B, N, 3)
        seen = torch.cat([cloud, self.features.expand(len(z), -1, -1)], dim=2)
        corrected: Tensor = cloud + self.correction(seen, z)
        return corrected
