"""Minimum matching distance: the mean distance from reference clouds to the nearest sample."""

from torch import Tensor

from pcgen.metrics._checks import check_matrix, least

__all__ = ["mmd"]


def mmd(sample_reference: Tensor) -> float:
    """Minimum matching distance: mean over reference clouds of the distance to the nearest sample.

    MMD = (1 / |R|) sum_r min_s D[s, r], in the unit of the distance. Lower is better. Compare it with the training
    set's value.

    Args:
        sample_reference: distances D (S, R); rows are samples, columns are reference clouds; infinite if a pair is
            known not to be the nearest of its column.

    Raises:
        ValueError: D is not a matrix, or holds NaN, or a column without a finite distance.

    Achlioptas, Diamanti, Mitliagkas, Guibas (2018), Learning Representations and Generative Models for 3D Point Clouds.
    """
    return float(least(check_matrix(sample_reference, "sample_reference", sparse=True), 0, "sample_reference").mean())
