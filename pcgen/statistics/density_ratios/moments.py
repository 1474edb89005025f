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
    """The ratio r = exp(w . f + c) under which samples of q, weighted by r, have the moments of p.

        mean over y of r(y) f(y) = mean over x of f(x),  mean over y of r(y) = 1

    Of all weights with these moments it has the largest entropy. It is found where the convex
    log mean over y of exp(w . f(y)) - w . mean over x of f(x) is least, whose slope is the difference of the moments.

    Args:
        x: (S, D), samples of p.
        y: (R, D), samples of q.
        features: f, whose means are the moments, of rows (B, D), standardised by both samples together -> (B, F). With
            the default they are mean and covariance.
        ridge: weight of half the squared w: the moments then differ by ridge * w. Where a moment of x is outside of
            what weighted rows of y can have, nothing matches it, and only the ridge holds w back.

    Returns:
        log p / q as a function of rows (B, D) -> (B,), in float64.

    Raises:
        ValueError: x and y are not (S, D) and (R, D), finite, with two rows each, or a negative ridge.

    References:
        Sugiyama, Suzuki, Kanamori (2012). Density Ratio Estimation in Machine Learning. (Moment matching.)
        Hainmueller (2012). Entropy Balancing for Causal Effects.
    """
    check(x, y, ridge)
    standard = Standard.of(x, y)
    moments, of_y = features(standard(x)).mean(0), features(standard(y))
    weights = fit_convex(lambda w: log_mean_exp(of_y @ w) - w @ moments, len(moments), ridge, of_y)
    return LogLinear(standard, features, weights, -log_mean_exp(of_y @ weights))
