"""Statistics of samples of vectors, x (S, D) and y (R, D), of univariate numbers, and of models' evidence.

Energy distance, kernel MMD, sliced Wasserstein and f-divergences are differentiable scalars; there are permutation
tests, estimates of density ratios (`density_ratios`), herding, maximum spacing estimation, and Bayes factors.
"""

from pcgen.statistics import density_ratios
from pcgen.statistics.bayes_factors import EVIDENCE, BayesFactor, bayes_factor
from pcgen.statistics.energy import energy_distance
from pcgen.statistics.f_divergences import DIVERGENCES, Divergence, f_divergence
from pcgen.statistics.herding import herding
from pcgen.statistics.kernel_mmd import kernel_mmd, median_bandwidths
from pcgen.statistics.permutation import PermutationTest, permutation_test, two_sample_test
from pcgen.statistics.sliced_wasserstein import sliced_wasserstein
from pcgen.statistics.spacing import MaximumSpacing, maximum_spacing

__all__ = [
    "DIVERGENCES",
    "EVIDENCE",
    "BayesFactor",
    "Divergence",
    "MaximumSpacing",
    "PermutationTest",
    "bayes_factor",
    "density_ratios",
    "energy_distance",
    "f_divergence",
    "herding",
    "kernel_mmd",
    "maximum_spacing",
    "median_bandwidths",
    "permutation_test",
    "sliced_wasserstein",
    "two_sample_test",
]
