"""A cloud of patches, each with a centre and a feature of its own."""

from collections.abc import Sequence

from torch import Tensor, nn

from pcgen.errors import at_least
from pcgen.nets.coded_perceptron import CodedPerceptron
from pcgen.nets.decoders.folding import fibonacci_square
from pcgen.nets.mlp import MLP

__all__ = ["Patches"]


class Patches(nn.Module):
    """Patches of points about centres: a perceptron writes each patch's centre and feature, another unfolds them.

        (m_k, c_k) = g(code)_k,  x_ki = m_k + f(u_i, c_k)

    f is one perceptron for all patches, so that what a patch looks like is learned once: u_i are points of a square.

    Args:
        code: width of the code, D.
        points: points per cloud, N.
        patches: number of patches, K; N / K points each, rounded up, of which the last are left out.
        feature: width of a patch's feature.
        hidden: hidden widths of the perceptron that writes centres and features.
        widths: hidden widths of the one that unfolds patches.

    Shapes: (B, code) -> (B, points, 3).

    Raises:
        ValueError: a size below 1, or more patches than points.

    References:
        Groueix, Fisher, Kim, Russell, Aubry (2018). AtlasNet: A Papier-Mache Approach to Learning 3D Surface
        Generation. (Its patches have perceptrons of their own and see the whole code.)
        Yuan, Khot, Held, Mertz, Hebert (2018). PCN: Point Completion Network. (Coarse points, then patches about them.)
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
