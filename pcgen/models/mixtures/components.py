"""Shared parts of mixtures of Gaussians and similar components: means and precision factors.

A component's precision matrix is U U^T, U upper triangular, as scikit-learn keeps it.
"""

import warnings
from typing import Any

import torch
from torch import Tensor

from pcgen.ranks import count

__all__ = ["alone", "check_components", "fit_on", "shaped", "squared_distances"]


def squared_distances(x: Tensor, means: Tensor, factors: Tensor) -> Tensor:
    """|U_k^T (x - m_k)|^2 of rows (B, D) to components with means (K, D) and factors U (K, D, D): (B, K)."""
    each = [((x - mean) @ factor).square().sum(1) for mean, factor in zip(means, factors, strict=True)]
    return torch.stack(each, dim=1)


def shaped(noise: Tensor, component: Tensor, factors: Tensor) -> Tensor:
    """Standard normal rows (n, D) with the covariance (U U^T)^-1 of the component (n,) of each: (n, D)."""
    found = torch.empty_like(noise)
    for k in component.unique():  # one factor for all its rows: n factors would be n * D^2 numbers
        rows = component == k
        lower = factors[k].T
        found[rows] = torch.linalg.solve_triangular(lower, noise[rows].T, upper=False).T
    return found


def check_components(components: int, rows: int) -> None:
    """Raise an error for more components than training rows."""
    if rows < components:
        raise ValueError(
            f"components: must be at most the number of training rows, {rows}, got {components}; "
            f"set components={max(1, rows // 8)} or less, or give more data"
        )


def alone(model: str) -> None:
    """Raise an error for several processes, of which each would fit its own share of the rows."""
    if count() > 1:
        raise ValueError(
            f"processes: must be 1 for {model}, whose iterations need all rows at once, got {count()}; train it "
            "without torchrun"
        )


def fit_on(estimator: Any, x: Tensor, blame: str) -> None:
    """Run the iterations of a scikit-learn mixture on rows (B, D).

    Raises:
        FloatingPointError: they failed; the text starts with `blame`.
    """
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # one iteration at a time is what is asked for
        try:
            estimator.fit(x.detach().double().cpu().numpy())
        except ValueError as error:
            raise FloatingPointError(f"{blame}: {error}") from error
