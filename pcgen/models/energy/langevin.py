"""Metropolis-adjusted Langevin sampling, for densities of real numbers with a differentiable energy."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["Slopes", "langevin"]

Slopes = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Of states (B, D) their energies, (B,), and the slopes of these, (B, D)."""


@torch.no_grad()
def langevin(slopes: Slopes, x: Tensor, variance: Tensor, steps: int) -> Tensor:
    """States (B, D) after a number of transitions, which leave exp(-E) / Z exactly invariant.

        x' ~ q(x' | x) = N(x - v / 2 grad E(x), diag v),
        taken with probability min(1, e^(E(x) - E(x')) q(x | x') / q(x' | x)), else x stays

    Without the Metropolis step, the distribution has an error of order v, and a chain can leave a narrow region for
    good if a step is too long for it. With it, such a step is rejected. It costs nothing: the energy is computed with
    its gradient, and the gradient of an accepted move is used for the next one.

    Args:
        slopes: energies and their gradients; those of a row must not depend on other rows.
        x: current states of the chains.
        variance: v of each coordinate, (D,). For independent Gaussians of variances s^2, 2.7 D^(-1/3) s^2 is the most
            efficient (Roberts and Rosenthal), with 57% of the moves taken; other densities want shorter steps.
        steps: transitions.

    Raises:
        FloatingPointError: the energy of a state is not finite.

    References:
        Roberts, Tweedie (1996). Exponential Convergence of Langevin Distributions and Their Discrete Approximations.
        Roberts, Rosenthal (1998). Optimal Scaling of Discrete Approximations to Langevin Diffusions.
    """
    energy, slope = slopes(x)
    broken = int((~energy.isfinite()).sum())
    if broken:
        raise FloatingPointError(
            f"energy: that of {broken} of {len(x)} states is not finite (the model has diverged; lower its lr)"
        )
    for _ in range(steps):
        aim = x - variance / 2 * slope
        there = aim + variance.sqrt() * torch.randn_like(x)
        energy_there, slope_there = slopes(there)
        back = there - variance / 2 * slope_there
        ways = ((there - aim).square() - (x - back).square()) / (2 * variance)  # log q(x | x') - log q(x' | x)
        # A NaN is below nothing: such a move is not taken.
        taken = torch.rand_like(energy).log() < energy - energy_there + ways.sum(1)
        x = torch.where(taken[:, None], there, x)
        slope = torch.where(taken[:, None], slope_there, slope)
        energy = torch.where(taken, energy_there, energy)
    return x
