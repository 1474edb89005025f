"""Precision, recall, density and coverage: comparison of sets through balls around their clouds."""

from dataclasses import dataclass

from torch import Tensor

from pcgen.metrics._checks import check_matrix

__all__ = ["Manifolds", "manifolds"]


@dataclass(frozen=True)
class Manifolds:
    """How much of each set is in the balls around the clouds of the other set.

    Attributes:
        precision: share of samples that are in the ball of a reference cloud (fidelity).
        recall: share of reference clouds that are in the ball of a sample (diversity).
        density: number of reference balls that contain a sample, divided by k, mean over samples (fidelity). It may
            exceed 1.
        coverage: share of reference balls that contain a sample (diversity). It is not the `coverage` of Achlioptas et
            al.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def manifolds(sample_reference: Tensor, sample_sample: Tensor, reference_reference: Tensor, k: int = 5) -> Manifolds:
    """Precision and recall, density and coverage, from distances between clouds.

    With rho_k(x) the distance of x to its k-th nearest other cloud of its own set,
    precision = mean_s [exists r: D[s, r] <= rho_k(r)], recall = mean_r [exists s: D[s, r] <= rho_k(s)],
    density = mean_s (1/k) sum_r [D[s, r] <= rho_k(r)], coverage = mean_r [exists s: D[s, r] <= rho_k(r)].
    For two samples of one distribution, density is near 1 and coverage near 1 - 2^-k. A cloud on the border of a ball
    is inside, as in the papers' definitions. The package prdc uses a strict <; results differ if distances are equal,
    for example if a set contains a cloud twice.

    Args:
        sample_reference: distances (S, R); rows are samples, columns are reference clouds.
        sample_sample: distances (S, S); the diagonal is not read.
        reference_reference: distances (R, R); the diagonal is not read.
        k: the neighbour that determines the radius of a ball, less than both |S| and |R|.

    Raises:
        ValueError: a matrix is not finite, the matrices' shapes do not fit, or k is out of range.

    Kynkäänniemi, Karras, Laine, Lehtinen, Aila (2019), Improved Precision and Recall Metric for Assessing Generative
    Models; Naeem, Oh, Uh, Choi, Yoo (2020), Reliable Fidelity and Diversity Metrics for Generative Models.
    """
    between = check_matrix(sample_reference, "sample_reference")
    s, r = between.shape
    if not 1 <= k < min(s, r):
        raise ValueError(f"k: must be at least 1 and less than both sets' sizes, {s} and {r}; got {k}")
    sample_balls = between <= _radii(check_matrix(sample_sample, "sample_sample", s, s), k)[:, None]  # (S, R)
    reference_balls = between <= _radii(check_matrix(reference_reference, "reference_reference", r, r), k)  # (S, R)
    return Manifolds(
        precision=float(reference_balls.any(1).double().mean()),
        recall=float(sample_balls.any(0).double().mean()),
        density=float(reference_balls.sum(1).double().mean() / k),
        coverage=float(reference_balls.any(0).double().mean()),
    )


def _radii(distances: Tensor, k: int) -> Tensor:
    others = distances.clone().fill_diagonal_(float("inf"))
    return others.kthvalue(k, dim=1).values
