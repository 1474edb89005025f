"""Statistics of samples of vectors, x (S, D) and y (R, D), of univariate numbers, and of the evidence of models.

Energy distance, kernel MMD, sliced Wasserstein and f-divergences are differentiable scalars. There are permutation
tests, estimates of density ratios (`density_ratios`), herding, maximum spacing estimation, and Bayes factors. Score
matching, noise-contrastive estimation and pseudo-likelihood fit densities that are known up to a constant.
"""

from pcgen.statistics import density_ratios
from pcgen.statistics.bayes_factors import EVIDENCE, BayesFactor, bayes_factor
from pcgen.statistics.energy import energy_distance
from pcgen.statistics.f_divergences import DIVERGENCES, Divergence, f_divergence
from pcgen.statistics.herding import herding
from pcgen.statistics.kernel_mmd import kernel_mmd, median_bandwidths
from pcgen.statistics.noise_contrast import noise_contrastive_loss
from pcgen.statistics.permutation import PermutationTest, permutation_test, two_sample_test
from pcgen.statistics.pseudo_likelihood import log_pseudo_likelihood
from pcgen.statistics.score_matching import denoising_score_matching, score_matching, sliced_score_matching
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
    "denoising_score_matching",
    "density_ratios",
    "energy_distance",
    "f_divergence",
    "herding",
    "kernel_mmd",
    "log_pseudo_likelihood",
    "maximum_spacing",
    "median_bandwidths",
    "noise_contrastive_loss",
    "permutation_test",
    "score_matching",
    "sliced_score_matching",
    "sliced_wasserstein",
    "two_sample_test",
]
