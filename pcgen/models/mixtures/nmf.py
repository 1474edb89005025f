"""Nonnegative matrix factorisation, with a distribution of its activations that makes it a generator."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from pcgen.errors import at_least, not_negative
from pcgen.models.base import Batch, Facts, GenerativeModel, Recipe
from pcgen.models.batch import check_rows
from pcgen.models.shape import accepted
from pcgen.ranks import reduce_sum

__all__ = ["NMF", "beta_divergence"]

_TINY = 1e-12  # keeps a quotient of two zeros at zero


class NMF(GenerativeModel):
    """Nonnegative matrix factorisation: rows are sums of nonnegative parts.

        minimise over H (S, parts) and W (parts, dim), both nonnegative,  sum of d(x | H W)
        H <- H * (X (HW)^(beta-2)) W^T / (HW)^(beta-1) W^T,   W <- W * H^T (X (HW)^(beta-2)) / H^T (HW)^(beta-1)

    The multiplicative updates are those of the papers, not of scikit-learn. They keep every factor nonnegative, never
    raise the divergence, and have no learning rate; their state is only the two factors. One update is one step of both
    for the rows of the batch, each of which has its own activations; rows of W are scaled to sum 1. A new row is
    encoded by the update of H alone, which has one minimum.

    A factorisation is not a density. A sample takes the activations of a random training row, each times a gamma
    variable of mean 1: nothing becomes negative, absent parts stay absent, and parts that occur together stay together.
    Independent gammas for each activation, or a Gaussian copula of them, lose the last property: on codes, their
    samples were several times farther from held-out ones. The vector is then gamma distributed about its mean, with the
    variance that the divergence implies:

        z = h_i * g,  g ~ Gamma(mean 1, deviation `smoothing`),  x ~ Gamma(mean z W, variance v (z W)^(2-beta))

    v is fitted to the errors of the training rows, for each dimension; for beta = 1 the variance is that of a scaled
    Poisson distribution.

    Args:
        shape: (dim,).
        rows: S, the number of training rows.
        parts: rows of W.
        beta: of the divergence d, from 1 (the generalised Kullback-Leibler divergence, as in the paper) to 2 (half the
            squared error).
        smoothing: standard deviation of the gamma variables; 0 keeps the activations of training rows. The larger it
            is, the more the variance of samples exceeds that of the data.

    Logged:
        divergence: the divergence of the training rows from their sums of parts, mean over rows; it never rises.

    Raises:
        ValueError: a shape that is not (dim,), or an argument out of range; in training, data with another number of
            rows.

    References:
        Lee, Seung (1999). Learning the Parts of Objects by Non-negative Matrix Factorization.
        Lee, Seung (2001). Algorithms for Non-negative Matrix Factorization.
        Févotte, Idier (2011). Algorithms for Nonnegative Matrix Factorization with the Beta-Divergence.
    """

    objective: ClassVar[str] = "a divergence of rows from sums of parts"
    learning: ClassVar[str] = "multiplicative updates"
    sampling: ClassVar[str] = "activations of a training row times gammas, then a gamma"
    domain: ClassVar[str] = "nonnegative"
    parts: Tensor
    activations: Tensor
    dispersion: Tensor

    def __init__(
        self, shape: Sequence[int], rows: int, parts: int = 32, beta: float = 1.0, smoothing: float = 0.1
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "nmf")
        at_least(1, rows=rows, parts=parts)
        not_negative(smoothing=smoothing)
        if not 1 <= beta <= 2:
            raise ValueError(f"beta: must be from 1 to 2, where the rules never raise the divergence, got {beta}")
        (dim,) = self.shape
        self.code_shape = (parts,)
        self.beta, self.smoothing = beta, smoothing
        self.register_buffer("parts", torch.full((parts, dim), 1 / dim))  # W
        self.register_buffer("activations", torch.ones(rows, parts))  # H
        self.register_buffer("dispersion", torch.ones(dim))  # v

    @classmethod
    def arguments(cls, facts: Facts) -> dict[str, Any]:
        return {"shape": facts.shape, "rows": facts.rows}

    @property
    def recipe(self) -> Recipe:
        return Recipe(steps=500, batch_size=None)

    @torch.no_grad()
    def setup(self, data: Batch) -> None:
        """Parts start half way from the mean to random rows, without zeros, which the updates would never change."""
        check_rows(data, len(self.activations))
        some = data.x[torch.randint(len(data), (len(self.parts),), device=data.x.device)]
        parts = some + data.x.mean(0)
        self.parts.copy_(parts / parts.sum(1, keepdim=True).clamp_min(_TINY))
        self.activations.copy_(self._start(data.x) * (0.5 + torch.rand_like(self.activations)))

    @torch.no_grad()
    def update(self, batch: Batch) -> dict[str, Tensor]:
        x, rows = batch.x, batch.rows
        z = self._step(x, self.activations[rows])
        pull, push = self._sides(x, z)
        up, down = z.T @ pull, z.T @ push  # (K, D)
        reduce_sum([up, down])
        parts = self.parts * up / down.clamp_min(_TINY)
        size = parts.sum(1)  # (K,)
        self.parts.copy_(parts / size.clamp_min(_TINY)[:, None])
        found, seen = torch.zeros_like(self.activations), torch.zeros_like(self.activations[:, :1])
        found[rows], seen[rows] = z, 1.0
        reduce_sum([found, seen])
        self.activations.copy_(torch.where(seen > 0, found, self.activations) * size)
        made = self.decode(z * size)
        total = x.new_tensor([float(beta_divergence(x, made, self.beta).sum()), float(len(x))])
        error, scale = (x - made).square().sum(0), made.pow(2 - self.beta).sum(0)  # (D,)
        reduce_sum([total, error, scale])
        self.dispersion.copy_(error / scale.clamp_min(_TINY))
        return {"divergence": total[0] / total[1]}

    @torch.no_grad()
    def encode(self, x: Tensor, steps: int = 200) -> Tensor:
        """Activations of rows, (B, D) -> (B, parts), by a number of steps of their update."""
        z = self._start(x)
        for _ in range(steps):
            z = self._step(x, z)
        return z

    def decode(self, z: Tensor) -> Tensor:
        """Sums of parts, (B, parts) -> (B, D)."""
        return z @ self.parts

    @torch.no_grad()
    def draw(self, n: int) -> Tensor:
        z = self.activations[torch.randint(len(self.activations), (n,), device=self.device)]
        if self.smoothing > 0:
            shape = torch.full_like(z, self.smoothing**-2)
            z = z * torch.distributions.Gamma(shape, shape).sample()
        made = self.decode(z).clamp_min(_TINY)
        shape = made.pow(self.beta) / self.dispersion.clamp_min(_TINY)  # mean^2 / variance
        return torch.distributions.Gamma(shape, shape / made).sample()

    def _start(self, x: Tensor) -> Tensor:
        """Equal activations of all parts, which sum to a row's sum, (B, parts)."""
        return (x.sum(1, keepdim=True) / len(self.parts)).expand(-1, len(self.parts))

    def _step(self, x: Tensor, z: Tensor) -> Tensor:
        """One step of the update of activations (B, parts)."""
        pull, push = self._sides(x, z)
        return z * (pull @ self.parts.T) / (push @ self.parts.T).clamp_min(_TINY)

    def _sides(self, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """x (zW)^(beta-2) and (zW)^(beta-1), (B, D): the negative and positive parts of the gradient in zW."""
        made = self.decode(z).clamp_min(_TINY)
        return x * made.pow(self.beta - 2), made.pow(self.beta - 1)


def beta_divergence(x: Tensor, y: Tensor, beta: float) -> Tensor:
    """The divergence of rows x from y, (B, D) both and nonnegative, summed over dimensions, (B,).

    (x^beta + (beta - 1) y^beta - beta x y^(beta - 1)) / (beta (beta - 1));  x log(x / y) - x + y at beta = 1
    """
    y = y.clamp_min(_TINY)
    if beta == 1:
        return (torch.xlogy(x, x / y) - x + y).sum(1)
    whole = x.pow(beta) + (beta - 1) * y.pow(beta) - beta * x * y.pow(beta - 1)
    return whole.sum(1) / (beta * (beta - 1))
