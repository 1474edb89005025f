"""C_T: the mean of Z_U over cells, so that missing samples in one region cannot hide copies in another."""

from torch import Tensor

from pcgen.metrics._checks import check_distances
from pcgen.metrics.z_u import z_u

__all__ = ["LEAST", "c_t"]

LEAST = 20  # minimum number of samples in a cell: from about this number on, U is nearly normal


def c_t(
    samples: Tensor, held_out: Tensor, sample_cells: Tensor, held_out_cells: Tensor, least: int = LEAST
) -> float | None:
    """The mean of Z_U over cells, weighted by their shares of held-out clouds.

    C_T = sum_c P(c) Z_U(c) / sum_c P(c), over the cells c with Q(c) >= tau = least / m. P(c) is the share of held-out
    clouds in c, Q(c) the share of samples in c, and Z_U(c) the statistic of the clouds in c. A cell without held-out
    clouds has no weight. A value far below 0 means copying.

    Args:
        samples: the distance of each sample to its nearest training cloud, (m,).
        held_out: the same for held-out clouds, (n,), measured in the same way.
        sample_cells: the cell of each sample, (m,) int64.
        held_out_cells: the cell of each held-out cloud, (n,) int64.
        least: minimum number of samples in a cell that counts, 1 or more.

    Returns:
        C_T, or None if no cell has both enough samples and a held-out cloud.

    Raises:
        ValueError: distances and cells have different lengths, are empty or not finite, or `least` is below 1.

    Meehan, Chaudhuri, Dasgupta (2020), A Non-Parametric Test to Detect Data-Copying in Generative Models.
    """
    samples, held_out = check_distances(samples, "samples"), check_distances(held_out, "held_out")
    of_samples = check_distances(sample_cells, "sample_cells", len(samples))
    of_held_out = check_distances(held_out_cells, "held_out_cells", len(held_out))
    if least < 1:
        raise ValueError(f"least: must be 1 sample per cell or more, got {least}")
    weighed, weight = 0.0, 0
    for cell in of_held_out.unique():
        here, there = samples[of_samples == cell], held_out[of_held_out == cell]
        if len(here) >= least:
            weighed += len(there) * z_u(here, there)
            weight += len(there)
    return weighed / weight if weight else None
