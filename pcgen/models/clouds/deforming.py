"""Training clouds that are deformed as a decoder deforms its own."""

from typing import Self

import torch
from torch import Tensor, nn

from pcgen.data.augmentation import Augmentation
from pcgen.data.thinning import thin
from pcgen.models.clouds.resampling import resample
from pcgen.ops import knn, take_points

__all__ = ["Exemplars", "deform"]

_AT_ONCE = 64  # clouds whose neighbours are searched
_NEIGHBOURS = 4
_STORED = 2**26  # numbers of all training clouds together, at most: 256 MB
_FEWEST = 256  # points of each, at least


class Exemplars(nn.Module):
    """Training clouds, in the order of a head's centres, that are deformed instead of decoding the head's samples.

    The clouds are a buffer: `of` makes exemplars of clouds, the constructor those of a state that is to be loaded.
    Another buffer is `farther`: how much farther from the code of its training cloud a code is than it is drawn.

    Args:
        count: S, number of clouds.
        points: P, of each cloud.
        mirror: share of the deformed clouds that are mirrored (x becomes -x about the middle of the cloud), from 0 to
            1; for shapes whose mirror images belong to the data.

    Raises:
        ValueError: an argument out of range.
    """

    clouds: Tensor
    farther: Tensor

    def __init__(self, count: int, points: int, mirror: float = 0.0) -> None:
        super().__init__()
        self.config = {"count": count, "points": points, "mirror": mirror}
        self.mirrored = Augmentation(mirror=mirror, centred=True)
        self.register_buffer("clouds", torch.full((count, points, 3), torch.nan))
        self.register_buffer("farther", torch.ones(()))

    @classmethod
    def of(cls, clouds: Tensor, mirror: float = 0.0) -> Self:
        """The training clouds (S, M, 3), with all of their points, up to 256 MB in all."""
        made = cls(len(clouds), min(clouds.shape[1], max(_FEWEST, _STORED // (3 * len(clouds)))), mirror)
        made.clouds.copy_(thin(clouds, made.clouds.shape[1], 0))
        return made

    def forward(self, chosen: Tensor, before: Tensor, after: Tensor, points: int, mirror: float | None) -> Tensor:
        """The clouds `chosen` (B,), each deformed as the decoder deforms `before` (B, N, 3) into `after` (B, N, 3).

        Args:
            chosen: indices of clouds, int64.
            before: decoded from the codes of these clouds.
            after: decoded from other codes; point i is the same output of the decoder as that of `before`.
            points: of each new cloud: so many of the cloud's own at random, or new ones of its surface if it has fewer.
            mirror: replaces the share of the constructor.

        Returns:
            (B, points, 3), drawn from torch's global generator.
        """
        mirrored = self.mirrored if mirror is None else Augmentation(mirror=mirror, centred=True)
        parts = []
        for rows, p, q in zip(*(each.split(_AT_ONCE) for each in (chosen, before, after)), strict=True):
            clouds = self.clouds[rows]
            clouds = resample(clouds, points) if points > clouds.shape[1] else thin(clouds, points)
            parts.append(mirrored(deform(clouds, p, q)))
        return torch.cat(parts)


def deform(clouds: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """Move the points of each cloud as a decoder moves the points that are nearest to them.

        out_j = x_j + mean over the 4 nearest p_i of x_j of (q_i - p_i)

    p is decoded from the code of the cloud x, and q from another code; p_i and q_i are the same output of the decoder.
    What the decoder does not reproduce of x, its details and the pattern of its points, is kept. If the codes are
    equal, the cloud does not change.

    Args:
        clouds: x, (B, P, 3).
        before: p, (B, N, 3).
        after: q, (B, N, 3).

    Returns:
        (B, P, 3).
    """
    near = min(_NEIGHBOURS, before.shape[1])
    nearest = knn(clouds, before, near)[1]  # (B, P, near)
    moved = take_points(after - before, nearest.flatten(1)).view(*nearest.shape, 3)  # (B, P, near, 3)
    return clouds + moved.mean(2)
