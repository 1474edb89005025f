"""Density ratios by the Kullback-Leibler divergence."""

import torch
from torch import Tensor

from pcgen.errors import at_least
from pcgen.statistics.density_ratios._kernels import KernelRatio, Kernels

__all__ = ["by_kullback_leibler"]


def by_kullback_leibler(
    x: Tensor, y: Tensor, kernels: int = 100, bandwidth: float | None = None, steps: int = 500
) -> KernelRatio:
    """The ratio r = p / q with the least KL(p | r q): KLIEP.

        maximise over r = sum_l a_l k_l, a >= 0,  mean over x of log r(x)  subject to  mean over y of r(y) = 1

    Let b_l = mean over y of k_l(y) and w_l = a_l b_l; the w_l sum to 1. Then r is a mixture of k_l / b_l with weights
    w, and EM converges to the maximum: each step sets w_l to the mean share of kernel l in r(x). (The paper uses
    projected gradient ascent; the maximum is the same.)

    Args:
        x: (S, D), samples of p; the kernels are centred at some of them.
        y: (R, D), samples of q.
        kernels: maximum number of kernels.
        bandwidth: h of the kernels exp(-|x - c|^2 / (2 h^2)); by default half the median distance of all rows.
        steps: of EM; a step never lowers the mean of log r(x).

    Returns:
        log p / q as a function of rows (B, D) -> (B,), in float64.

    Raises:
        ValueError: x and y are not (S, D) and (R, D), finite, with at least two rows each; or a number out of range.

    References:
        Sugiyama, Suzuki, Nakajima, Kashima, von Bünau, Kawanabe (2008). Direct Importance Estimation for Covariate
        Shift Adaptation.
        Sugiyama, Suzuki, Kanamori (2012). Density Ratio Estimation in Machine Learning. (As the Bregman
        divergence of ratios with f(r) = r log r - r.)
    """
    basis = Kernels.of(x, y, kernels, bandwidth)
    at_least(1, steps=steps)
    mean_y = basis(y).mean(0).clamp_min(_TINY)  # (L,)
    # By logarithms: far from all centres every kernel is 0 by underflow, but their shares are not.
    parts = basis.log(x) - mean_y.log()  # (S, L)
    weights = mean_y.new_full((len(mean_y),), 1 / len(mean_y))
    for _ in range(steps):
        weights = torch.softmax(weights.log() + parts, dim=1).mean(0)
    return KernelRatio(basis, weights / mean_y)


_TINY = 1e-300
