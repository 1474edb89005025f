"""Density ratios by matching moments."""

from torch import Tensor

from pcgen.statistics.density_ratios._log_linear import (
    Features,
    LogLinear,
    Standard,
    check,
    fit_convex,
    log_mean_exp,
    quadratic,
)

__all__ = ["by_moments"]


def by_moments(x: Tensor, y: Tensor, features: Features = quadratic, ridge: float = 1e-4) -> LogLinear:
    """The ratio r = exp(w . f + c) with which samples of q, weighted by r, have the moments of p.

        mean over y of r(y) f(y) = mean over x of f(x),  mean over y of r(y) = 1

    Of all weights with these moments, r has the largest entropy. w minimises the convex function
    log mean over y of exp(w . f(y)) - w . mean over x of f(x), whose gradient is the difference of the moments.

    Args:
        x: (S, D), samples of p.
        y: (R, D), samples of q.
        features: f, of rows (B, D), standardised by both samples together, -> (B, F). Their means are the moments; by
            default these are mean and covariance.
        ridge: weight of |w|^2 / 2; the moments then differ by ridge * w. If no weighting of y's rows has a moment of x,
            only the ridge keeps w finite.

    Returns:
        log p / q as a function of rows (B, D) -> (B,), in float64.

    Raises:
        ValueError: x and y are not (S, D) and (R, D), finite, with at least two rows each; or a negative ridge.

    References:
        Sugiyama, Suzuki, Kanamori (2012). Density Ratio Estimation in Machine Learning. (Moment matching.)
        Hainmueller (2012). Entropy Balancing for Causal Effects.
    """
    check(x, y, ridge)
    standard = Standard.of(x, y)
    moments, of_y = features(standard(x)).mean(0), features(standard(y))
    weights = fit_convex(lambda w: log_mean_exp(of_y @ w) - w @ moments, len(moments), ridge, of_y)
    return LogLinear(standard, features, weights, -log_mean_exp(of_y @ weights))
