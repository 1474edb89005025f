"""Generative stochastic network: a denoising chain with a latent state, trained on its own walks."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, not_negative, positive
from pcgen.models.base import Batch, GradientLearner, Recipe
from pcgen.models.chains.base import AlongAxes
from pcgen.models.chains.operators import corrected, corruption, denoised
from pcgen.models.shape import accepted
from pcgen.models.variational.posterior import DiagonalGaussian
from pcgen.nets.gaussian import GaussianPart

__all__ = ["GSN"]


class GSN(GradientLearner, AlongAxes):
    """A chain of data and of a latent state that remembers; data is drawn given what corruption and noise have left.

        x~ ~ C(x~ | x_t)
        g = tanh(U x~ + V h_t + noise),  h_(t+1) = tanh(W g + noise),  x_(t+1) ~ p(x | g, x~)
        loss = mean over k = 1 ... walkback of -log p(x | state k of the chain from x)

    Training lets the chain walk from a row of data, and after every transition asks it for that row: where its walks
    lead away from the data, it learns the way back. C and p(x | g, x~) are Gaussians along the principal axes of the
    data, and p corrects what is exact for Gaussian data, as in `dae`; the paper's are of pixels that are bits, and its
    p is given g alone.
    Each transition updates both layers from below, as the paper's do; weights up and down are not shared. Slopes go
    through the hidden units of all transitions, and not through the states of x that are drawn.

    Args:
        shape: (dim,).
        noise: of the corruption, a share of the data's deviation as in `dae`. (The paper's is salt and pepper.)
        hidden_noise: deviation of the noise in both layers, before the tanh. (The paper's is 2, before and after it.)
        walkback: transitions of a training walk, from 2 on: what the latent state remembers is of use one later. By
            walks of 3 or 4 (the paper's) the chain learns to rely on its memory of the row that it began from, which
            longer chains have not.
        steps: transitions of a draw, which begins with a latent state of 0.
        width: units of each layer.
        lr: Adam's learning rate.

    Logged:
        nll: -log p(x | state) in nats, a mean over rows and the transitions of a walk.

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
        hidden_noise: float = 0.5,
        walkback: int = 6,
        steps: int = 50,
        width: int = 256,
        lr: float = 1e-3,
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "gsn")
        at_least(1, steps=steps, width=width)
        at_least(2, walkback=walkback)
        positive(noise=noise, lr=lr)
        not_negative(hidden_noise=hidden_noise)
        self.noise, self.hidden_noise = noise, hidden_noise
        self.walkback, self.steps, self.width = walkback, steps, width
        (dim,) = self.shape
        self.gaussian = GaussianPart(dim)
        self.up = nn.Linear(dim, width)
        self.down = nn.Linear(width, width, bias=False)
        self.top = nn.Linear(width, width)
        self.leave = nn.Linear(width, 2 * dim)
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)
        self.optimizer = torch.optim.Adam(self.parameters(), lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=1500, batch_size=64)

    def transition(self, y: Tensor, h: Tensor) -> tuple[DiagonalGaussian, Tensor]:
        """The law of what follows y, (B, dim), along the axes, and the latent state that follows h, (B, width)."""
        noise = corruption(self.variance, self.noise)
        corrupted = y + noise.sqrt() * torch.randn_like(y)
        below = self._noisy(self.up(corrupted) + self.down(h))
        above = self._noisy(self.top(below))
        return corrected(corrupted, *denoised(self.variance, noise), self.leave(below)), above

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        y = self.along(batch.x)
        state, h = y, y.new_zeros(len(y), self.width)
        named: list[Tensor] = []
        for _ in range(self.walkback):
            law, h = self.transition(state, h)
            named.append(-law.log_prob(y).mean())
            state = law.draw().detach()
        return {"nll": torch.stack(named).mean()}

    def moves(self, y: Tensor) -> Iterator[Tensor]:
        h = y.new_zeros(len(y), self.width)
        while True:
            law, h = self.transition(y, h)
            y = law.draw()
            yield y

    def _noisy(self, given: Tensor) -> Tensor:
        """Units of a layer, (B, width), of what they are given."""
        return (given + self.hidden_noise * torch.randn_like(given)).tanh()
