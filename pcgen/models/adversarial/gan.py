"""Generative adversarial networks: the l-GAN on codes and the r-GAN on clouds."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import softplus

from pcgen.errors import not_negative, widths
from pcgen.models.adversarial.base import Adversarial, frozen
from pcgen.models.base import Batch, Recipe
from pcgen.optim import descend

__all__ = ["GAN"]


class GAN(Adversarial):
    """A generative adversarial network with the non-saturating loss and the R1 penalty.

        discriminator:  descends mean softplus(-D(x)) + mean softplus(D(G(z))) + r1 / 2 * mean |grad D(x)|^2
        generator:      descends mean softplus(-D(G(z)))

    D is in logits: without the penalty its optimum is sigmoid(D) = p / (p + q), for data p and samples q. A vector's
    model is the l-GAN, a cloud's the r-GAN. The defaults for vectors differ from the paper's, which on a thousand
    standardised codes lose most of the data's modes; the paper's are r1=0, generator_widths=[128], noise_scale=0.2,
    lr=1e-4, betas=[0.5, 0.999] and, on raw codes, output="relu".

    Args:
        shape: (dim,) or (points, 3).
        noise_dim: dimensions of the noise z.
        noise_scale: its standard deviation.
        noise: "normal", or "censored", which is max(z, 0) (Brock et al., 2019), in training and sampling.
        generator_widths: hidden widths; None are 256-256 for vectors and 64-128-512-1024 for clouds.
        discriminator_widths: hidden widths; None are 256-512 for vectors and, on every point of a cloud,
            64-128-256-256-512.
        output: "linear", or "relu" for raw codes, which are not negative; standardised ones are.
        r1: weight of the penalty on the discriminator's slope at the data, which makes training converge; 0 is none.
        lr: Adam's learning rate of both networks.
        betas: Adam's moments.

    Raises:
        ValueError: a shape that is neither, or an argument out of range.

    References:
        Goodfellow et al. (2014). Generative Adversarial Nets.
        Achlioptas, Diamanti, Mitliagkas, Guibas (2018). Learning Representations and Generative Models for 3D Point
        Clouds.
        Mescheder, Geiger, Nowozin (2018). Which Training Methods for GANs do actually Converge?
    """

    def __init__(
        self,
        shape: Sequence[int],
        noise_dim: int = 128,
        noise_scale: float = 1.0,
        noise: str = "normal",
        generator_widths: Sequence[int] | None = None,
        discriminator_widths: Sequence[int] | None = None,
        output: str = "linear",
        r1: float = 5.0,
        lr: float = 1e-3,
        betas: Sequence[float] = (0.0, 0.99),
    ) -> None:
        widths(discriminator_widths=discriminator_widths)
        super().__init__(
            shape,
            noise_dim=noise_dim,
            noise_scale=noise_scale,
            noise=noise,
            generator_widths=generator_widths,
            critic_widths=discriminator_widths,
            output=output,
            lr=lr,
            betas=betas,
        )
        not_negative(r1=r1)
        self.r1 = r1

    @property
    def recipe(self) -> Recipe:
        return Recipe(steps=5000, batch_size=64, average=0.9999)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = self.generate(len(batch.x))
        terms = self.discriminator_loss(batch.x, fake)
        descend(torch.stack(list(terms.values())).sum(), self.critic_optimizer)
        with frozen(self.critic):
            generator = softplus(-self.critic(self.generate(len(batch.x)))).mean()
            descend(generator, self.generator_optimizer)
        return {"generator": generator.detach(), **{name: term.detach() for name, term in terms.items()}}

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """The terms that the discriminator descends, of (B, *shape) each; the first is 2 log 2 if it knows nothing."""
        real = real.detach().requires_grad_(self.r1 > 0)
        logits = self.critic(real)
        terms = {"discriminator": softplus(-logits).mean() + softplus(self.critic(fake)).mean()}
        if self.r1 > 0:
            (slope,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
            terms["r1"] = self.r1 / 2 * slope.flatten(1).square().sum(dim=1).mean()
        return terms
