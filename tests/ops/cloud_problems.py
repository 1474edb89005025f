"""Pairs of clouds that are hard in different ways, made from torch's global generator."""

from collections.abc import Callable

import torch
from torch import Tensor


def _directions(n: int) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(n, 3, dtype=torch.float64), dim=1)


def _lattice(n: int) -> Tensor:
    return torch.randint(0, 3, (n, 3)).double()


def _shared(n: int, m: int) -> tuple[Tensor, Tensor]:
    points = torch.rand(max(n, m), 3, dtype=torch.float64)
    return points[torch.randperm(len(points))[:n]], points[torch.randperm(len(points))[:m]]


def _line(n: int) -> Tensor:
    return torch.rand(n, 1, dtype=torch.float64) * torch.tensor([[1.0, 2.0, -1.0]], dtype=torch.float64)


PROBLEMS: dict[str, Callable[[int, int], tuple[Tensor, Tensor]]] = {
    "cubes": lambda n, m: (torch.rand(n, 3).double(), torch.rand(m, 3).double()),
    "spheres": lambda n, m: (_directions(n), _directions(m)),
    "far_apart": lambda n, m: (torch.rand(n, 3).double(), torch.rand(m, 3).double() + 50),
    "far_from_origin": lambda n, m: (torch.rand(n, 3).double() + 1e6, torch.rand(m, 3).double() + 1e6),
    "tiny": lambda n, m: (1e-6 * torch.rand(n, 3).double(), 1e-6 * torch.rand(m, 3).double()),
    "lattice": lambda n, m: (_lattice(n), _lattice(m)),  # many ties
    "line": lambda n, m: (_line(n), _line(m)),
    "one_place": lambda n, m: (torch.ones(n, 3).double(), torch.ones(m, 3).double()),
    "shared_points": _shared,
}


def pairs(kind: str, batch: int, n: int, m: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """A batch of pairs of one kind, (B, n, 3) and (B, m, 3), rounded to the type that the kernels will read."""
    made = [PROBLEMS[kind](n, m) for _ in range(batch)]
    return torch.stack([x for x, _ in made]).to(dtype), torch.stack([y for _, y in made]).to(dtype)
