"""One Gaussian: the baseline of the suite."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from pcgen.errors import choose, positive
from pcgen.models.base import Batch, GenerativeModel, Recipe
from pcgen.models.mixtures.moments import mean_and_covariance
from pcgen.models.shape import accepted

__all__ = ["Gaussian"]


class Gaussian(GenerativeModel):
    """A Gaussian, fitted by maximum likelihood in closed form; with diagonal covariance, the baseline of the suite.

        p(x) = N(x; m, C),  m = mean x,  C = mean (x - m)(x - m)^T + ridge I

    Each update fits the batch from scratch, so one update with all rows is the whole training.

    Args:
        shape: (dim,).
        covariance: "diagonal" (independent dimensions) or "full".
        ridge: variance added in every direction, in the squared units of x; without it, the covariance of fewer rows
            than dimensions is singular.

    Logged:
        nll: minus the log-likelihood in nats, mean over the training rows.

    Raises:
        ValueError: a shape that is not (dim,), an unknown covariance, or a ridge that is not positive.
    """

    objective: ClassVar[str] = "log-likelihood"
    learning: ClassVar[str] = "closed form"
    sampling: ClassVar[str] = "a Gaussian"
    mean: Tensor
    factor: Tensor

    def __init__(self, shape: Sequence[int], covariance: str = "diagonal", ridge: float = 1e-6) -> None:
        super().__init__()
        choose(covariance, ["diagonal", "full"], "covariance")
        positive(ridge=ridge)
        self.shape = accepted(self.accepts, shape, "gaussian")
        (dim,) = self.shape
        self.diagonal = covariance == "diagonal"
        self.ridge = ridge
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("factor", torch.eye(dim))  # lower triangular, covariance = factor factor^T

    @property
    def recipe(self) -> Recipe:
        return Recipe(steps=1, batch_size=None)

    @torch.no_grad()
    def update(self, batch: Batch) -> dict[str, Tensor]:
        mean, covariance = mean_and_covariance(batch.x, "gaussian")
        if self.diagonal:
            covariance = covariance.diagonal().diag()
        covariance = covariance + self.ridge * torch.eye(len(mean), dtype=mean.dtype, device=mean.device)
        factor, failed = torch.linalg.cholesky_ex(covariance)
        if failed:
            raise FloatingPointError(
                f"gaussian: the covariance of the batch is not positive definite; set ridge above {self.ridge:g}"
            )
        self.mean.copy_(mean)
        self.factor.copy_(factor)
        return {"nll": -self.log_prob(batch.x).mean()}

    def log_prob(self, x: Tensor) -> Tensor:
        """Natural logarithm of the density at each row of x, (B, D) -> (B,)."""
        z = torch.linalg.solve_triangular(self.factor, (x - self.mean).T, upper=False)  # (D, B)
        half_log_det = self.factor.diagonal().log().sum()
        log_prob: Tensor = -0.5 * z.square().sum(0) - half_log_det - 0.5 * len(self.mean) * math.log(2 * math.pi)
        return log_prob

    @torch.no_grad()
    def draw(self, n: int) -> Tensor:
        return self.mean + torch.randn(n, len(self.mean), device=self.device) @ self.factor.T
