"""Density ratios by the Kullback-Leibler divergence."""

from torch import Tensor

from pcgen.errors import at_least
from pcgen.statistics.density_ratios._kernels import KernelRatio, Kernels

__all__ = ["by_kullback_leibler"]


def by_kullback_leibler(
    x: Tensor, y: Tensor, kernels: int = 100, bandwidth: float | None = None, steps: int = 500
) -> KernelRatio:
    """The ratio r = p / q for which r q is nearest to p in KL(p | r q): KLIEP.

        maximise over r = sum_l a_l k_l, a from 0 on,  mean over x of log r(x)  under  mean over y of r(y) = 1

    With b_l = mean over y of k_l(y) and w_l = a_l b_l, which sum to 1, r is a mixture of k_l / b_l with weights w, and
    the maximum is the limit of EM: each step gives w_l the mean share that kernel l has in r(x). (The paper ascends the
    slope and brings a back to the constraint after each step; the maximum is the same one.)

    Args:
        x: (S, D), samples of p, about some of which the kernels stand.
        y: (R, D), samples of q.
        kernels: at most this many.
        bandwidth: h of the kernels exp(-|x - c|^2 / (2 h^2)); None takes half the median distance of all rows.
        steps: of EM; a step never lowers the mean of log r(x).

    Returns:
        log p / q as a function of rows (B, D) -> (B,), in float64.

    Raises:
        ValueError: x and y are not (S, D) and (R, D), finite, with two rows each, or a number out of range.

    References:
        Sugiyama, Suzuki, Nakajima, Kashima, von Bünau, Kawanabe (2008). Direct Importance Estimation for Covariate
        Shift Adaptation.
        Sugiyama, Suzuki, Kanamori (2012). Density Ratio Estimation in Machine Learning. (A Bregman divergence of
        ratios, of f(r) = r log r - r.)
    """
    basis = Kernels.of(x, y, kernels, bandwidth)
    at_least(1, steps=steps)
    of_x, mean_y = basis(x), basis(y).mean(0).clamp_min(_TINY)  # (S, L), (L,)
    parts = of_x / mean_y
    weights = mean_y.new_full((len(mean_y),), 1 / len(mean_y))
    for _ in range(steps):
        shares = weights * parts
        weights = (shares / shares.sum(1, keepdim=True)).mean(0)
    return KernelRatio(basis, weights / mean_y)


_TINY = 1e-300
