"""Denoising autoencoder as a generative model: the chain of corrupting and restoring."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from pcgen.errors import at_least, positive
from pcgen.models.base import Batch, Recipe
from pcgen.models.chains.operators import OperatorChain, corruption, denoised
from pcgen.models.variational.posterior import DiagonalGaussian

__all__ = ["DAE"]


class DAE(OperatorChain):
    """A denoising autoencoder of all that corrupted data may have been, and the chain of corrupting and restoring.

        x~_t ~ C(x~ | x_t),  x_(t+1) ~ p(x | x~_t);  loss = mean over t = 1 ... walkback of -log p(x_1 | x~_t), x_1 data

    Where p(x | x~) is the true conditional, the data's law is the chain's stationary one. Here both are Gaussians along
    the principal axes of the data, y of variances L. The corruption has noise of the data's own size along long axes,
    and of the mean one's along short axes. The conditional corrects the one that is exact for Gaussian data,

        C(y~ | y) = N(y, noise^2 (L + mean L)),
        p(y | y~) = N(k y~ + s m(y~), diag s^2 e^v(y~)),  k = L / (L + noise^2 (L + mean L)),  s^2 = (1 - k) L,

    so that training starts from a chain of a full Gaussian. What corrupted data may have been is nearly a Gaussian
    where the noise is small beside the data's own structure; a small noise also makes short steps, and between modes
    that lie far from each other the chain then hardly passes. Each draw is the last state of a chain of its own.

    With a `walkback` of 1 the denoiser learns from corrupted data alone. Its chain also comes to states that corrupted
    data does not come to, and there it is too sure: on a few thousand rows of many dimensions the chain's law has half
    of the data's variance. The paper's walkback lets the chain walk from each row and asks every state for that row,
    which leaves the stationary law as it is.

    Args:
        shape: (dim,).
        noise: of the corruption, a share of the data's deviation.
        walkback: transitions of a training walk.
        steps: transitions of a draw.
        width: of the network's hidden layers.
        blocks: number of its blocks.
        dropout: of the network.
        lr: Adam's learning rate.

    Logged:
        nll: -log p(x | x~) in nats, a mean over rows and the transitions of a walk; no likelihood of the data.

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
        walkback: int = 3,
        steps: int = 60,
        width: int = 128,
        blocks: int = 2,
        dropout: float = 0.3,
        lr: float = 2e-3,
    ) -> None:
        super().__init__(shape, steps=steps, width=width, blocks=blocks, dropout=dropout, lr=lr)
        positive(noise=noise)
        at_least(1, walkback=walkback)
        self.noise, self.walkback = noise, walkback

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=3000, batch_size=64)

    def corrupt(self, y: Tensor) -> Tensor:
        """A draw of C(y~ | y) along the axes, (B, dim)."""
        return y + corruption(self.variance, self.noise).sqrt() * torch.randn_like(y)

    def restored(self, y: Tensor) -> DiagonalGaussian:
        """p(y | y~) of corrupted states, (B, dim), along the axes."""
        moments = denoised(self.variance, corruption(self.variance, self.noise))
        law: DiagonalGaussian = self.operator(y, y.new_zeros(len(y)), *moments)
        return law

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        state = y = self.along(batch.x)
        named: list[Tensor] = []
        for _ in range(self.walkback):
            law = self.restored(self.corrupt(state))
            named.append(-law.log_prob(y).mean())
            state = law.draw().detach()
        return {"nll": torch.stack(named).mean()}

    def moves(self, y: Tensor) -> Iterator[Tensor]:
        while True:
            y = self.restored(self.corrupt(y)).draw()
            yield y
