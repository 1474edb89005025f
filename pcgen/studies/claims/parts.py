"""Factors that are not negative, and parts."""

import math

import torch
from torch import Tensor

from pcgen.studies.claims.claim import Claim, Numbers, scaled
from pcgen.studies.claims.clouds import shapes
from pcgen.studies.claims.judging import Difference
from pcgen.studies.claims.learning import learned

__all__ = ["CLAIM"]

_SPARSE = "sparseness of factors, 0 all alike to 1 a single cell (Hoyer 2004)"
_SPREAD = "spread of factors in space, root mean square distance of their weight from its centre"
_NMF, _PCA = "nonnegative factors", "principal axes"
_CELLS = 8  # along each side of the cube
_FACTORS = 16
_FAMILIES = ["airplane", "car", "chair", "lamp", "mug", "table"]


def _trial(seed: int, effort: float) -> Numbers:
    ((clouds, _),) = shapes(_FAMILIES, [scaled(60, effort, 4)], seed)
    x = _occupancy(clouds)
    factors = {
        _NMF: learned("nmf", x, scaled(300, effort), parts=_FACTORS).parts,
        _PCA: torch.linalg.svd(x - x.mean(0), full_matrices=False).Vh[:_FACTORS],
    }
    return {
        _SPARSE: {name: float(_sparseness(rows.abs()).mean()) for name, rows in factors.items()},
        _SPREAD: {name: float(_spread(rows.abs()).mean()) for name, rows in factors.items()},
    }


def _occupancy(clouds: Tensor) -> Tensor:
    """Share of each cloud's points (S, N, 3) in each cell of the unit cube about 0, (S, cells)."""
    place = ((clouds + 0.5) * _CELLS).long().clamp(0, _CELLS - 1)
    cell = (place[..., 0] * _CELLS + place[..., 1]) * _CELLS + place[..., 2]  # (S, N)
    counts = torch.zeros(len(clouds), _CELLS**3).scatter_add_(1, cell, torch.ones(cell.shape))
    return counts / clouds.shape[1]


def _sparseness(weights: Tensor) -> Tensor:
    """Of factors that are not negative, (K, cells): (sqrt(n) - l1 / l2) / (sqrt(n) - 1), (K,)."""
    root = math.sqrt(weights.shape[1])
    sparse: Tensor = (root - weights.sum(1) / torch.linalg.vector_norm(weights, dim=1).clamp_min(1e-12)) / (root - 1)
    return sparse


def _spread(weights: Tensor) -> Tensor:
    """Of factors that are not negative, (K, cells), in sides of the cube, (K,)."""
    axis = (torch.arange(_CELLS) + 0.5) / _CELLS
    places = torch.cartesian_prod(axis, axis, axis)  # (cells, 3)
    share = weights / weights.sum(1, keepdim=True).clamp_min(1e-12)
    centre = share @ places
    return (share @ places.square().sum(1) - centre.square().sum(1)).clamp_min(0).sqrt()


CLAIM = Claim(
    name="parts",
    says="Nonnegative factors are parts: few cells each, close to each other.",
    source=(
        "Lee, Seung (1999). Learning the Parts of Objects by Non-negative Matrix Factorization. Hosseini-Asl, Zurada, "
        "Nasraoui (2016). Deep Learning of Part-Based Representation of Data."
    ),
    test=(
        "The number of points in each cell of a grid of 8 x 8 x 8, for 60 shapes of each of six families. `nmf` "
        "with 16 parts is compared with the absolute values of the first 16 principal axes."
    ),
    comparisons=(
        Difference(_SPARSE, larger=_NMF, smaller=_PCA),
        Difference(_SPREAD, larger=_PCA, smaller=_NMF),
    ),
    trial=_trial,
)
