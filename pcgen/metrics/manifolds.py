"""Precision, recall, density and coverage: sets compared as unions of balls around their clouds."""

from dataclasses import dataclass

from torch import Tensor

from pcgen.metrics._checks import check_matrix

__all__ = ["Manifolds", "manifolds"]


@dataclass(frozen=True)
class Manifolds:
    """How much of each set lies in the other's union of balls.

    Attributes:
        precision: share of samples in a reference cloud's ball: fidelity.
        recall: share of reference clouds in a sample's ball: diversity.
        density: reference balls that hold a sample, over k, mean over samples: fidelity, not bounded by 1.
        coverage: share of reference balls that hold a sample: diversity. Not the `coverage` of Achlioptas et al.
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
    For two samples of one distribution density is near 1 and coverage near 1 - 2^-k. A cloud on a ball's border counts,
    as in the papers' definitions; the package prdc has a strict < instead, which differs where distances are equal: in
    a set that holds one cloud twice, say.

    Args:
        sample_reference: distances (S, R); rows are samples, columns are reference clouds.
        sample_sample: distances (S, S); the diagonal is not read.
        reference_reference: distances (R, R); the diagonal is not read.
        k: neighbours that make a ball, less than both |S| and |R|.

    Raises:
        ValueError: a matrix is not finite or does not fit the others, or k does not fit the sets.

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
