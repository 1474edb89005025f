"""Minimum matching distance: how near the samples come to each reference cloud."""

from torch import Tensor

from pcgen.metrics._checks import check_matrix

__all__ = ["mmd"]


def mmd(sample_reference: Tensor) -> float:
    """Minimum matching distance: mean over reference clouds of the distance to the nearest sample.

    MMD = (1 / |R|) sum_r min_s D[s, r], in the distance's own unit; low is good, beside the training set's value.

    Args:
        sample_reference: distances D (S, R); rows are samples, columns are reference clouds.

    Raises:
        ValueError: D is not a finite matrix.

    Achlioptas, Diamanti, Mitliagkas, Guibas (2018), Learning Representations and Generative Models for 3D Point Clouds.
    """
    return float(check_matrix(sample_reference, "sample_reference").amin(0).mean())
