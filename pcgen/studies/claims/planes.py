"""Data in the plane whose modes are known: Gaussians on a ring."""

import math

import torch
from torch import Tensor

__all__ = ["MODES", "apart", "centres", "kept", "ring"]

MODES = 8
_NEAR = 10  # deviations from a centre, within which a sample is of its mode
_SHARE = 4  # a mode is kept that has a quarter of its share, or more


def centres() -> Tensor:
    """Of the modes, on the circle of radius 1, (MODES, 2)."""
    angles = 2 * math.pi * torch.arange(MODES) / MODES
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def ring(n: int, deviation: float) -> Tensor:
    """Equal parts of Gaussians about the centres, (n, 2), from torch's global generator."""
    return centres()[torch.randint(MODES, (n,))] + deviation * torch.randn(n, 2)


def kept(samples: Tensor, deviation: float) -> int:
    """Modes that have at least a quarter of their share of samples (S, 2), counting those within 10 deviations."""
    distance, mode = torch.cdist(samples, centres()).min(dim=1)
    counts = mode[distance < _NEAR * deviation].bincount(minlength=MODES)
    return int((counts >= len(samples) / MODES / _SHARE).sum())


def apart(x: Tensor, y: Tensor) -> float:
    """Energy distance of the distributions of rows x (S, D) and y (R, D), unbiased: it can be below 0.

        2 mean |x_i - y_j| - mean over i < j of |x_i - x_j| - mean over i < j of |y_i - y_j|

    `pcgen.statistics.energy_distance` counts each row with itself too, which adds E|x - x'| / S + E|y - y'| / R: a
    floor that hides most of what tells good samplers from each other.

    References:
        Székely, Rizzo (2013). Energy Statistics: A Class of Statistics Based on Distances.
    """
    x, y = x.double(), y.double()
    across = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").mean()
    return float(2 * across - torch.nn.functional.pdist(x).mean() - torch.nn.functional.pdist(y).mean())
