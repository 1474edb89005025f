"""Noise schedules: how much of the signal is left at each time."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["SCHEDULES"]


def _linear(times: int) -> Tensor:
    """Ho, Jain, Abbeel (2020): variances from 1e-4 to 0.02 over 1000 times, scaled for another number of them."""
    betas = torch.linspace(1e-4, 0.02, times, dtype=torch.float64) * 1000 / times
    return (1 - betas.clamp_max(0.999)).cumprod(0)


def _cosine(times: int) -> Tensor:
    """Nichol, Dhariwal (2021), Improved Denoising Diffusion Probabilistic Models: a squared cosine, offset by 0.008."""
    phase = (torch.arange(times + 1, dtype=torch.float64) / times + 0.008) / 1.008
    signal = (phase * math.pi / 2).cos().square()
    return (signal[1:] / signal[:-1]).clamp_min(0.001).cumprod(0)


SCHEDULES: dict[str, Callable[[int], Tensor]] = {"linear": _linear, "cosine": _cosine}
"""By name, the share of the signal's variance left after each of `times` steps, (times,) float64, falling to near 0."""
