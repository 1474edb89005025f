"""Generative adversarial networks: the l-GAN on codes and the r-GAN on clouds."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

from pcgen.models.adversarial.base import Adversarial
from pcgen.models.base import Batch, Recipe
from pcgen.optim import descend

__all__ = ["GAN"]


class GAN(Adversarial):
    r"""A generative adversarial network with the non-saturating loss.

    The discriminator D, in logits, descends mean softplus(-D(x)) + mean softplus(D(G(z))), whose optimum is
    sigmoid(D) = p / (p + q) for data p and samples q; the generator descends mean softplus(-D(G(z))).

    Vectors get the l-GAN, clouds the r-GAN; both train with Adam.

    Args:
        shape: (dim,) or (points, 3).
        noise_dim: dimensions of the noise z.
        noise_scale: its standard deviation.
        noise: "normal", or "censored", which is max(z, 0) (Brock et al., 2019), in training and sampling.
        generator_widths: hidden widths; None are the paper's, 128 for vectors and 64-128-512-1024 for clouds.
        discriminator_widths: hidden widths; None are the paper's, 256-512 for vectors and, on every point of a cloud,
            64-128-256-256-512.
        output: "linear", or "relu" for raw codes, which are not negative; standardised ones are.
        learning_rate: of both networks.
        beta1: momentum of Adam.

    Raises:
        ValueError: a shape that is neither, or an argument out of range.

    Goodfellow et al., 2014, Generative adversarial nets. Achlioptas et al., 2018, Learning representations and
    generative models for 3D point clouds.
    """

    recipe: ClassVar[Recipe] = Recipe(steps=8000, batch_size=64)

    def __init__(
        self,
        shape: Sequence[int],
        noise_dim: int = 128,
        noise_scale: float = 0.2,
        noise: str = "normal",
        generator_widths: Sequence[int] | None = None,
        discriminator_widths: Sequence[int] | None = None,
        output: str = "linear",
        learning_rate: float = 1e-4,
        beta1: float = 0.5,
    ) -> None:
        if not 0 <= beta1 < 1:
            raise ValueError(f"beta1: must be in [0, 1), got {beta1}")
        super().__init__(
            shape,
            noise_dim=noise_dim,
            noise_scale=noise_scale,
            noise=noise,
            generator_widths=generator_widths,
            critic_widths=discriminator_widths,
            output=output,
            learning_rate=learning_rate,
            betas=(beta1, 0.999),
        )

    def update(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = self.generate(len(batch.x))
        discriminator = self.discriminator_loss(batch.x, fake)
        descend(discriminator, self.critic_optimizer)
        self.critic.requires_grad_(False)  # the generator's step needs no gradient of it
        generator = softplus(-self.critic(self.generate(len(batch.x)))).mean()
        descend(generator, self.generator_optimizer)
        self.critic.requires_grad_(True)
        return {"discriminator": discriminator.detach(), "generator": generator.detach()}

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Mean softplus(-D(real)) + mean softplus(D(fake)), of (B, *shape) each; 2 log 2 if D knows nothing."""
        return softplus(-self.critic(real)).mean() + softplus(self.critic(fake)).mean()
