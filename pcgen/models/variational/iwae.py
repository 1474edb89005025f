"""Importance-weighted autoencoder of vectors."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from pcgen.errors import at_least, positive
from pcgen.models.base import Batch, Recipe
from pcgen.models.variational.bounds import Variational

__all__ = ["IWAE"]


class IWAE(Variational):
    """A variational autoencoder trained by the bound of k samples of the code, which is tighter with larger k.

        log p(x) >= E log mean over k of p(x, z_k) / q(z_k | x),  z_k ~ q(z | x) = N(m(x), diag v(x))

    In its gradient, each sample is weighted by its share of the sum of p(x, z_k) / q(z_k | x). With one sample it is
    the variational autoencoder. With classes, encoder and decoder also see the label.

    Args:
        shape: (dim,).
        draws: k, samples of the code of each row in every update; 5 and 50 in the paper.
        code: dimensions of z.
        widths: hidden widths of the encoder, and in reverse of the decoder; both are a linear map plus a perceptron
            that starts at zero; () is linear.
        scale: smallest standard deviation of the decoder's noise, in the units of x, as in `vae`; None is 1 for
            standardised vectors.
        learn_scale: whether the noise is isotropic instead, with a learned scale.
        classes: names of the labels' classes; () learns without labels.
        lr: Adam's learning rate.

    Logged:
        bound: minus the bound in nats, mean over rows.

    Raises:
        ValueError: a shape that is not (dim,), or an argument out of range.

    References:
        Burda, Grosse, Salakhutdinov (2016). Importance Weighted Autoencoders.
    """

    objective: ClassVar[str] = "a lower bound on the log-likelihood, by several samples"
    accepts: ClassVar[tuple[str, ...]] = ("vector",)
    # Noise along axes on which standardised codes vary less is no wider than they are, so a wide one costs little.
    vector_scale: ClassVar[float] = 1.0

    def __init__(
        self,
        shape: Sequence[int],
        draws: int = 8,
        code: int = 16,
        widths: Sequence[int] = (256, 256),
        scale: float | None = None,
        learn_scale: bool = False,
        classes: Sequence[str] = (),
        lr: float = 1e-3,
    ) -> None:
        super().__init__(shape, code=code, widths=widths, scale=scale, learn_scale=learn_scale, classes=classes)
        at_least(1, draws=draws)
        positive(lr=lr)
        self.draws = draws
        self.optimizer = torch.optim.Adam([p for p in self.parameters() if p.requires_grad], lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=2000, batch_size=64)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        weights = self.log_weights(batch.x, self.labels.hidden(batch.labels, batch.x), self.draws)
        return {"bound": math.log(self.draws) - weights.logsumexp(0).mean()}
