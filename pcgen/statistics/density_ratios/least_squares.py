"""Density ratios by least squares."""

import torch
from torch import Tensor

from pcgen.errors import positive
from pcgen.statistics.density_ratios._kernels import KernelRatio, Kernels

__all__ = ["by_least_squares"]


def by_least_squares(
    x: Tensor, y: Tensor, kernels: int = 100, bandwidth: float | None = None, ridge: float = 1e-3
) -> KernelRatio:
    """The ratio r = p / q with the least mean squared error under q: LSIF.

        minimise over r = sum_l a_l k_l, a >= 0,  a^T H a / 2 - h^T a + ridge / 2 |a|^2,
        H = mean over y of k(y) k(y)^T,  h = mean over x of k(x)

    Without the ridge, this is E_q (r - p / q)^2 / 2 minus a constant. It is solved exactly, as nonnegative least
    squares.

    Args:
        x: (S, D), samples of p; the kernels are centred at some of them.
        y: (R, D), samples of q.
        kernels: maximum number of kernels.
        bandwidth: h of the kernels exp(-|x - c|^2 / (2 h^2)); by default half the median distance of all rows.
        ridge: weight of |a|^2 / 2.

    Returns:
        log p / q as a function of rows (B, D) -> (B,), in float64.

    Raises:
        ValueError: x and y are not (S, D) and (R, D), finite, with at least two rows each; or a number out of range.

    References:
        Kanamori, Hido, Sugiyama (2009). A Least-squares Approach to Direct Importance Estimation.
        Sugiyama, Suzuki, Kanamori (2012). Density Ratio Estimation in Machine Learning. (As the Bregman
        divergence of ratios with f(r) = (r - 1)^2 / 2.)
    """
    from scipy.optimize import nnls

    basis = Kernels.of(x, y, kernels, bandwidth)
    positive(ridge=ridge)
    of_y, h = basis(y), basis(x).mean(0)
    squares = of_y.T @ of_y / len(y) + ridge * torch.eye(len(h)).to(h)
    factor = torch.linalg.cholesky(squares)  # squares = L L^T; the objective is |L^T a - L^-1 h|^2 / 2 + const
    target = torch.linalg.solve_triangular(factor, h[:, None], upper=False)[:, 0]
    weights = torch.from_numpy(nnls(factor.T.cpu().numpy(), target.cpu().numpy())[0]).to(h)
    return KernelRatio(basis, weights)
