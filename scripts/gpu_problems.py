"""Pairs of clouds that a device and the CPU are given, and what compares their answers."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor


def clouds(batch: int, points: int, dtype: torch.dtype = torch.float32) -> dict[str, tuple[Tensor, Tensor]]:
    """Pairs (B, N, 3) of several kinds: cubes, spheres far from the origin, lattices full of ties, one place."""
    shape = (batch, points, 3)
    spheres = torch.nn.functional.normalize(torch.randn(2, *shape, dtype=torch.float64), dim=3) + 1e3
    lattices = torch.randint(0, 4, (2, *shape)).to(dtype)
    return {
        "cubes": (torch.rand(shape, dtype=dtype), torch.rand(shape, dtype=dtype)),
        "spheres": (spheres[0].to(dtype), spheres[1].to(dtype)),
        "lattices": (lattices[0], lattices[1]),
        "one place": (torch.ones(shape, dtype=dtype), torch.ones(shape, dtype=dtype)),
    }


def problems(sizes: tuple[int, ...]) -> Iterator[tuple[Tensor, Tensor]]:
    for points in sizes:
        for dtype in (torch.float32, torch.float64):
            yield from clouds(3, points, dtype).values()


def close(got: Tensor, expected: Tensor, rtol: float, atol: float = 0.0) -> float:
    """The largest difference, relative to the largest value, of two tensors that must agree."""
    got, expected = got.detach().cpu(), expected.detach().cpu()
    torch.testing.assert_close(got, expected, rtol=rtol, atol=atol)
    scale = float(expected.double().abs().max())
    return float((got.double() - expected.double()).abs().max()) / scale if scale else 0.0


def tolerance(x: Tensor) -> float:
    return 1e-6 if x.dtype == torch.float32 else 1e-12


def with_gradient(distance: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    x, y = x.detach().requires_grad_(), y.detach().requires_grad_()
    value = distance(x, y)
    return (value.detach(), *torch.autograd.grad(value.sum(), (x, y)))
