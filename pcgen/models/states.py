"""Intermediate states of sampling: the states of a chain, or the steps from noise to data."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from torch import Tensor

from pcgen.errors import at_least
from pcgen.seeds import isolated

__all__ = ["State", "last", "sweeps"]


class State(NamedTuple):
    """The state of n samples at one step."""

    at: str  # on the way: "step 12", "t = 0.75"
    x: Tensor  # (n, *shape)


def last(way: Iterator[tuple[object, Tensor]]) -> Tensor:
    """The rows of the last state, (n, *shape)."""
    ((_, x),) = deque(way, maxlen=1)
    return x


def sweeps(
    start: Tensor, sweep: Callable[[Tensor], Tensor], steps: int, seen: Callable[[Tensor], Tensor]
) -> Iterator[State]:
    """The rows of units at the start and after each sweep of a Markov chain.

    Args:
        start: units, (n, ...).
        sweep: from units to those that follow.
        steps: sweeps, at least 1.
        seen: from units to rows of data, (n, *shape). It may use random numbers: before the last sweep, these are the
            same each time and do not advance torch's generator, so only the units change.

    Raises:
        ValueError: no sweep.
    """
    at_least(1, steps=steps)
    units = start
    for place in range(steps):
        with isolated(0, units.device):
            x = seen(units)
        yield State(f"sweep {place}" if place else "start", x)
        units = sweep(units)
    yield State(f"sweep {steps}", seen(units))
