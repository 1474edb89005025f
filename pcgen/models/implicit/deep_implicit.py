"""Deep implicit model: noise enters at every layer of the generator."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, not_negative, widths
from pcgen.models.adversarial.base import Adversarial
from pcgen.models.base import Batch, Recipe
from pcgen.nets.mlp import MLP

__all__ = ["DeepImplicit", "NoisyLayers"]


class DeepImplicit(Adversarial):
    """A hierarchy of latents, each a function of the one above and of its own noise, without a density.

        h_L = g_L(e_L),  h_l = h_(l+1) + g_l(h_(l+1), e_l),  x = g_0(h_1),  e_l ~ prior

    A discriminator estimates the log-ratio of its density to that of the data, and the generator is trained by it, as
    in `gan`. The paper uses the same ratio to infer parameters and latents; for a generator that is only fitted to
    data, this is what remains.

    Args:
        shape: (dim,).
        layers: of noise, L.
        noise_dim: dimensions of the noise of each layer.
        noise_scale: its unit of length.
        noise: "normal"; "censored", which is max(e, 0) of it; "uniform", "ball" or "mixture" (see
            `pcgen.models.priors`).
        width: of every h_l.
        discriminator_widths: hidden widths; None are 256-512.
        r1: weight of the penalty on the discriminator's gradient at the data; 0 is none.
        lr: Adam's learning rate of both networks.
        betas: Adam's moments.

    Logged:
        generator: the generator's loss, mean softplus(-D(G(z))): .693 (log 2) if D cannot distinguish samples from
            data.
        discriminator: mean softplus(-D(x)) + softplus(D(G(z))): 1.386 (2 log 2) if D cannot distinguish them, 0 if
            it is never wrong.
        r1: the penalty, with its weight; logged if r1 is not 0.

    Raises:
        ValueError: a shape that is not that of vectors, or an argument out of range.

    References:
        Tran, Ranganath, Blei (2017). Hierarchical Implicit Models and Likelihood-Free Variational Inference.
    """

    objective: ClassVar[str] = "Jensen-Shannon divergence, as a discriminator sees it"
    accepts: ClassVar[tuple[str, ...]] = ("vector",)

    def __init__(
        self,
        shape: Sequence[int],
        layers: int = 3,
        noise_dim: int = 32,
        noise_scale: float = 1.0,
        noise: str = "normal",
        width: int = 256,
        discriminator_widths: Sequence[int] | None = None,
        r1: float = 5.0,
        lr: float = 1e-3,
        betas: Sequence[float] = (0.0, 0.99),
    ) -> None:
        at_least(1, layers=layers, noise_dim=noise_dim, width=width)
        widths(discriminator_widths=discriminator_widths)
        not_negative(r1=r1)
        super().__init__(
            shape,
            noise_dim=noise_dim,
            noise_scale=noise_scale,
            noise=noise,
            network=lambda shape: NoisyLayers(layers, noise_dim, width, shape[0]),
            critic_widths=discriminator_widths,
            lr=lr,
            betas=betas,
        )
        self.layers, self.r1 = layers, r1

    def latents(self, n: int, truncation: float | None = None) -> Tensor:
        """The independent noises of all layers for n rows, (n, layers * noise_dim)."""
        return torch.cat([self.prior.draw(n, truncation) for _ in range(self.layers)], dim=1)

    @property
    def recipe(self) -> Recipe:
        return Recipe(steps=5000, batch_size=64, average=0.9999)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        return self.play(batch.x, self.r1)


class NoisyLayers(nn.Module):
    """Residual layers: each adds to its input a perceptron of the input and of its own noise.

    Args:
        layers: number of layers, L.
        noise_dim: dimensions of the noise of each.
        width: of the layers.
        out: width of the output.

    Shapes: (B, L * noise_dim) -> (B, out).
    """

    def __init__(self, layers: int, noise_dim: int, width: int, out: int) -> None:
        super().__init__()
        self.noise_dim = noise_dim
        self.enter = nn.Linear(noise_dim, width)
        self.noises = nn.ModuleList(nn.Linear(noise_dim, width) for _ in range(layers - 1))
        self.layers = nn.ModuleList(MLP((width, width, width)) for _ in range(layers - 1))
        self.leave = nn.Linear(width, out)

    def forward(self, noise: Tensor) -> Tensor:
        first, *others = noise.split(self.noise_dim, dim=1)
        h = self.enter(first)
        for enter, layer, own in zip(self.noises, self.layers, others, strict=True):
            h = h + layer((h + enter(own)).relu())  # by a map of its own, the noise is as loud as what comes from above
        x: Tensor = self.leave(h.relu())
        return x
