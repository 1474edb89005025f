"""Five estimators of the ratio p / q of two densities from samples of each.

    ratio = by_classification(x, y)  # x (S, D) of p, y (R, D) of q
    ratio(z)                         # log p(z) / q(z), (B,)

A classifier, matching of moments, and denoisers give log-linear ratios, which are exact for Gaussians. KLIEP
(Kullback-Leibler) and LSIF (least squares), the two common Bregman divergences of ratios, give sums of kernels. Which
one is best depends on the data: a better ratio gives a higher `pcgen.statistics.f_divergence` on held-out samples.
"""

from pcgen.statistics.density_ratios.classification import by_classification
from pcgen.statistics.density_ratios.denoising import by_denoising
from pcgen.statistics.density_ratios.kullback_leibler import by_kullback_leibler
from pcgen.statistics.density_ratios.least_squares import by_least_squares
from pcgen.statistics.density_ratios.moments import by_moments

__all__ = ["by_classification", "by_denoising", "by_kullback_leibler", "by_least_squares", "by_moments"]
