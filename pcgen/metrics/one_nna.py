"""1-NNA: can a nearest-neighbour classifier distinguish the samples from the reference?"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pcgen.metrics._checks import check_matrix, least

__all__ = ["OneNNA", "one_nna", "one_nna_chance", "one_nna_correct"]


@dataclass(frozen=True)
class OneNNA:
    """Leave-one-out accuracies, as shares.

    Attributes:
        accuracy: over both sets.
        samples: over the samples.
        reference: over the reference.
        chance: the mean accuracy if both sets come from one distribution: the ideal.
    """

    accuracy: float
    samples: float
    reference: float
    chance: float


def one_nna(sample_reference: Tensor, sample_sample: Tensor, reference_reference: Tensor) -> OneNNA:
    """Leave-one-out accuracy of the 1-nearest-neighbour classifier over samples and reference; ideal is its chance.

    A cloud gets the class of its nearest other cloud. An accuracy above chance means that the sets differ; below
    chance, the samples are nearer to the reference than it is to itself: copies. For sets of equal size chance is just
    below 0.5. For others it is not, and an accuracy means little: use equally many clouds (see `one_nna_chance`). The
    accuracies of both classes are also given, since their mean can hide a difference. Ties go to the lower index,
    samples first.

    Args:
        sample_reference: distances (S, R); rows are samples, columns are reference clouds.
        sample_sample: distances (S, S); the diagonal is not read.
        reference_reference: distances (R, R); the diagonal is not read.

    Entries may be infinite if a pair is known not to be the nearest of any cloud.

    Raises:
        ValueError: a matrix holds NaN, the shapes do not fit, or a cloud has no finite distance to the other set.

    Lopez-Paz, Oquab (2017), Revisiting Classifier Two-Sample Tests; Yang et al. (2019), PointFlow: 3D Point Cloud
    Generation with Continuous Normalizing Flows.
    """
    samples, reference = one_nna_correct(sample_reference, sample_sample, reference_reference)
    return OneNNA(
        accuracy=float(torch.cat((samples, reference)).double().mean()),
        samples=float(samples.double().mean()),
        reference=float(reference.double().mean()),
        chance=one_nna_chance(len(samples), len(reference)),
    )


def one_nna_chance(samples: int, reference: int) -> float:
    """The mean 1-NNA of two sets from one distribution: every other cloud is equally likely to be the nearest.

    (S (S - 1) + R (R - 1)) / ((S + R) (S + R - 1)); for equal sets of n it is (n - 1) / (2 n - 1), 0.467 for 8 clouds
    each and 0.499 for 400.
    """
    s, r = samples, reference
    return (s * (s - 1) + r * (r - 1)) / ((s + r) * (s + r - 1))


def one_nna_correct(
    sample_reference: Tensor, sample_sample: Tensor, reference_reference: Tensor
) -> tuple[Tensor, Tensor]:
    """Whether each sample, (S,) bool, and each reference cloud, (R,) bool, is classified correctly; see `one_nna`."""
    between = check_matrix(sample_reference, "sample_reference", sparse=True)
    s, r = between.shape
    among_samples = _others(check_matrix(sample_sample, "sample_sample", s, s, sparse=True))
    among_reference = _others(check_matrix(reference_reference, "reference_reference", r, r, sparse=True))
    of_samples, of_reference = (least(between, dim, "sample_reference") for dim in (1, 0))
    # Samples come first in the joint order, so a tie between the classes goes to the sample: <= for samples, < for the
    # reference.
    return among_samples.amin(1) <= of_samples, among_reference.amin(1) < of_reference


def _others(distances: Tensor) -> Tensor:
    """The distances with an infinite diagonal, since no cloud is its own neighbour."""
    return distances.clone().fill_diagonal_(torch.inf)
