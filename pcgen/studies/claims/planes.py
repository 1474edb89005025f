"""Data in the plane whose modes are known: Gaussians on a ring."""

import math

import torch
from torch import Tensor

__all__ = ["MODES", "centres", "kept", "ring"]

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
