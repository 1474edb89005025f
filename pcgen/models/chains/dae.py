"""Denoising autoencoder as a generative model: the chain of corrupting and restoring."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from pcgen.errors import at_least, positive
from pcgen.models.base import Batch, Recipe
from pcgen.models.chains.operators import OperatorChain, corruption, denoised
from pcgen.models.conditional import Known
from pcgen.models.variational.posterior import DiagonalGaussian

__all__ = ["DAE"]


class DAE(OperatorChain):
    """A denoising autoencoder with a distribution of clean data, and the chain that corrupts and denoises in turn.

        x~_t ~ C(x~ | x_t),  x_(t+1) ~ p(x | x~_t);  loss = mean over t = 1 ... walkback of -log p(x_1 | x~_t), x_1 data

    If p(x | x~) is the true conditional, the stationary distribution of the chain is that of the data. Here both are
    Gaussians along the principal axes of the data, where y has the variances L. The corruption has noise of the data's
    own size along long axes, and of the mean size along short axes. The network corrects the conditional that is exact
    for Gaussian data,

        C(y~ | y) = N(y, noise^2 (L + mean L)),
        p(y | y~) = N(k y~ + s m(y~), diag s^2 e^v(y~)),  k = L / (L + noise^2 (L + mean L)),  s^2 = (1 - k) L,

    so that training starts from the chain of a full Gaussian. The true conditional is nearly Gaussian if the noise is
    small compared with the structure of the data. But small noise makes small steps, and the chain then hardly moves
    between modes that lie far apart. Each sample is the last state of its own chain.

    With a `walkback` of 1 the denoiser learns from corrupted data only. Its chain also reaches states that corrupted
    data does not reach, where the denoiser is overconfident: on a few thousand rows of many dimensions, the chain's
    distribution has half of the data's variance. With the paper's walkback, the chain walks from each row, and every
    state is trained to restore that row; this does not change the stationary distribution. Long trainings on few rows
    still narrow the chain's distribution, even at the checkpoint with the best held-out loss, so the default is short.

    Args:
        shape: (dim,).
        noise: of the corruption, relative to the data's standard deviation.
        walkback: transitions of a training walk.
        steps: transitions of a sample.
        width: of the network's hidden layers.
        blocks: number of its blocks.
        dropout: of the network.
        classes: names of the labels' classes; () learns without labels.
        lr: Adam's learning rate.

    Logged:
        nll: -log p(x | x~) in nats, mean over rows and the transitions of a walk; this is not a likelihood of the data.

    Raises:
        ValueError: a shape that is not (dim,), or an argument out of range.

    References:
        Bengio, Yao, Alain, Vincent (2013). Generalized Denoising Auto-Encoders as Generative Models.
    """

    objective: ClassVar[str] = "log-likelihood of data given its corruption"

    def __init__(
        self,
        shape: Sequence[int],
        noise: float = 0.5,
        walkback: int = 5,
        steps: int = 60,
        width: int = 128,
        blocks: int = 2,
        dropout: float = 0.5,
        classes: Sequence[str] = (),
        lr: float = 2e-3,
    ) -> None:
        super().__init__(shape, steps=steps, width=width, blocks=blocks, dropout=dropout, classes=classes, lr=lr)
        positive(noise=noise)
        at_least(1, walkback=walkback)
        self.noise, self.walkback = noise, walkback

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=800, batch_size=64)

    def corrupt(self, y: Tensor) -> Tensor:
        """A sample of C(y~ | y) along the axes, (B, dim)."""
        return y + corruption(self.variance, self.noise).sqrt() * torch.randn_like(y)

    def restored(self, y: Tensor, known: Known | None = None) -> DiagonalGaussian:
        """p(y | y~) of corrupted states, (B, dim), along the axes; `known` is None if no label is known."""
        moments = denoised(self.variance, corruption(self.variance, self.noise))
        law: DiagonalGaussian = self.operator(y, y.new_zeros(len(y)), *moments, known)
        return law

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        state = y = self.along(batch.x)
        known = self.told(batch)
        named: list[Tensor] = []
        for _ in range(self.walkback):
            law = self.restored(self.corrupt(state), known)
            named.append(-law.log_prob(y).mean())
            state = law.draw().detach()
        return {"nll": torch.stack(named).mean()}

    def moves(self, y: Tensor, known: Known) -> Iterator[Tensor]:
        while True:
            y = self.restored(self.corrupt(y), known).draw()
            yield y
