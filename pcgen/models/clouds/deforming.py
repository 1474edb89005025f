"""Training clouds that are deformed as a decoder deforms its own."""

from typing import Protocol, runtime_checkable

from torch import Tensor

from pcgen.data.thinning import thin
from pcgen.models.clouds.resampling import resample
from pcgen.ops import knn, take_points

__all__ = ["Windows", "deform", "exemplars_of", "points_of"]

_NEIGHBOURS = 4
_STORED = 2**26  # numbers of all training clouds together, at most: 256 MB
_FEWEST = 256  # points of each, at least


@runtime_checkable
class Windows(Protocol):
    """A head whose samples are each near one of its own rows, such as parzen."""

    centres: Tensor  # (S, dim)

    def draw_about(self, n: int) -> tuple[Tensor, Tensor]:
        """Draw n rows (n, dim), and the index in `centres` of the one that each is near, (n,) int64."""


def exemplars_of(clouds: Tensor) -> tuple[int, int]:
    """How many training clouds (S, P, 3) are kept to be deformed, and how many points of each: all, up to 256 MB."""
    return len(clouds), min(clouds.shape[1], max(_FEWEST, _STORED // (3 * len(clouds))))


def points_of(clouds: Tensor, points: int) -> Tensor:
    """So many points of each cloud at random, (B, P, 3) -> (B, points, 3); new ones of its surface if it has fewer."""
    return resample(clouds, points) if points > clouds.shape[1] else thin(clouds, points)


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
