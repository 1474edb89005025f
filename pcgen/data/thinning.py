"""Fewer points of a cloud, drawn uniformly without replacement."""

import torch
from torch import Tensor

from pcgen.seeds import stream

__all__ = ["others", "thin", "thinned_rows"]


def thin(clouds: Tensor, points: int, generator: torch.Generator | int | None = None) -> Tensor:
    """Draw `points` of the points of each cloud, uniformly without replacement: (S, M, C) -> (S, points, C).

    Args:
        clouds: (S, M, C) with M >= points; returned as it is where M is `points`.
        points: points that are kept of each cloud.
        generator: draws; a number is the seed of one on the CPU, so that every device keeps the same points; None is
            torch's global generator of the clouds' device.

    Raises:
        ValueError: the clouds have fewer points.
    """
    stored = clouds.shape[1]
    if stored < points:
        raise ValueError(f"points: must be at most the {stored} of each cloud, got {points}")
    if stored == points:
        return clouds
    if isinstance(generator, int):
        generator = torch.Generator().manual_seed(generator)
    return _kept(clouds, points, generator)


def others(clouds: Tensor, points: int, seed: int) -> Tensor | None:
    """As many points of each cloud as `thin` keeps by the same seed, none of them the same, (S, points, C).

    None where the clouds have fewer than twice as many.
    """
    if clouds.shape[1] < 2 * points:
        return None
    return _kept(clouds, points, torch.Generator().manual_seed(seed), last=True)


def _kept(clouds: Tensor, points: int, generator: torch.Generator | None, last: bool = False) -> Tensor:
    """The points that come first in an order drawn for each cloud, or those that come last."""
    device = clouds.device if generator is None else generator.device
    keys = torch.rand(clouds.shape[:2], generator=generator, device=device)  # (S, M)
    rows = keys.topk(points, dim=1, largest=not last).indices.to(clouds.device)  # (S, points)
    return clouds.gather(1, rows[..., None].expand(-1, -1, clouds.shape[2]))


def thinned_rows(stored: int, points: int, key: str, seed: int) -> Tensor:
    """Which of the `stored` points of one cloud are kept, (points,), whichever others are thinned with it.

    They are the first of one order of all: fewer points are a part of more.
    """
    return torch.randperm(stored, generator=stream("thin", key, seed))[:points]
