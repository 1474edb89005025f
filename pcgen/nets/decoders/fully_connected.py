"""A perceptron as a decoder from codes to clouds."""

from collections.abc import Sequence

from torch import Tensor, nn

from pcgen.nets.mlp import MLP

__all__ = ["FullyConnected"]


class FullyConnected(nn.Module):
    """A perceptron with all coordinates of a cloud of fixed size as its outputs.

    Args:
        code: width of the code, D.
        points: points per cloud, N.
        widths: hidden widths; those of Achlioptas et al. (2018) are (256, 256).
        activation: of the hidden layers.
        norm: "layer", "batch" or None, before each activation; None in the paper. Layer norm learns faster.

    Shapes: (B, code) -> (B, points, 3).

    Raises:
        ValueError: a width below 1, or an unknown name.

    References:
        Achlioptas, Diamanti, Mitliagkas, Guibas (2018). Learning Representations and Generative Models for 3D Point
        Clouds.
    """

    def __init__(
        self,
        code: int,
        points: int,
        *,
        widths: Sequence[int] = (512, 1024),
        activation: str = "relu",
        norm: str | None = "layer",
    ) -> None:
        super().__init__()
        self.points = points
        self.net = MLP((code, *widths, 3 * points), activation=activation, norm=norm)

    def forward(self, z: Tensor) -> Tensor:
        coordinates: Tensor = self.net(z)  # (B, 3 * N)
        return coordinates.view(-1, self.points, 3)  # (B, N, 3)
