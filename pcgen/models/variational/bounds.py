"""Lower bounds on the log-likelihood by encoders."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from pcgen.errors import at_least
from pcgen.models.base import Batch, GradientLearner
from pcgen.models.priors import Density
from pcgen.models.variational.coding import Coding
from pcgen.models.variational.likelihoods import AxisGaussian, VectorGaussian

__all__ = ["Variational"]


class Variational(GradientLearner, Coding):
    """A model whose encoder gives a lower bound on the log-likelihood of vectors; errors of clouds give no bound.

    It minimises minus the bound unless a subclass has another loss. Args are those of `Coding`.
    """

    objective: ClassVar[str] = "a lower bound on the log-likelihood (ELBO)"
    sampling: ClassVar[str] = "a decoded sample of the prior"
    prior: Density

    def __init__(self, shape: Sequence[int], **networks: Any) -> None:
        super().__init__(shape, **networks)
        if not isinstance(self.likelihood, VectorGaussian):
            self.lacks = ("log_prob_bound",)

    @staticmethod
    def vector_likelihood(dim: int, scale: float, learned: bool) -> VectorGaussian:
        return VectorGaussian(scale, learned) if learned else AxisGaussian(dim, scale)

    def log_prob_bound(self, x: Tensor, labels: Tensor | None = None, draws: int = 1) -> Tensor:
        """An unbiased estimate of a lower bound on log p(x), in nats, (B, dim) -> (B,).

            draws = 1: E[log p(x | z)] - KL(q(z | x) | p(z));  else E log mean over k of p(x | z_k) p(z_k) / q(z_k | x)

        With labels, (B,), it is the bound on log p(x | label).

        Raises:
            ValueError: the model is one of clouds, whose reconstruction error is not a log-likelihood, or draws is
                below 1.
        """
        at_least(1, draws=draws)
        if not isinstance(self.likelihood, VectorGaussian):
            raise ValueError(
                f"log_prob_bound: is for models of vectors, this one has shape {self.shape}; an error "
                "between clouds is not a log-likelihood: train it on the codes of an autoencoder"
            )
        y = self.labels.vectors(labels, x)
        if draws == 1:
            nll, divergence = self.terms(x, y)
            return -(nll + divergence)
        return self.log_weights(x, y, draws).logsumexp(0) - math.log(draws)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        nll, divergence = self.terms(batch.x, self.labels.hidden(batch.labels, batch.x))
        return {"reconstruction": nll.mean(), "kl": divergence.mean()}

    def terms(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Minus log p(x | z) at one sample of z, or the error of clouds, and KL(q(z | x) | p(z)), (B,) each."""
        posterior = self.posterior(x, y)
        return self.likelihood.nll(x, self.decoded(posterior.draw(), y)), posterior.kl_from_standard()

    def log_weights(self, x: Tensor, y: Tensor, draws: int) -> Tensor:
        """log p(x | z_k) p(z_k) / q(z_k | x) of independent samples z_k, (draws, B)."""
        posterior = self.posterior(x, y).repeated(draws)
        z = posterior.draw()  # (draws * B, code)
        nll = self.likelihood.nll(x.repeat(draws, 1), self.decoded(z, y.repeat(draws, 1)))
        weights: Tensor = self.prior.log_prob(z) - nll - posterior.log_prob(z)
        return weights.view(draws, -1)

    def refit(self, x: Tensor, y: Tensor) -> None:
        """Learn from training rows (B, dim), labels (B, K), what has a closed form given q: nothing by default."""

    @torch.no_grad()
    def information(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """The mutual information of row and code under q, in nats, by one sample of z for each row, ().

            mean over i of log q(z_i | x_i) - log mean over j of q(z_i | x_j),

        which for S rows is at most log S: use enough rows that it is well below that.
        """
        posterior = self.posterior(x, self.labels.vectors(labels, x))
        z = posterior.draw()
        among = torch.stack([posterior.log_prob(each.expand_as(z)) for each in z])  # (S, S): of z_i given x_j
        return (among.diagonal() - among.logsumexp(1) + math.log(len(z))).mean()
