"""How far decoded clouds are from those that they shall be."""

from torch import Tensor, nn

from pcgen import ops
from pcgen.errors import choose, fraction
from pcgen.models.base import check_finite
from pcgen.nets.parts import RECONSTRUCTIONS

__all__ = ["Reconstruction"]


class Reconstruction(nn.Module):
    """The distance of each decoded cloud to its own, "emd" (not squared) or "chamfer" (squared); it has no weights.

    Args:
        name: of `RECONSTRUCTIONS`.
        gap: of the EMD's matchings in training mode, as in `pcgen.ops.match`; in evaluation mode they are exact.

    Shapes: (B, N, 3), (B, N, 3) -> (B,).

    Raises:
        ValueError: an unknown name, or a gap outside [0, 1).
        FloatingPointError: in `forward`, what was decoded is not finite.
    """

    def __init__(self, name: str, gap: float) -> None:
        super().__init__()
        self.name = choose(name, RECONSTRUCTIONS, "reconstruction")
        fraction(gap=gap)
        self.gap = gap

    def forward(self, decoded: Tensor, x: Tensor) -> Tensor:
        check_finite(decoded, "a decoded cloud")
        if self.name == "emd":
            return ops.emd(decoded, x, self.gap if self.training else 0.0)
        return RECONSTRUCTIONS[self.name](decoded, x)
