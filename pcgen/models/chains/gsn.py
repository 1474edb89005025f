"""Generative stochastic network: a denoising chain with a latent state, trained on its own walks."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, positive
from pcgen.models.base import Batch, Recipe
from pcgen.models.chains.operators import OperatorChain, corruption, denoised
from pcgen.models.conditional import Known
from pcgen.models.variational.posterior import DiagonalGaussian

__all__ = ["GSN"]


class GSN(OperatorChain):
    """A chain of data and a latent state; the next data is sampled given corrupted data and the latent state.

        x~ ~ C(x~ | x_t),  h_(t+1) = tanh(U x~ + V h_t) + noise,  x_(t+1) ~ p(x | x~, h_(t+1)),  h_0 = 0
        loss = mean over t = 1 ... walkback of -log p(x_1 | x~_t, h_(t+1)), x_1 data

    In training, the chain walks from a row of data, and every state is trained to restore that row: if a walk leads
    away from the data, the chain learns the way back. Gradients pass through the latent states of the whole walk,
    but not through sampled data. C and p are Gaussians along the principal axes of the data, and p corrects the
    conditional that is exact for Gaussian data. This is the chain of `dae` with a memory.

    The theorem needs p given latent states as they occur in long chains. Without noise, the latent state would remember
    better and better the row from which a walk started; a long chain has no such row, and is then overconfident. So
    noise is added after the tanh, where large weights cannot outweigh it: each unit passes on at most log2(1 + 1 /
    hidden_noise^2) / 2 bits. The paper adds noise before and after the tanh; it has two layers instead of x~ and h, and
    binary data.

    Args:
        shape: (dim,).
        noise: of the corruption, relative to the data's standard deviation as in `dae`. (The paper's is salt and
            pepper.)
        latent: number of units of h.
        hidden_noise: standard deviation of the noise in h. (The paper's is 2.)
        walkback: transitions of a training walk, at least 2: the latent state is used one transition later.
        steps: transitions of a sample.
        width: of the hidden layers of p's network.
        blocks: number of its blocks.
        dropout: of the network.
        classes: names of the labels' classes; () learns without labels.
        lr: Adam's learning rate.

    Logged:
        nll: -log p(x | state) in nats, mean over rows and the transitions of a walk; this is not a likelihood of the
            data.

    Raises:
        ValueError: a shape that is not (dim,), or an argument out of range.

    References:
        Bengio, Laufer, Alain, Yosinski (2014). Deep Generative Stochastic Networks Trainable by Backprop.
    """

    objective: ClassVar[str] = "log-likelihood of data given the chain's state some steps later"

    def __init__(
        self,
        shape: Sequence[int],
        noise: float = 0.5,
        latent: int = 32,
        hidden_noise: float = 1.0,
        walkback: int = 4,
        steps: int = 60,
        width: int = 128,
        blocks: int = 2,
        dropout: float = 0.3,
        classes: Sequence[str] = (),
        lr: float = 2e-3,
    ) -> None:
        at_least(1, latent=latent)
        super().__init__(
            shape,
            steps=steps,
            width=width,
            blocks=blocks,
            dropout=dropout,
            classes=classes,
            lr=lr,
            context=latent,
        )
        positive(noise=noise, hidden_noise=hidden_noise)
        at_least(2, walkback=walkback)
        self.noise, self.hidden_noise, self.walkback, self.latent = noise, hidden_noise, walkback, latent
        (dim,) = self.shape
        self.inward = nn.Linear(dim, latent)  # U
        self.onward = nn.Linear(latent, latent, bias=False)  # V
        self.optimizer = torch.optim.Adam(self.parameters(), lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=2000, batch_size=64)

    def transition(self, y: Tensor, h: Tensor, known: Known | None = None) -> tuple[DiagonalGaussian, Tensor]:
        """The distribution after y, (B, dim), along the axes, and the latent state after h, (B, latent).

        The latent state does not depend on the label; `known` is None if no label is known.
        """
        noise = corruption(self.variance, self.noise)
        corrupted = y + noise.sqrt() * torch.randn_like(y)
        seen = corrupted / (self.variance + noise).sqrt()  # of variance 1
        h = (self.inward(seen) + self.onward(h)).tanh()
        h = h + self.hidden_noise * torch.randn_like(h)
        moments = denoised(self.variance, noise)
        law: DiagonalGaussian = self.operator(corrupted, y.new_zeros(len(y)), *moments, known, h)
        return law, h

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        y = self.along(batch.x)
        state, h, known = y, self.blank(y), self.told(batch)
        named: list[Tensor] = []
        for _ in range(self.walkback):
            law, h = self.transition(state, h, known)
            named.append(-law.log_prob(y).mean())
            state = law.draw().detach()
        return {"nll": torch.stack(named).mean()}

    def moves(self, y: Tensor, known: Known) -> Iterator[Tensor]:
        h = self.blank(y)
        while True:
            law, h = self.transition(y, h, known)
            y = law.draw()
            yield y

    def blank(self, like: Tensor) -> Tensor:
        """h_0 of each row of `like`, (B, latent)."""
        return like.new_zeros(len(like), self.latent)
