"""How far from training clouds samples are to be: as many are near to one as these are to each other."""

from collections.abc import Callable

import torch
from torch import Tensor

from pcgen.data.thinning import thin
from pcgen.ops import chamfer, chamfer_matrix

__all__ = ["FACTORS", "as_far_apart", "distances"]

FACTORS = (0.5, 0.7, 1.0, 1.4, 2.0)
_COARSE = 256  # points of each cloud, by which
_CANDIDATES = 16  # are found for the nearest one


def as_far_apart(away: Callable[[float], Tensor], apart: Tensor) -> float:
    """The factor at which as many samples are near to training clouds as these are to each other.

        mean over a of P(away(s) < a) = mean over a of P(apart < a),  0.5 <= s <= 2,  a of the nearer half of `apart`

    Ties count by half; without any, the right side is 1/4 for an even number of clouds. With a of all of `apart`, s
    would be the zero of Z_U (see `pcgen.metrics.z_u`) with each training cloud, when it is left out, in the place of a
    held-out one. But only the nearer half says whether samples are copies: training clouds that are similar to no
    other would move all samples farther, until they mix what does not belong together. P is interpolated linearly
    between two factors of `FACTORS`, and is assumed to decrease.

    Args:
        away: distance of each sample to its nearest training cloud, (n,), if samples are s times as far from their
            windows' centres as drawn; of the same samples at each call.
        apart: distance of training clouds to their nearest others, (m,).
    """
    nearer = apart.sort().values[: (len(apart) + 1) // 2]

    def near(found: Tensor) -> float:
        return float((found[:, None] < nearer).double().mean() + 0.5 * (found[:, None] == nearer).double().mean())

    place, wanted = FACTORS.index(1.0), near(apart)
    here = near(away(FACTORS[place]))
    step = 1 if here > wanted else -1
    while 0 <= place + step < len(FACTORS):
        there = near(away(FACTORS[place + step]))
        if (there <= wanted) == (step == 1):
            return FACTORS[place] + (wanted - here) / (there - here) * (FACTORS[place + step] - FACTORS[place])
        place, here = place + step, there
    return FACTORS[place]


def distances(clouds: Tensor, training: Tensor, own: Tensor | None = None) -> Tensor:
    """The Chamfer distance of each cloud to the training cloud nearest to it, (n,).

    Only the 16 that are nearest by 256 points of each cloud are compared by all points.

    Args:
        clouds: (n, N, 3).
        training: (S, N, 3).
        own: the index of one training cloud for each cloud, (n,) int64, which is left out.
    """
    coarse = min(_COARSE, clouds.shape[1])
    roughly = chamfer_matrix(thin(clouds, coarse, 0), thin(training, coarse, 1))  # (n, S)
    if own is not None:
        roughly = roughly.scatter(1, own[:, None], torch.inf)
    candidates = min(_CANDIDATES, len(training) - (own is not None))
    near = roughly.topk(candidates, largest=False).indices  # (n, candidates)
    return torch.stack([chamfer(clouds, training[column]) for column in near.T], 1).amin(1)
