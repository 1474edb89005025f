"""Random parameters of a shape, one after another."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import torch

__all__ = ["Draw"]

T = TypeVar("T")
_AT_MOST = 64  # parameters of one shape


class Draw:
    """A short stream of random parameters from a generator."""

    def __init__(self, generator: torch.Generator) -> None:
        # One call to torch for a whole shape: a call for each parameter would cost more than the shape's triangles.
        self._uniforms: Iterator[float] = iter(torch.rand(_AT_MOST, generator=generator, dtype=torch.float64).tolist())

    def between(self, low: float, high: float) -> float:
        """A number uniform in [low, high)."""
        return low + (high - low) * next(self._uniforms)

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return next(self._uniforms) < probability

    def one(self, options: Sequence[T]) -> T:
        """One of the options, all equally likely."""
        return options[int(next(self._uniforms) * len(options))]

    def weighed(self, options: Mapping[T, float]) -> T:
        """One of the options, with probability proportional to its weight."""
        left = next(self._uniforms) * sum(options.values())
        for option, weight in options.items():
            left -= weight
            if left < 0:
                return option
        return option
