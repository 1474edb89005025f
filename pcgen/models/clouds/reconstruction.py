"""How far decoded clouds are from those that they shall be."""

import torch
from torch import Tensor, nn

from pcgen import ops
from pcgen.errors import choose, fraction
from pcgen.models.base import check_finite
from pcgen.nets.parts import RECONSTRUCTIONS

__all__ = ["Reconstruction"]

_GROUP = 4  # decoded points that are matched as one at first


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

    def coarse(self, decoded: Tensor, x: Tensor) -> Tensor:
        """The mean distance of decoded points to x, (B,), where each four of them are matched as one, by their mean.

        A quarter of the points of x, drawn anew, are matched; all four points of a group are drawn to the one that
        their mean is matched to. It takes a sixteenth of the time of a matching of all points, and so brings the coarse
        shape sooner. Up to three last points, where the number does not divide, are left out.
        """
        check_finite(decoded, "a decoded cloud")
        count = decoded.shape[1] // _GROUP
        groups = decoded[:, : count * _GROUP].unflatten(1, (count, _GROUP))  # (B, G, 4, 3)
        some = x[:, torch.randperm(x.shape[1], device=x.device)[:count]]  # (B, G, 3)
        index = ops.match(groups.detach().mean(2), some, self.gap).index.long()
        matched = some.gather(1, index[..., None].expand(-1, -1, 3))
        distance: Tensor = (groups - matched[:, :, None]).norm(dim=3).mean((1, 2))
        return distance

    def forward(self, decoded: Tensor, x: Tensor) -> Tensor:
        check_finite(decoded, "a decoded cloud")
        if self.name == "emd":
            return ops.emd(decoded, x, self.gap if self.training else 0.0)
        return RECONSTRUCTIONS[self.name](decoded, x)
