"""Probabilistic principal component analysis."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from pcgen.errors import at_least
from pcgen.models.base import Batch, Facts, GenerativeModel, Recipe
from pcgen.models.factors import Factors, principal_factors
from pcgen.models.mixtures.moments import mean_and_covariance
from pcgen.models.priors import Normal
from pcgen.models.shape import accepted

__all__ = ["PPCA"]

_FACTORS = 64


class PPCA(GenerativeModel):
    """Probabilistic principal component analysis: a Gaussian with a few factors and isotropic noise, in closed form.

        x = W z + m + e,  z ~ N(0, I),  e ~ N(0, s^2 I),  so that  p(x) = N(x; m, W W^T + s^2 I)
        W = U (L - s^2 I)^(1/2),  s^2 = the mean of the remaining eigenvalues

    L are the largest eigenvalues of the covariance of the training rows, U their eigenvectors. Each update fits the
    batch from scratch, so one update with all rows is the whole training. `encode` gives the posterior mean, (W^T W +
    s^2 I)^-1 W^T (x - m). Its decoding is nearer to the mean than the orthogonal projection, and more so for larger
    s^2.

    The model has only a mean and a covariance: on codes, its samples are as far from held-out ones as those of the full
    Gaussian, whose covariance it approximates with fewer parameters. With few rows, this makes it the better density.

    Args:
        shape: (dim,).
        factors: dimensions of z, columns of W; columns beyond dim - 1 stay 0, since dim - 1 can represent every
            covariance.

    Logged:
        nll: minus the log-likelihood in nats, mean over the training rows.
        noise: s^2, in the squared units of x; at least 1e-6.

    Raises:
        ValueError: a shape that is not (dim,), or no factors.

    References:
        Tipping, Bishop (1999). Probabilistic Principal Component Analysis.
    """

    objective: ClassVar[str] = "log-likelihood"
    learning: ClassVar[str] = "closed form"
    sampling: ClassVar[str] = "a linear map of a Gaussian"
    mean: Tensor
    loadings: Tensor
    noise: Tensor

    def __init__(self, shape: Sequence[int], factors: int = _FACTORS) -> None:
        super().__init__()
        at_least(1, factors=factors)
        self.shape = accepted(self.accepts, shape, "ppca")
        (dim,) = self.shape
        self.code_shape = (factors,)
        self.prior = Normal(factors)
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("loadings", torch.zeros(dim, factors))  # W
        self.register_buffer("noise", torch.ones(()))  # s^2

    @classmethod
    def arguments(cls, facts: Facts) -> dict[str, Any]:
        """No more factors than a covariance can have."""
        return {"shape": facts.shape, "factors": max(1, min([_FACTORS, *(size - 1 for size in facts.shape)]))}

    @property
    def recipe(self) -> Recipe:
        return Recipe(steps=1, batch_size=None)

    @property
    def factors(self) -> Factors:
        """The fitted factors, with the posterior of z."""
        return Factors(self.loadings, self.noise)

    @torch.no_grad()
    def update(self, batch: Batch) -> dict[str, Tensor]:
        mean, covariance = mean_and_covariance(batch.x, "ppca")
        found = principal_factors(covariance, self.code_shape[0])
        self.mean.copy_(mean)
        self.loadings.copy_(found.loadings)
        self.noise.copy_(found.noise)
        return {"nll": -self.log_prob(batch.x).mean(), "noise": self.noise.clone()}

    def log_prob(self, x: Tensor) -> Tensor:
        """Natural logarithm of the density at each row of x, (B, D) -> (B,)."""
        # (x - m)^T C^-1 (x - m) is the least |x - W z - m|^2 / s^2 + |z|^2 over z, which the posterior's mean has. The
        # inverse written out is a difference of large numbers where s^2 is small.
        z = self.encode(x)
        squared = (x - self.decode(z)).square().sum(1) / self.noise + z.square().sum(1)
        dim, factors = self.loadings.shape
        log_det = (self.loadings.square().sum(0) + self.noise).log().sum() + (dim - factors) * self.noise.log()
        log_prob: Tensor = -0.5 * (squared + log_det + dim * math.log(2 * math.pi))
        return log_prob

    def encode(self, x: Tensor) -> Tensor:
        """Means of the posterior of z, (B, D) -> (B, factors)."""
        return (x - self.mean) @ self.factors.projection.T

    def decode(self, z: Tensor) -> Tensor:
        """Means of x given z, (B, factors) -> (B, D)."""
        return self.mean + z @ self.loadings.T

    @torch.no_grad()
    def draw(self, n: int, truncation: float | None = None) -> Tensor:
        """Draw n new vectors, (n, dim); z can be truncated, in standard deviations."""
        x = self.decode(self.prior.draw(n, truncation))
        return x + self.noise.sqrt() * torch.randn_like(x)
