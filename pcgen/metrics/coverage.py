"""Coverage: the share of the reference that the samples represent."""

from torch import Tensor

from pcgen.metrics._checks import check_matrix, least

__all__ = ["coverage"]


def coverage(sample_reference: Tensor) -> float:
    """Coverage: the share of reference clouds that are the nearest reference of at least one sample.

    COV = |{argmin_r D[s, r] : s in S}| / |R|, from 1/|R| to min(1, |S|/|R|); ties go to the lower index. Higher is
    better. Compare it with the training set's value at the same |S| and |R|.

    Args:
        sample_reference: distances D (S, R); rows are samples, columns are reference clouds; infinite if a pair is
            known not to be the nearest of its row.

    Raises:
        ValueError: D is not a matrix, or holds NaN, or a row without a finite distance.

    Achlioptas, Diamanti, Mitliagkas, Guibas (2018), Learning Representations and Generative Models for 3D Point Clouds.
    """
    distances = check_matrix(sample_reference, "sample_reference", sparse=True)
    least(distances, 1, "sample_reference")
    return len(distances.argmin(1).unique()) / distances.shape[1]
