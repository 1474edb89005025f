"""Density ratios by a classifier of the two samples."""

from torch import Tensor
from torch.nn.functional import pad, softplus

from pcgen.statistics.density_ratios._log_linear import Features, LogLinear, Standard, check, fit_convex, quadratic

__all__ = ["by_classification"]


def by_classification(x: Tensor, y: Tensor, features: Features = quadratic, ridge: float = 1e-4) -> LogLinear:
    """The ratio p / q as the odds, by a classifier, that a row is from p and not from q.

        minimise over s  mean over x of log(1 + exp(-s(x))) + mean over y of log(1 + exp(s(y))),  log p / q = s

    s is linear in features: this is logistic regression. Both samples have the same weight, whatever their sizes.

    Args:
        x: (S, D), samples of p.
        y: (R, D), samples of q.
        features: of rows (B, D), standardised by both samples together, -> (B, F).
        ridge: weight of half the squared weights of the features.

    Returns:
        log p / q as a function of rows (B, D) -> (B,), in float64.

    Raises:
        ValueError: x and y are not (S, D) and (R, D), finite, with at least two rows each; or a negative ridge.

    References:
        Bickel, Brückner, Scheffer (2007). Discriminative Learning for Differing Training and Test Distributions.
        Mohamed, Lakshminarayanan (2016). Learning in Implicit Generative Models. (Class-probability estimation.)
    """
    check(x, y, ridge)
    standard = Standard.of(x, y)
    # The last feature is 1; its weight is the offset.
    of_x, of_y = (pad(features(standard(rows)), (0, 1), value=1.0) for rows in (x, y))

    def loss(w: Tensor) -> Tensor:
        return softplus(-(of_x @ w)).mean() + softplus(of_y @ w).mean()

    weights = fit_convex(loss, of_x.shape[1], ridge, of_x, offset=True)
    return LogLinear(standard, features, weights[:-1], weights[-1])
