"""Sets of boxes, and the words that name the reference among them."""

import torch


def boxes(seed: int, count: int = 12, points: int = 48) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    sides = torch.rand(count, 1, 3, generator=generator) + 0.2
    return (torch.rand(count, points, 3, generator=generator) - 0.5) * sides


AGAINST = ("--reference", "reference.npz@all")
