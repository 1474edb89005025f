"""Statistics between two samples of vectors, x (S, D) and y (R, D): differentiable scalars."""

from pcgen.statistics.energy import energy_distance
from pcgen.statistics.kernel_mmd import kernel_mmd
from pcgen.statistics.sliced_wasserstein import sliced_wasserstein

__all__ = ["energy_distance", "kernel_mmd", "sliced_wasserstein"]
