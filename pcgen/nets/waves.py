"""Fourier features of coordinates, with which a perceptron can distinguish points that are close to each other."""

import math

import torch
from torch import Tensor

__all__ = ["CHANNELS_PER_COORDINATE", "waves"]

_OCTAVES = 5  # of wavelengths 2 to 1/8, for points in [-1, 1]
CHANNELS_PER_COORDINATE = 1 + 2 * _OCTAVES


def waves(x: Tensor) -> Tensor:
    """Fourier features: each coordinate, and its sines and cosines of five octaves.

        x, sin(pi x), cos(pi x), sin(2 pi x), cos(2 pi x), ..., cos(16 pi x)

    Shapes: (..., C) -> (..., 11 C): first all coordinates, then all sines, then all cosines.

    References:
        Tancik et al. (2020). Fourier Features Let Networks Learn High Frequency Functions in Low Dimensional Domains.
    """
    angles = (x[..., None] * (math.pi * 2 ** torch.arange(_OCTAVES, device=x.device, dtype=x.dtype))).flatten(-2)
    return torch.cat([x, angles.sin(), angles.cos()], dim=-1)
