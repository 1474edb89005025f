"""Maximum spacing estimation of univariate families."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from pcgen.errors import at_least

__all__ = ["MaximumSpacing", "maximum_spacing"]

_TOLERANCE = 1e-7  # of the search, for the parameters and for the mean log spacing
_RESTARTS = 20


@dataclass(frozen=True)
class MaximumSpacing:
    """Maximum spacing estimates of the parameters of a family.

    Attributes:
        parameters: in the order of the family's arguments.
        value: mean over i of log((S + 1) D_i), at most 0. For many samples of the family itself it is near minus
            Euler's constant, -0.577; if it is clearly less, the family does not fit.
    """

    parameters: tuple[float, ...]
    value: float


def maximum_spacing(
    x: Tensor, cdf: Callable[..., Any], start: Sequence[float], *, restarts: int = _RESTARTS
) -> MaximumSpacing:
    """Estimate the parameters with which the distribution function spaces the sorted numbers most evenly.

        maximise over theta  mean over i = 1 ... S + 1 of log D_i,  D_i = F(x_(i); theta) - F(x_(i-1); theta),
        F(x_(0)) = 0,  F(x_(S+1)) = 1

    The sum of the D_i is 1, so the mean is bounded for every family. A likelihood may be unbounded: that of a threshold
    at the least number, or of a mixture component that shrinks onto one number. In regular families, the estimator is
    as efficient as maximum likelihood. The search is the simplex method of Nelder and Mead, restarted at its result
    until the result does not change.

    Args:
        x: (S,) real numbers, two or more, all different.
        cdf: F of an array, followed by the parameters, such as `scipy.stats.weibull_min.cdf`; NaN for invalid
            parameters.
        start: initial parameters, with which no spacing is 0.
        restarts: maximum number of searches.

    Raises:
        ValueError: numbers that are not (S,), not finite or not all different; no parameters; or a start with which a
            spacing is 0 or NaN.
        FloatingPointError: the search does not converge.

    References:
        Ranneby (1984). The Maximum Spacing Method: An Estimation Method Related to the Maximum Likelihood Method.
        Cheng, Amin (1983). Estimating Parameters in Continuous Univariate Distributions with a Shifted Origin.
    """
    from scipy.optimize import minimize

    at_least(1, restarts=restarts)
    rows = _sorted(x)
    if not len(start):
        raise ValueError("start: must be one number for each parameter of the family, got none")

    def loss(parameters: Any) -> float:
        with np.errstate(all="ignore"):  # invalid parameters
            ends = np.concatenate([[0.0], cdf(rows, *parameters), [1.0]])
            logs = np.log(np.diff(ends) * (len(rows) + 1))
        return -float(logs.mean()) if np.isfinite(logs).all() else math.inf

    best, value = np.asarray(start, dtype=float), loss(start)
    if not math.isfinite(value):
        raise ValueError(
            f"start: must give all neighbours in x a spacing above 0, got {list(start)}, which does not; start from "
            "parameters with which all numbers are possible"
        )
    options = {"xatol": _TOLERANCE, "fatol": _TOLERANCE, "maxiter": 500 * len(best), "maxfev": 1000 * len(best)}
    for _ in range(restarts):
        found = minimize(loss, best, method="Nelder-Mead", options=options)
        rested = found.success and value - found.fun < _TOLERANCE
        best, value = found.x, float(found.fun)
        if rested:
            return MaximumSpacing(tuple(float(each) for each in best), -value)
    raise FloatingPointError(
        f"maximum spacing: the search has not converged after {restarts} starts, at {best.tolist()} with a mean log "
        f"spacing of {-value:g}; give a start nearer to the solution, or more restarts"
    )


def _sorted(x: Tensor) -> Any:
    """The numbers as a sorted array in float64, checked."""
    if x.dim() != 1 or len(x) < 2:
        raise ValueError(f"x: must be (S,) with two numbers or more, got shape {tuple(x.shape)}")
    rows = np.sort(x.detach().cpu().double().numpy())
    if not np.isfinite(rows).all():
        raise ValueError("x: must be finite, got NaN or infinity; remove such numbers")
    ties = int((np.diff(rows) == 0).sum())
    if ties:
        raise ValueError(
            f"x: must be numbers that are all different, got {ties} that equal another, with spacings of 0; give them "
            "in float64, or add noise of the size of their rounding"
        )
    return rows
