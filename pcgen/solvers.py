"""Solvers of dx/dt = f(t, x) by explicit Runge-Kutta methods, and the divergence of a vector field."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from pcgen.errors import at_least, choose, positive

__all__ = [
    "METHODS",
    "Field",
    "Solution",
    "adaptive_steps",
    "divergence",
    "hutchinson",
    "solve",
    "solve_adaptive",
    "steps_of",
]

Field = Callable[[float, Tensor], Tensor]
"""f(t, x): the time derivative of states x, (B, ...), at a common time t; it has the shape of x."""


@dataclass(frozen=True)
class _Tableau:
    """Butcher's tableau: k_i = f(t + nodes_i h, x + h sum_j stages_ij k_j), x <- x + h sum_i weights_i k_i."""

    nodes: tuple[float, ...]
    stages: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]


METHODS: dict[str, _Tableau] = {
    "euler": _Tableau((0,), ((),), (1,)),
    "midpoint": _Tableau((0, 1 / 2), ((), (1 / 2,)), (0, 1)),
    "heun": _Tableau((0, 1), ((), (1,)), (1 / 2, 1 / 2)),
    "rk4": _Tableau((0, 1 / 2, 1 / 2, 1), ((), (1 / 2,), (0, 1 / 2), (0, 0, 1)), (1 / 6, 1 / 3, 1 / 3, 1 / 6)),
}
"""Methods with fixed steps, by name, of orders 1, 2, 2 and 4. A step needs one evaluation of the field per node."""

# Dormand, Prince (1980): of order 5; its last stage is the first stage of the next step.
_PAIR = _Tableau(
    (0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1),
    (
        (),
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
        (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
    ),
    (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0),
)
_FOURTH = (5179 / 57600, 0, 7571 / 16695, 393 / 640, -92097 / 339200, 187 / 2100, 1 / 40)
_ERROR = tuple(fifth - fourth for fifth, fourth in zip(_PAIR.weights, _FOURTH, strict=True))


@dataclass(frozen=True)
class Solution:
    """The state that an adaptive solver found at a time, and its cost so far."""

    t: float
    x: Tensor  # the state at that time
    evaluations: int  # of the field
    refused: int  # steps that were repeated with a smaller size


def solve(field: Field, x: Tensor, times: Sequence[float], method: str = "midpoint") -> Tensor:
    """Solve from the first to the last of the times, with one step between neighbouring times.

    Args:
        field: f(t, x).
        x: the state at times[0], (B, ...).
        times: two or more, increasing or decreasing.
        method: a name in `METHODS`: "euler", "midpoint", "heun" or "rk4".

    Returns:
        The state at times[-1], (B, ...).

    Raises:
        ValueError: an unknown method, or fewer than two times.

    References:
        Hairer, Norsett, Wanner (1993). Solving Ordinary Differential Equations I.
    """
    ((_, end),) = deque(steps_of(field, x, times, method), maxlen=1)
    return end


def steps_of(
    field: Field, x: Tensor, times: Sequence[float], method: str = "midpoint"
) -> Iterator[tuple[float, Tensor]]:
    """Each time after the first, with the state at that time; arguments and errors are those of `solve`."""
    tableau = METHODS[choose(method, METHODS, "method")]
    at_least(2, times=len(times))
    for t, after in pairwise(times):
        x = _moved(x, after - t, tableau.weights, _slopes(tableau, field, t, x, after - t))
        yield after, x


def solve_adaptive(
    field: Field, x: Tensor, start: float, end: float, rtol: float = 1e-4, atol: float = 1e-5, most: int = 10_000
) -> Solution:
    """Solve from `start` to `end` with adaptive steps, by the pair of orders 5 and 4 of Dormand and Prince.

    The step is the same for all rows. It is such that the difference of the two orders is within the tolerance in each
    row:

        sqrt(mean over coordinates of (|difference| / (atol + rtol |x|))^2) <= 1.

    Args:
        field: f(t, x).
        x: the state at `start`, (B, ...).
        start: the initial time.
        end: the final time, later or earlier than `start`.
        rtol: relative tolerance; below about 1e-6, float32 is not precise enough.
        atol: absolute tolerance, in the unit of x.
        most: maximum number of evaluations of the field.

    Returns:
        The `Solution` at `end`.

    Raises:
        ValueError: a tolerance that is not positive.
        FloatingPointError: the step is too small to change the time, or the field was evaluated `most` times: it is not
            smooth, not finite, or too steep for the tolerance.

    References:
        Dormand, Prince (1980). A family of embedded Runge-Kutta formulae.
    """
    (found,) = deque(adaptive_steps(field, x, start, end, rtol, atol, most), maxlen=1)
    return found


def adaptive_steps(
    field: Field, x: Tensor, start: float, end: float, rtol: float = 1e-4, atol: float = 1e-5, most: int = 10_000
) -> Iterator[Solution]:
    """The solution at the start and after each step; arguments and errors are those of `solve_adaptive`."""
    positive(rtol=rtol, atol=atol)
    at_least(8, most=most)
    t, h, evaluations, refused = start, (end - start) / 20, 1, 0
    first = field(t, x)
    yield Solution(t, x, evaluations, refused)
    while t != end:
        if abs(h) >= abs(end - t):
            h = end - t
        if t + h == t or evaluations + 6 > most:
            raise FloatingPointError(
                f"solver: stopped at time {t:g} on the way from {start:g} to {end:g}, at steps of {h:.1e} after "
                f"{evaluations} evaluations: the field is not finite or too steep there for rtol {rtol:g}, atol "
                f"{atol:g}; raise the tolerances or `most`, use float64, or use a method with fixed steps"
            )
        slopes = _slopes(_PAIR, field, t, x, h, first)
        evaluations += 6
        new = _moved(x, h, _PAIR.weights, slopes)
        scale = atol + rtol * torch.maximum(x.abs(), new.abs())
        difference = _moved(torch.zeros_like(x), h, _ERROR, slopes) / scale
        worst = _worst(difference)
        if worst <= 1:
            t, x, first = (end if h == end - t else t + h), new, slopes[-1]
            yield Solution(t, x, evaluations, refused)
        else:  # NaN, too
            refused += 1
        h *= min(5.0, max(0.2, 0.9 * max(worst, 1e-10) ** -0.2)) if worst < float("inf") else 0.2


def divergence(field: Field, t: float, x: Tensor) -> tuple[Tensor, Tensor]:
    """The field at x, (B, dim), and its divergence, (B,): sum over i of df_i / dx_i.

    It is exact, by one backward pass for each coordinate. Rows must not depend on each other. It is 0 where the field
    does not depend on x.
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        out = field(t, x)
        rows = [_pulled(out[:, i], x, torch.ones_like(out[:, i]), again=True)[:, i] for i in range(x.shape[1])]
    return out.detach(), torch.stack(rows).sum(dim=0)


def hutchinson(field: Field, t: float, x: Tensor, probe: Tensor) -> tuple[Tensor, Tensor]:
    """The field at x, (B, ...), and an unbiased estimate of its divergence, (B,): probe . J probe.

    Args:
        field: f(t, x); J is its Jacobian.
        t: the time.
        x: the states, (B, ...); rows must not depend on each other.
        probe: of the shape of x, random with mean 0 and covariance I; entries +-1 have the least variance.

    References:
        Hutchinson (1989). A stochastic estimator of the trace of the influence matrix for Laplacian smoothing splines.
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        out = field(t, x)
        pulled = _pulled(out, x, probe)
    return out.detach(), (pulled * probe)[..., None].flatten(1).sum(dim=1)


def _pulled(out: Tensor, x: Tensor, weights: Tensor, *, again: bool = False) -> Tensor:
    """The gradient of sum(weights * out) to x: zeros if out does not depend on x."""
    if not out.requires_grad:
        return torch.zeros_like(x)
    (gradient,) = torch.autograd.grad(out, x, weights, retain_graph=again, allow_unused=True, materialize_grads=True)
    return gradient


def _worst(difference: Tensor) -> float:
    """The largest root mean square of a row of (B, ...); 0 if there are no rows, or if they have no coordinates."""
    if difference.numel() == 0:
        return 0.0
    return difference[..., None].flatten(1).square().mean(dim=1).sqrt().max().item()


def _slopes(
    tableau: _Tableau, field: Field, t: float, x: Tensor, h: float, first: Tensor | None = None
) -> list[Tensor]:
    slopes: list[Tensor] = [] if first is None else [first]
    for node, stage in list(zip(tableau.nodes, tableau.stages, strict=True))[len(slopes) :]:
        slopes.append(field(t + node * h, _moved(x, h, stage, slopes)))
    return slopes


def _moved(x: Tensor, h: float, weights: Sequence[float], slopes: Sequence[Tensor]) -> Tensor:
    for weight, slope in zip(weights, slopes, strict=True):
        if weight:
            x = x + (h * weight) * slope
    return x
