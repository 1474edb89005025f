"""C_T: the mean of Z_U over cells, so that each sample is ranked among held-out clouds of its own region."""

from dataclasses import dataclass

from torch import Tensor

from pcgen.metrics._checks import check_distances
from pcgen.metrics.z_u import z_u

__all__ = ["LEAST", "InCells", "c_t"]

LEAST = 20  # minimum number of samples in a cell: from about this number on, U is nearly normal


@dataclass(frozen=True)
class InCells:
    """Z_U in cells.

    Attributes:
        c_t: the mean over cells, weighted by their shares of held-out clouds.
        least: the Z_U of the cell where it is least. It finds copies in one region that the mean does not, but even
            without copies it is below 0: for samples of the data's distribution it is the least of one normal number
            for each cell, below -2.8 with 10 cells, and below -2.2 with 2, in one of 40 sets.
        cells: number of cells that count.
    """

    c_t: float
    least: float
    cells: int


def c_t(
    samples: Tensor, held_out: Tensor, sample_cells: Tensor, held_out_cells: Tensor, least: int = LEAST
) -> InCells | None:
    """The mean of Z_U over cells, weighted by their shares of held-out clouds, and the least Z_U of a cell.

    C_T = sum_c P(c) Z_U(c) / sum_c P(c), over the cells c with Q(c) >= tau = least / m. P(c) is the share of held-out
    clouds in c, Q(c) the share of samples in c, and Z_U(c) the statistic of the clouds in c. A cell without held-out
    clouds has no weight. A value far below 0 means copying.

    In a cell, distances to the training set are alike. So C_T sees copies better than `z_u` in regions where all clouds
    are far from each other: `z_u` also compares them with held-out clouds of other regions, which are nearer still. But
    cells whose samples are too far from the training set cancel cells with copies, as in `z_u`. Look at the least Z_U
    of a cell for these.

    Args:
        samples: the distance of each sample to its nearest training cloud, (m,).
        held_out: the same for held-out clouds, (n,), measured in the same way.
        sample_cells: the cell of each sample, (m,) int64.
        held_out_cells: the cell of each held-out cloud, (n,) int64.
        least: minimum number of samples in a cell that counts, 1 or more.

    Returns:
        The statistics, or None if no cell has both enough samples and a held-out cloud.

    Raises:
        ValueError: distances and cells have different lengths, are empty or not finite, or `least` is below 1.

    Meehan, Chaudhuri, Dasgupta (2020), A Non-Parametric Test to Detect Data-Copying in Generative Models.
    """
    samples, held_out = check_distances(samples, "samples"), check_distances(held_out, "held_out")
    of_samples = check_distances(sample_cells, "sample_cells", len(samples))
    of_held_out = check_distances(held_out_cells, "held_out_cells", len(held_out))
    if least < 1:
        raise ValueError(f"least: must be 1 sample per cell or more, got {least}")
    scores, weights = [], []
    for cell in of_held_out.unique():
        here, there = samples[of_samples == cell], held_out[of_held_out == cell]
        if len(here) >= least:
            scores.append(z_u(here, there))
            weights.append(len(there))
    if not scores:
        return None
    weighed = sum(score * weight for score, weight in zip(scores, weights, strict=True))
    return InCells(weighed / sum(weights), min(scores), len(scores))
