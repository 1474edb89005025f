"""The closed form of probabilistic principal component analysis."""

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Factors", "principal_factors"]

_LEAST_NOISE = 1e-6


@dataclass(frozen=True)
class Factors:
    """x = loadings z + mean + noise, z ~ N(0, I): the model, and its posterior of z, which is exact and diagonal."""

    loadings: Tensor  # (D, K) float64, orthogonal columns; columns beyond the data's are 0
    noise: Tensor  # (), the variance of the noise

    @property
    def posterior_variance(self) -> Tensor:
        """Diagonal of noise (W^T W + noise I)^-1, (K,), which is diagonal since the columns of W are orthogonal."""
        return self.noise / (self.loadings.square().sum(0) + self.noise)

    @property
    def projection(self) -> Tensor:
        """(K, D): the posterior's mean of x is projection (x - mean)."""
        return (self.posterior_variance / self.noise)[:, None] * self.loadings.T


def principal_factors(covariance: Tensor, count: int, noise: Tensor | float | None = None) -> Factors:
    """Maximum-likelihood factors of data with that covariance: W = U (L - noise I)^(1/2), U, L its leading eigenpairs.

    Args:
        covariance: (D, D), of rows with weights 1 / S.
        count: columns of W, K; at most D - 1 of them are not 0.
        noise: its variance; None is the maximum-likelihood one, the mean of the remaining eigenvalues.

    References:
        Tipping, Bishop (1999). Probabilistic Principal Component Analysis.
    """
    values, vectors = torch.linalg.eigh(covariance.double())
    kept = min(count, len(values) - 1)
    values, vectors = values.flip(0), vectors.flip(1)[:, :kept]  # falling; (D,), (D, kept)
    found = values[kept:].mean().clamp_min(_LEAST_NOISE) if noise is None else values.new_tensor(float(noise))
    loadings = vectors.new_zeros(len(values), count)
    loadings[:, :kept] = vectors * (values[:kept] - found).clamp_min(0).sqrt()
    return Factors(loadings, found)
