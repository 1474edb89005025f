"""Distances between the rows of two samples."""

import torch
from torch import Tensor

__all__ = ["row_distances"]


def row_distances(a: Tensor, b: Tensor) -> Tensor:
    """|a_i - b_j|, (S, R) float64, from differences: |a|^2 + |b|^2 - 2 a b loses its precision far from the origin.

    Gradients have the type of `a` and `b`; for equal rows they are 0.
    """
    return torch.cdist(a.double(), b.double(), compute_mode="donot_use_mm_for_euclid_dist")
