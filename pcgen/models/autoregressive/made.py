"""A masked perceptron that computes all conditionals of several orderings."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from pcgen.errors import positive
from pcgen.models.autoregressive.conditionals import MixtureHead
from pcgen.models.base import Batch, Recipe
from pcgen.models.likelihood import ExactLikelihood
from pcgen.nets.ordered import OrderedMLP

__all__ = ["MADE"]


class MADE(ExactLikelihood):
    """A perceptron whose masks make it autoregressive, in several orderings and connectivities that share its weights.

        p_k(x) = product over i of p(e_i | coordinates before e_i in the k-th ordering) |de / dx|,
        p(x) = mean over k of p_k(x),  e = whitening(x)

    Each update trains one ordering, chosen at random. The mean over all orderings, which the paper uses at the end, is
    itself a density: that of choosing an ordering and then sampling a row in it. `log_prob` and `sample` use this mean;
    `by_ordering` gives its terms. The paper's data is binary, with Bernoulli conditionals; this model learns real
    numbers, and its conditionals are mixtures of Gaussians. The ordered coordinates are those along the principal axes
    of the data, which are uncorrelated, and a mixture starts as nearly N(0, 1). So every ordering starts near the full
    Gaussian, from the Gaussian itself with one part. As in the paper, the network sees the masks through additional
    weights (`pcgen.nets.ordered`). With classes it also sees the label.

    Args:
        shape: (dim,).
        masks: number of orderings, each with its own connectivity; K.
        parts: Gaussians of each conditional.
        widths: of the hidden layers; () is linear.
        dropout: probability that a hidden unit is zeroed.
        smoothing: share of a row's variance that is replaced by noise each time it is used.
        classes: names of the labels' classes; () learns without labels.
        lr: Adam's learning rate.

    Logged:
        nll: minus the log-likelihood of the smoothed rows in nats under one ordering, mean over rows.

    Raises:
        ValueError: a shape that is not (dim,), or an argument out of range.

    References:
        Germain, Gregor, Murray, Larochelle (2015). MADE: Masked Autoencoder for Distribution Estimation.
        Uria, Murray, Larochelle (2014). A Deep and Tractable Density Estimator.
        (The orderings.)
    """

    sampling: ClassVar[str] = "one coordinate after another"

    def __init__(
        self,
        shape: Sequence[int],
        masks: int = 8,
        parts: int = 4,
        widths: Sequence[int] = (512,),
        dropout: float = 0.2,
        smoothing: float = 0.1,
        classes: Sequence[str] = (),
        lr: float = 1e-3,
    ) -> None:
        super().__init__(shape, smoothing, classes)
        (dim,) = self.shape
        positive(lr=lr)
        self.head = MixtureHead(parts, 1)
        self.network = OrderedMLP(dim, widths, self.head.outputs, masks, len(self.labels), dropout)
        self.masks = masks
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=1500, batch_size=128)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The loss of one ordering in training, and of the mean over orderings on held-out rows."""
        if not self.training:
            return super().loss(batch)
        k = int(torch.randint(self.masks, ()))
        y = self.labels.hidden(batch.labels, batch.x)
        return {"nll": -self.log_density_in(k, self.seen(batch.x), y).mean()}

    def log_density(self, x: Tensor, y: Tensor) -> Tensor:
        return self._in_each(x, y).logsumexp(0) - math.log(self.masks)

    def by_ordering(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """log p_k(x) of each ordering in nats, (B, dim) -> (K, B)."""
        return self._in_each(x, self.labels.vectors(labels, x))

    def log_density_in(self, k: int, x: Tensor, y: Tensor) -> Tensor:
        """log p_k(x | y) of rows (B, dim) with labels as vectors (B, C): (B,)."""
        e = self.whitening(x)
        conditionals = self.head(self.network(e, k, y))
        log_density: Tensor = conditionals.log_prob(e[..., None]).sum(1) + self.whitening.log_det
        return log_density

    def _in_each(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.stack([self.log_density_in(k, x, y) for k in range(self.masks)])

    @torch.no_grad()
    def draw(self, n: int, labels: Tensor | None = None) -> Tensor:
        """Draw n new vectors, (n, dim), each in a random ordering.

        Args:
            n: number of samples.
            labels: (n,) int64, of a model with classes.
        """
        e = self.whitening.mean.repeat(n, 1)
        y, orderings = self.labels.vectors(labels, e), torch.randint(self.masks, (n,))
        for k in orderings.unique().tolist():
            rows = (orderings == k).nonzero()[:, 0].to(e.device)
            e[rows] = self.network.one_by_one(len(rows), k, lambda _, told: self.head(told).draw()[:, 0], y[rows])
        return self.whitening.inverse(e)
