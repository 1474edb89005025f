"""The distance of decoded clouds from their originals."""

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
        FloatingPointError: in `forward`, a decoded cloud is not finite.
    """

    def __init__(self, name: str, gap: float) -> None:
        super().__init__()
        self.name = choose(name, RECONSTRUCTIONS, "reconstruction")
        fraction(gap=gap)
        self.gap = gap

    def coarse(self, decoded: Tensor, x: Tensor, group: int) -> Tensor:
        """The mean distance of decoded points to x, (B,), where each `group` of them are matched as one, by their mean.

        As many points of x as there are groups are matched; they are evenly spread and chosen anew each time. All
        points of a group are drawn to the point that the group is matched with. With groups of four this takes a tenth
        of the time of a matching of all points, so the coarse shape is learned sooner. Remaining points that do not
        fill a group are left out.
        """
        check_finite(decoded, "a decoded cloud")
        count = decoded.shape[1] // group
        groups = decoded[:, : count * group].unflatten(1, (count, group))  # (B, G, group, 3)
        some = ops.take_points(x, ops.farthest_points(x, count))  # (B, G, 3)
        matched = ops.take_points(some, ops.match(groups.detach().mean(2), some, self.gap).index)
        distance: Tensor = (groups - matched[:, :, None]).norm(dim=3).mean((1, 2))
        return distance

    def forward(self, decoded: Tensor, x: Tensor) -> Tensor:
        check_finite(decoded, "a decoded cloud")
        if self.name == "emd":
            return ops.emd(decoded, x, self.gap if self.training else 0.0)
        return RECONSTRUCTIONS[self.name](decoded, x)
