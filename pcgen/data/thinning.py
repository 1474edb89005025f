"""Uniform random subsets of a cloud's points, without replacement."""

import torch
from torch import Tensor

from pcgen.seeds import stream

__all__ = ["others", "thin", "thinned_rows"]


def thin(clouds: Tensor, points: int, generator: torch.Generator | int | None = None) -> Tensor:
    """A uniform random subset of the points of each cloud, without replacement: (S, M, C) -> (S, points, C).

    Args:
        clouds: (S, M, C) with M >= points; returned unchanged if M is `points`.
        points: number of points to keep of each cloud.
        generator: a random generator, or the seed of one on the CPU, so that every device keeps the same points; by
            default torch's global generator of the clouds' device.

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
    """Other points of each cloud than those that `thin` keeps with the same seed, the same number, (S, points, C).

    None if the clouds have fewer than twice that number.
    """
    if clouds.shape[1] < 2 * points:
        return None
    return _kept(clouds, points, torch.Generator().manual_seed(seed), last=True)


def _kept(clouds: Tensor, points: int, generator: torch.Generator | None, last: bool = False) -> Tensor:
    """The first points in a random order of each cloud's points, or the last."""
    device = clouds.device if generator is None else generator.device
    keys = torch.rand(clouds.shape[:2], generator=generator, device=device)  # (S, M)
    rows = keys.topk(points, dim=1, largest=not last).indices.to(clouds.device)  # (S, points)
    return clouds.gather(1, rows[..., None].expand(-1, -1, clouds.shape[2]))


def thinned_rows(stored: int, points: int, key: str, seed: int) -> Tensor:
    """Indices of the points of one cloud with `stored` points that are kept, (points,); other clouds have no effect.

    They are the first in a fixed random order, so a smaller subset is contained in a larger one.
    """
    return torch.randperm(stored, generator=stream("thin", key, seed))[:points]
