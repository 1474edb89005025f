"""A flow of points by a differential equation, conditional on their set."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from pcgen.errors import choose
from pcgen.nets.gated_field import GatedField
from pcgen.solvers import Field, solve, solve_adaptive

__all__ = ["TRACES", "ContinuousFlow", "Path", "adaptive", "in_steps"]

TRACES = ("exact", "hutchinson")
"""How the divergence of a field is found."""

Path = Callable[[Field, Tensor, float, float], Tensor]
"""path(field, x, start, end): the state at time end, from the state x at time start, along a field."""


def in_steps(count: int) -> Path:
    """A number of equal steps of the fourth-order method, with the exact gradient of what is computed."""

    def path(field: Field, x: Tensor, start: float, end: float) -> Tensor:
        return solve(field, x, [start + (end - start) * i / count for i in range(count + 1)], "rk4")

    return path


def adaptive(field: Field, x: Tensor, start: float, end: float) -> Tensor:
    """Steps as small as the solver's tolerance requires; a field without a solution is a readable error."""
    return solve_adaptive(field, x, start, end).x


class ContinuousFlow(nn.Module):
    """Maps points from noise to data by dx/dt = f(x, t, c), each by itself, given the context c of its set.

        log p(x) = log N(x_0; 0, I) - integral from 0 to 1 of tr(df / dx)(x_t, t, c) dt,  x_1 = x

    It is the identity before training.

    Args:
        channels: of a point, C.
        context: dimensions of the context of a set, K; 0 is none.
        widths: hidden widths of the field.
        trace: "exact", by C directions, or "hutchinson", in training mode an unbiased estimate by one random direction
            for each path.

    Shapes: x (B, N, C), context (B, K).

    Raises:
        ValueError: an unknown trace, or an argument out of range.

    References:
        Chen, Rubanova, Bettencourt, Duvenaud (2018). Neural Ordinary Differential Equations.
        Grathwohl, Chen, Bettencourt, Sutskever, Duvenaud (2019). FFJORD: Free-form Continuous Dynamics for Scalable
        Reversible Generative Models.
    """

    def __init__(self, channels: int, context: int, widths: Sequence[int], trace: str = "exact") -> None:
        super().__init__()
        self.trace = choose(trace, TRACES, "trace")
        self.field = GatedField(channels, 1 + context, widths)

    def to_data(self, noise: Tensor, context: Tensor, path: Path) -> Tensor:
        """Points x_1 of noise x_0, (B, N, C)."""
        return path(self.given(context), noise, 0.0, 1.0)

    def given(self, context: Tensor) -> Field:
        """The velocity f(t, x) of points, given the context of their sets."""
        return lambda t, x: self.field(x, _timed(t, context))

    def to_noise(self, x: Tensor, context: Tensor, path: Path) -> tuple[Tensor, Tensor]:
        """Noise x_0, (B, N, C), of points x_1, and log |dx_0 / dx_1| of each, (B, N)."""
        # A probe that stays the same along a path leaves what is solved smooth in time.
        estimated = self.training and self.trace == "hutchinson"
        probe = 2.0 * torch.randint_like(x, 2) - 1 if estimated else None

        def change(t: float, state: Tensor) -> Tensor:
            at, known = state[..., :-1], _timed(t, context)
            field, spread = self.field.trace(at, known) if probe is None else self.field.traced_by(probe, at, known)
            return torch.cat([field, spread[..., None]], dim=2)

        end = path(change, torch.cat([x, torch.zeros_like(x[..., :1])], dim=2), 1.0, 0.0)
        return end[..., :-1], end[..., -1]

    def log_prob(self, x: Tensor, context: Tensor, path: Path) -> Tensor:
        """log p(x | c) of every point in nats, (B, N)."""
        noise, log_det = self.to_noise(x, context, path)
        return log_det - 0.5 * (noise.square() + math.log(2 * math.pi)).sum(2)


def _timed(t: float, context: Tensor) -> Tensor:
    """The context with the time, (B, 1 + K)."""
    return torch.cat([context.new_full((len(context), 1), t), context], dim=1)
