"""A decoder to clouds that consist of patches, each with a centre and a feature."""

from collections.abc import Sequence

from torch import Tensor, nn

from pcgen.errors import at_least
from pcgen.nets.coded_perceptron import CodedPerceptron
from pcgen.nets.decoders.folding import fibonacci_square
from pcgen.nets.mlp import MLP

__all__ = ["Patches"]


class Patches(nn.Module):
    """Patches of points around centres: one perceptron gives the centre and feature of each patch, another its points.

        (m_k, c_k) = g(code)_k,  x_ki = m_k + f(u_i, c_k),  u_i points of a square

    f is the same perceptron for all patches, so the common shapes of patches are learned once.

    Args:
        code: width of the code, D.
        points: points per cloud, N.
        patches: number of patches, K, with N / K points each, rounded up; surplus points are dropped at the end.
        feature: width of a patch's feature.
        hidden: hidden widths of g.
        widths: hidden widths of f.

    Shapes: (B, code) -> (B, points, 3).

    Raises:
        ValueError: a size below 1, or more patches than points.

    References:
        Groueix, Fisher, Kim, Russell, Aubry (2018). AtlasNet: A Papier-Mache Approach to Learning 3D Surface
        Generation. (There each patch has its own perceptron, which sees the whole code.)
        Yuan, Khot, Held, Mertz, Hebert (2018). PCN: Point Completion Network. (Coarse points, and patches around them.)
    """

    def __init__(
        self,
        code: int,
        points: int,
        *,
        patches: int = 64,
        feature: int = 16,
        hidden: Sequence[int] = (256, 512),
        widths: Sequence[int] = (64, 64),
    ) -> None:
        super().__init__()
        at_least(1, patches=patches, feature=feature)
        if patches > points:
            raise ValueError(f"patches: must be at most the {points} points of a cloud, got {patches}")
        self.points, self.patches = points, patches
        self.write = MLP((code, *hidden, patches * (3 + feature)), norm="layer")
        self.unfold = CodedPerceptron(2, feature, widths, 3)
        self.register_buffer("square", fibonacci_square(-(-points // patches)), persistent=False)
        self.square: Tensor

    def forward(self, z: Tensor) -> Tensor:
        written = self.write(z).unflatten(1, (self.patches, -1))  # (B, K, 3 + feature)
        centres, features = written[..., None, :3], written[..., 3:]
        offsets = self.unfold(self.square, features.flatten(0, 1)).unflatten(0, (-1, self.patches))  # (B, K, P, 3)
        cloud: Tensor = (centres + offsets).flatten(1, 2)  # (B, K * P, 3)
        return cloud[:, : self.points]
