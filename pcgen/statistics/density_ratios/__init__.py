"""The ratio p / q of two densities from samples of each, without the densities: five ways.

    ratio = by_classification(x, y)  # x (S, D) of p, y (R, D) of q
    ratio(z)                         # log p(z) / q(z), (B,)

By a classifier, by matching moments, by denoisers: log-linear ratios, exact for Gaussians. By Kullback and Leibler
(KLIEP) and by least squares (LSIF), the two common Bregman divergences of ratios: sums of kernels. Which is best
depends on the data; `pcgen.statistics.f_divergence` of samples that were held out is higher the better the ratio is.
"""

from pcgen.statistics.density_ratios.classification import by_classification
from pcgen.statistics.density_ratios.denoising import by_denoising
from pcgen.statistics.density_ratios.kullback_leibler import by_kullback_leibler
from pcgen.statistics.density_ratios.least_squares import by_least_squares
from pcgen.statistics.density_ratios.moments import by_moments

__all__ = ["by_classification", "by_denoising", "by_kullback_leibler", "by_least_squares", "by_moments"]
