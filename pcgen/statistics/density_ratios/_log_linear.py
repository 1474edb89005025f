"""Ratios whose logarithm is linear in features of a row."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pcgen.errors import not_negative
from pcgen.statistics._checks import check_finite, check_samples

__all__ = ["Features", "LogLinear", "Standard", "check", "fit_convex", "log_mean_exp", "quadratic"]

Features = Callable[[Tensor], Tensor]
_ITERATIONS, _HISTORY, _SLOPE = 500, 20, 1e-9


def quadratic(z: Tensor) -> Tensor:
    """z_i, and z_i z_j for i <= j, (B, D) -> (B, D + D (D + 1) / 2); the ratio of Gaussians is log-linear in them."""
    first, second = torch.triu_indices(z.shape[1], z.shape[1], device=z.device)
    return torch.cat([z, z[:, first] * z[:, second]], dim=1)


@dataclass(frozen=True)
class Standard:
    """Standardisation of rows by the mean and the standard deviation of two samples together, in float64."""

    mean: Tensor  # (D,)
    deviation: Tensor  # (D,)

    @classmethod
    def of(cls, x: Tensor, y: Tensor) -> "Standard":
        """Fit to both samples together; a constant dimension is only centred."""
        rows = torch.cat([x, y]).double()
        deviation = rows.std(0, correction=0)
        return cls(rows.mean(0), torch.where(deviation > 0, deviation, torch.ones_like(deviation)))

    def __call__(self, rows: Tensor) -> Tensor:
        """The standardised rows, (B, D)."""
        return (rows.double() - self.mean) / self.deviation


@dataclass(frozen=True)
class LogLinear:
    """log p(x) / q(x) = weights . features(x) + offset, as a function of rows (B, D) -> (B,), float64."""

    standard: Standard
    features: Features
    weights: Tensor  # (F,)
    offset: Tensor  # ()

    def __call__(self, rows: Tensor) -> Tensor:
        """The logarithm of the ratio at each row."""
        return self.features(self.standard(rows)) @ self.weights + self.offset


def log_mean_exp(values: Tensor) -> Tensor:
    """log of the mean of exp(values), (B,) -> ()."""
    return values.logsumexp(0) - math.log(len(values))


def fit_convex(
    objective: Callable[[Tensor], Tensor], size: int, ridge: float, like: Tensor, *, offset: bool = False
) -> Tensor:
    """Weights (size,) that minimise a convex objective plus ridge / 2 |weights|^2, by L-BFGS in float64.

    If `offset`, the last weight is one, which the ridge does not shrink.
    """
    weights = torch.zeros(size, dtype=torch.float64, device=like.device, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weights],
        max_iter=_ITERATIONS,
        history_size=_HISTORY,
        tolerance_grad=_SLOPE,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        loss = objective(weights) + ridge / 2 * weights[: size - offset].square().sum()
        (weights.grad,) = torch.autograd.grad(loss, weights)
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    return weights.detach()


def check(x: Tensor, y: Tensor, ridge: float) -> None:
    """Raise a ValueError for a sample with fewer than two rows or with a value that is not finite, or ridge < 0."""
    check_samples(x, y, least=2)
    check_finite(x=x, y=y)
    not_negative(ridge=ridge)
