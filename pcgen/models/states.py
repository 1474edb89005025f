"""What a draw passes through on its way: the states of a chain, or the steps from noise to data."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from torch import Tensor

from pcgen.errors import at_least
from pcgen.seeds import isolated

__all__ = ["State", "last", "sweeps"]


class State(NamedTuple):
    """Where n draws stand."""

    at: str  # on the way: "step 12", "t = 0.75"
    x: Tensor  # (n, *shape)


def last(way: Iterator[tuple[object, Tensor]]) -> Tensor:
    """Where a way ends: what the last of its states holds, (n, *shape)."""
    ((_, x),) = deque(way, maxlen=1)
    return x


def sweeps(
    start: Tensor, sweep: Callable[[Tensor], Tensor], steps: int, seen: Callable[[Tensor], Tensor]
) -> Iterator[State]:
    """What is seen of units at the start and after each of so many sweeps of a Markov chain.

    Args:
        start: units, (n, ...).
        sweep: from units to those that follow.
        steps: sweeps, at least 1.
        seen: rows of data, (n, *shape), of units. It may draw: before the last sweep such draws leave torch's generator
            as it was and are alike, so that only the units move.

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
