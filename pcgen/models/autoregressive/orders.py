"""Clouds as sequences: points in the order of a space-filling curve, or of height."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

__all__ = ["ORDERS", "hilbert", "in_order"]

_BITS = 16  # of each coordinate: points nearer than 1/65536 of the box keep the order that they came in


def hilbert(cells: Tensor, bits: int) -> Tensor:
    """Positions of grid cells along Hilbert's curve, which visits all 8^bits cells, from neighbour to neighbour.

    Shapes: (..., 3) int64 within 0 ... 2^bits - 1 -> (...) int64.

    References:
        Skilling (2004). Programming the Hilbert Curve.
    """
    x, y, z = cells.unbind(-1)
    for level in range(bits - 1, 0, -1):  # each octant, from the coarsest, is turned into the first one's pose
        bit, below = 1 << level, (1 << level) - 1
        x = torch.where((x & bit) > 0, x ^ below, x)
        x, y = _turned(x, y, bit, below)
        x, z = _turned(x, z, bit, below)
    y = y ^ x  # Gray code, of which bits are put in order below
    z = z ^ y
    flips = torch.zeros_like(z)
    for level in range(bits - 1, 0, -1):
        flips = torch.where((z & (1 << level)) > 0, flips ^ ((1 << level) - 1), flips)
    place = torch.zeros_like(x)
    for level in range(bits - 1, -1, -1):
        for each in (x, y, z):
            place = (place << 1) | (((each ^ flips) >> level) & 1)
    return place


def _turned(first: Tensor, other: Tensor, bit: int, below: int) -> tuple[Tensor, Tensor]:
    """Where the other has the bit, the first one's lower bits are inverted; else the two change their lower bits."""
    has, change = (other & bit) > 0, (first ^ other) & below
    return torch.where(has, first ^ below, first ^ change), torch.where(has, other, other ^ change)


def _along_hilbert(shares: Tensor) -> Tensor:
    cells = (shares * 2**_BITS).long().clamp(0, 2**_BITS - 1)
    return hilbert(cells, _BITS)


ORDERS: Mapping[str, Callable[[Tensor], Tensor]] = {"hilbert": _along_hilbert, "axis": lambda shares: shares[..., 1]}
"""Orders of points, by name: from shares of a box, (B, N, 3), to keys, (B, N): the curve, or the height, y."""


def in_order(x: Tensor, low: Tensor, high: Tensor, order: str) -> Tensor:
    """The points of clouds, (B, N, 3), each cloud's in an order of `ORDERS`, in a box with corners (3,) each."""
    keys = ORDERS[order](((x - low) / (high - low).clamp_min(1e-12)).detach())
    index = keys.argsort(dim=1, stable=True)  # (B, N)
    return x.gather(1, index[..., None].expand_as(x))
