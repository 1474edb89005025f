"""Generative adversarial networks: the l-GAN on codes and the r-GAN on clouds."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from pcgen.errors import not_negative, widths
from pcgen.models.adversarial.base import Adversarial
from pcgen.models.base import Batch, Recipe

__all__ = ["GAN"]


class GAN(Adversarial):
    """A generative adversarial network with the non-saturating loss and the R1 penalty.

        discriminator:  minimises mean softplus(-D(x)) + mean softplus(D(G(z))) + r1 / 2 * mean |grad D(x)|^2
        generator:      minimises mean softplus(-D(G(z)))

    D gives logits: without the penalty its optimum is sigmoid(D) = p / (p + q), for data p and samples q. The model of
    vectors is the l-GAN of Achlioptas et al., that of clouds the r-GAN. The defaults for vectors differ from
    theirs, which on a thousand standardised codes lose most of the modes of the data; theirs are r1=0,
    generator_widths=[128], noise_scale=0.2, lr=1e-4, betas=[0.5, 0.999] and, on raw codes, output="relu".

    Args:
        shape: (dim,) or (points, 3).
        noise_dim: dimensions of the noise z.
        noise_scale: its standard deviation.
        noise: "normal"; "censored", which is max(z, 0) of it; "uniform", "ball" or "mixture" (see
            `pcgen.models.priors`).
        generator_widths: hidden widths; None are 256-256 for vectors and 64-128-512-1024 for clouds.
        discriminator_widths: hidden widths; None are 256-512 for vectors and, on every point of a cloud,
            64-128-256-256-512.
        output: "linear", or "relu" for raw codes, which are nonnegative; standardised codes are not.
        r1: weight of the penalty on the discriminator's gradient at the data, which makes training converge; 0 is none.
        lr: Adam's learning rate of both networks.
        betas: Adam's moments.

    Logged:
        generator: the generator's loss, mean softplus(-D(G(z))): .693 (log 2) if D cannot distinguish samples from
            data.
        discriminator: mean softplus(-D(x)) + softplus(D(G(z))): 1.386 (2 log 2) if D cannot distinguish them, 0 if
            it is never wrong.
        r1: the penalty, with its weight; logged if r1 is not 0.

    Raises:
        ValueError: an unsupported shape, or an argument out of range.

    References:
        Goodfellow et al. (2014). Generative Adversarial Nets.
        Achlioptas, Diamanti, Mitliagkas, Guibas (2018). Learning Representations and Generative Models for 3D Point
        Clouds.
        Mescheder, Geiger, Nowozin (2018). Which Training Methods for GANs do actually Converge?
    """

    objective: ClassVar[str] = "Jensen-Shannon divergence, as a discriminator sees it"

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
        return self.play(batch.x, self.r1)
