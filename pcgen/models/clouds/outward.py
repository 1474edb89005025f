"""How far a head's codes are moved from their mean, so that the clouds that are decoded of them vary as data does."""

from collections.abc import Callable

from scipy.optimize import brentq
from torch import Tensor

__all__ = ["kept", "outward"]

_MOST = 1.25  # farther out, clouds that no decoder has learned are worse than clouds that vary too little
_CLOSE = 0.01

Returned = Callable[[Tensor], Tensor]


def kept(returned: Returned, codes: Tensor, factor: float = 1.0) -> float:
    """The share of the mean square of codes y that is left when they are decoded and encoded: mean |R(s y)|^2 / |y|^2.

    Args:
        returned: R, what becomes of standardised codes, (n, dim) -> (n, dim), the same for the same codes.
        codes: y, (n, dim).
        factor: s, by which they are moved from their mean, 0, before.
    """
    return float(returned(factor * codes).double().square().mean() / codes.double().square().mean())


def outward(returned: Returned, drawn: Tensor, wanted: float) -> float:
    """The factor by which a head's draws are moved from their mean, so that as much is kept of them as of real codes.

        kept(R, y, s) = wanted,  1 <= s <= 1.25

    An autoencoder of a few hundred shapes has learned codes far apart from each other. What a head draws lies between
    them, and is decoded to clouds nearer to the mean one than the clouds of training codes are: encoded again, draws
    have returned part of the way to the mean, where training codes stay. So samples resemble each other more than data
    does. Farther out, they vary as much. Draws of which as much is kept as of training codes stay where they are, and
    so do draws that are not finite.

    Args:
        returned: R, as in `kept`.
        drawn: y, a head's draws, (n, dim), standardised by the training codes.
        wanted: what is kept of training codes.
    """

    def excess(s: float) -> float:
        return kept(returned, drawn, s) - wanted

    if not excess(1.0) < 0:
        return 1.0
    if not excess(_MOST) > 0:
        return _MOST
    return float(brentq(excess, 1.0, _MOST, xtol=_CLOSE))
