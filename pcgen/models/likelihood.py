"""Models with an exact density, trained by maximum likelihood."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from pcgen.errors import fraction
from pcgen.models import name_of
from pcgen.models.base import Batch, GradientLearner
from pcgen.models.conditional import Conditional, Labels
from pcgen.models.shape import accepted
from pcgen.nets.whitening import Whitening

__all__ = ["ExactLikelihood"]


class ExactLikelihood(GradientLearner, Conditional):
    """A model with an exact density, which maximises the mean log-likelihood of the training rows.

    Rows are whitened (`pcgen.nets.whitening`), and the initial density is N(0, I) there, or nearly so for one made
    of mixtures. So training starts from the full Gaussian of the data, or near it. A few rows are soon overfitted, with
    a high density at them and a low one in between. So each time a row is used, a share of its variance is replaced by
    noise.

    Args:
        shape: of a row.
        smoothing: that share of the variance, in every direction of the data; mean and covariance do not change.
        classes: names of the labels' classes; () learns without labels.

    Raises:
        ValueError: a shape that the model does not accept, or an argument out of range.
    """

    objective: ClassVar[str] = "log-likelihood"

    def __init__(self, shape: Sequence[int], smoothing: float, classes: Sequence[str]) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, name_of(type(self)))
        fraction(smoothing=smoothing)
        self.smoothing = smoothing
        self.labels = Labels(classes)
        self.whitening = Whitening(self.shape[-1])

    @torch.no_grad()
    def setup(self, data: Batch) -> None:
        self.labels.fit(data, name_of(type(self)))
        self.whitening.fit(data.x)

    @abstractmethod
    def log_density(self, x: Tensor, y: Tensor) -> Tensor:
        """log p(x | y) of rows (B, *shape) with labels as vectors (B, K), 0 where they are not known: (B,)."""

    def log_prob(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """log p(x) of each row in nats, (B, *shape) -> (B,); with labels, (B,), given the label."""
        return self.log_density(x, self.labels.vectors(labels, x))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        log_density = self.log_density(self.seen(batch.x), self.labels.hidden(batch.labels, batch.x))
        return {"nll": -log_density.mean()}

    def seen(self, x: Tensor) -> Tensor:
        """Rows for a loss: smoothed in training."""
        return self.whitening.smoothed(x, self.smoothing) if self.training and self.smoothing else x
