"""The base of variational autoencoders that also infer the cluster of a row."""

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from pcgen.models.base import Batch, Facts
from pcgen.models.inference import in_batches
from pcgen.models.variational.bounds import Variational
from pcgen.models.variational.coding import Coding
from pcgen.models.variational.likelihoods import VectorGaussian
from pcgen.models.variational.mixture import found_clusters
from pcgen.models.variational.posterior import DiagonalGaussian
from pcgen.optim import descend

__all__ = ["Clustering"]

_SHARE = 0.01  # of the codes' variance: the posterior's, where clustering begins
_LEAST_VARIANCE = 1e-8  # of a dimension of the code that is not used


class Clustering(Variational):
    """A variational autoencoder whose prior is a mixture, and which infers the cluster of a row besides its code.

    The posterior of the cluster is the exact one given a sample of the code. The bound holds for any distribution over
    clusters; the divergences are closed forms, not evaluated at that sample. The model takes no labels.
    """

    conditional: ClassVar[bool] = False
    # A prior that follows the codes leaves no holes between them, so the decoder of vectors can be sharp.
    vector_scale: ClassVar[float] = 0.3

    optimizer: torch.optim.Optimizer

    @staticmethod
    def vector_likelihood(dim: int, scale: float, learned: bool) -> VectorGaussian:
        """Isotropic noise: clusters are distinguished by the distances between rows."""
        return Coding.vector_likelihood(dim, scale, learned)

    @classmethod
    def arguments(cls, facts: Facts) -> dict[str, Any]:
        """No classes, since it finds clusters without labels; and at most one cluster for every ten rows."""
        return {"shape": facts.shape, "clusters": max(1, min(30, facts.rows // 10))}

    @abstractmethod
    def parts(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """The terms of the bound, for rows (B, *shape), and the log probabilities of clusters for each row, (B, K).

        "reconstruction" is minus log p(x | z), or the error of clouds, the others are divergences, (B,) each in nats.
        """

    @abstractmethod
    def log_shares(self, x: Tensor) -> Tensor:
        """The log probability of each cluster for the mean of each row's code, (B, *shape) -> (B, K)."""

    def codes(self, x: Tensor) -> DiagonalGaussian:
        """q(z | x) of many rows, (S, *shape), in evaluation mode, without a graph."""

        def statistics(part: Tensor) -> Tensor:
            posterior = self.posterior(part, part.new_zeros(len(part), 0))
            return torch.cat([posterior.mean, posterior.log_variance], dim=1)

        return DiagonalGaussian(*in_batches(self, statistics, x).chunk(2, dim=1))

    def cluster(self, x: Tensor) -> Tensor:
        """The most likely cluster of each row, (B, *shape) -> (B,) int64."""
        return self.log_shares(x).argmax(1)

    def descended(self, parts: dict[str, Tensor]) -> dict[str, Tensor]:
        """The terms of the loss, () each."""
        return {name: part.mean() for name, part in parts.items()}

    def terms(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        parts, _ = self.parts(x)
        nll = parts.pop("reconstruction")
        return nll, torch.stack(list(parts.values())).sum(0)

    @property
    def pretraining(self) -> bool:
        """Whether it is in the phase of the plain autoencoder."""
        return list(self.recipe.phases)[int(self.phase)] == "autoencoder"

    def narrowed(self, x: Tensor) -> DiagonalGaussian:
        """q(z | x) of many rows, (S, *shape), whose variance is set to a small share of that of its means."""
        code = self.code_shape[0]
        variance = _SHARE * self.codes(x).mean.var(0, correction=0).clamp_min(_LEAST_VARIANCE)
        self.encoder.set_constant(slice(code, 2 * code), variance.log())
        return self.codes(x)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        if self.pretraining:
            return {"reconstruction": self.likelihood.nll(batch.x, self.decode(self.encode(batch.x))).mean()}
        return self.descended(self.parts(batch.x)[0])

    def update(self, batch: Batch) -> dict[str, Tensor]:
        if self.pretraining:
            return super().update(batch)
        parts, log_shares = self.parts(batch.x)
        terms = self.descended(parts)
        descend(torch.stack(list(terms.values())).sum(), self.optimizer)
        told = {name: term.detach() for name, term in terms.items()}
        return told | {"clusters": found_clusters(log_shares.detach())}
