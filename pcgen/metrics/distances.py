"""The distances that a protocol names, as functions of two sets of clouds."""

from collections.abc import Callable

from torch import Tensor

__all__ = ["LABELS", "PairDistance", "pair_distance"]

PairDistance = Callable[[Tensor, Tensor], Tensor]  # (S, N, 3), (R, N, 3) -> (S, R)

LABELS = {
    "chamfer": "CD",
    "exact": "EMD",
    "approxmatch": "EMD of approxmatch",
    "approxmatch_pointflow": "EMD of approxmatch without its last level",
    "approxmatch_squared": "squared cost of approxmatch",
}


def pair_distance(name: str) -> PairDistance:
    """The function (S, N, 3), (R, N, 3) -> (S, R) of a distance: "chamfer", or what a protocol calls EMD.

    Raises:
        ValueError: this build of pcgen lacks it; another distance is never put in its place.
    """
    if name == "chamfer":
        from pcgen.ops import chamfer_matrix

        return chamfer_matrix
    if name == "exact":
        from pcgen.ops import emd_matrix

        return emd_matrix
    raise ValueError(
        f"protocol: {LABELS[name]} ({name!r}) is not in this build of pcgen; leave the EMD columns out with "
        "distances=('cd',), or take the protocol 'exact'"
    )
