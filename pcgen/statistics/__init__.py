"""Statistics between two samples of vectors, x (S, D) and y (R, D): differentiable scalars, and tests."""

from pcgen.statistics.energy import energy_distance
from pcgen.statistics.kernel_mmd import kernel_mmd, median_bandwidths
from pcgen.statistics.permutation import PermutationTest, permutation_test, two_sample_test
from pcgen.statistics.sliced_wasserstein import sliced_wasserstein

__all__ = [
    "PermutationTest",
    "energy_distance",
    "kernel_mmd",
    "median_bandwidths",
    "permutation_test",
    "sliced_wasserstein",
    "two_sample_test",
]
