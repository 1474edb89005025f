"""Wasserstein generative adversarial network with gradient penalty."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from pcgen.errors import at_least, not_negative, widths
from pcgen.models.adversarial.base import Adversarial, frozen
from pcgen.models.base import Batch, Recipe
from pcgen.optim import descend

__all__ = ["WGANGP"]


class WGANGP(Adversarial):
    """A generator, and a critic that estimates the Wasserstein distance, with a penalty on its gradient norm.

        critic:     minimises mean f(G(z)) - mean f(x) + penalty * mean (|grad f(u)| - 1)^2
        generator:  minimises -mean f(G(z))

    with u uniform on the segments between data x and samples G(z). At the optimum, mean f(x) - mean f(G(z)) estimates
    the Wasserstein-1 distance under the Euclidean norm. For clouds, the norm is over all coordinates of a cloud. A
    finite penalty lets the critic be steeper than 1: for two points at a distance d, it gives d (1 + d / (2 penalty)).

    One update is `critic_steps` steps of the critic, each on its own part of the batch, and one of the generator.

    Args:
        shape: (dim,) or (points, 3).
        noise_dim: dimensions of the noise z.
        noise_scale: its standard deviation.
        noise: "normal"; "censored", which is max(z, 0) of it; "uniform", "ball" or "mixture" (see
            `pcgen.models.priors`).
        generator_widths: hidden widths; None are 256-256 for vectors and 64-128-512-1024 for clouds.
        critic_widths: hidden widths; None are 256-512 for vectors and, on every point of a cloud, 64-128-256-256-512.
        output: "linear", or "relu" for raw codes, which are nonnegative; standardised codes are not.
        penalty: weight of the gradient penalty, 10 in the paper.
        critic_steps: steps of the critic for each of the generator, 5 in the paper.
        lr: Adam's learning rate of both networks.
        betas: Adam's moments.

    Logged:
        wasserstein: mean f(x) - mean f(G(z)): the critic's estimate of the distance, in units of the data, too large
            where the distance is large relative to the penalty.
        penalty: the gradient penalty, with its weight: near 0 if the norm of the critic's gradient is 1.

    Raises:
        ValueError: an unsupported shape, or an argument out of range.

    References:
        Arjovsky, Chintala, Bottou (2017). Wasserstein Generative Adversarial Networks.
        Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville (2017). Improved Training of Wasserstein GANs.
    """

    objective: ClassVar[str] = "Wasserstein distance, as a critic sees it"

    def __init__(
        self,
        shape: Sequence[int],
        noise_dim: int = 128,
        noise_scale: float = 1.0,
        noise: str = "normal",
        generator_widths: Sequence[int] | None = None,
        critic_widths: Sequence[int] | None = None,
        output: str = "linear",
        penalty: float = 10.0,
        critic_steps: int = 5,
        lr: float = 1e-3,
        betas: Sequence[float] = (0.0, 0.9),
    ) -> None:
        widths(critic_widths=critic_widths)
        super().__init__(
            shape,
            noise_dim=noise_dim,
            noise_scale=noise_scale,
            noise=noise,
            generator_widths=generator_widths,
            critic_widths=critic_widths,
            output=output,
            lr=lr,
            betas=betas,
        )
        not_negative(penalty=penalty)
        at_least(1, critic_steps=critic_steps)
        self.penalty, self.critic_steps = penalty, critic_steps

    @property
    def recipe(self) -> Recipe:
        return Recipe(steps=2500, batch_size=32 * self.critic_steps, average=0.9999)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        parts = batch.x.tensor_split(min(self.critic_steps, len(batch.x)))
        for step in range(self.critic_steps):
            real = parts[step % len(parts)]  # fewer rows than steps are used again
            with torch.no_grad():
                fake = self.generate(len(real))
            terms = self.critic_loss(real, fake)
            descend(terms["gap"] + terms["penalty"], self.critic_optimizer)
        with frozen(self.critic):
            generator = -self.critic(self.generate(len(parts[0]))).mean()
            descend(generator, self.generator_optimizer)
        return {"wasserstein": -terms["gap"].detach(), "penalty": terms["penalty"].detach()}

    def critic_loss(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """The loss terms of the critic, for (B, *shape) each: "gap", minus the distance, and "penalty"."""
        gap = self.critic(fake).mean() - self.critic(real).mean()
        share = torch.rand(len(real), *(1 for _ in self.shape), device=real.device, dtype=real.dtype)
        between = (share * real + (1 - share) * fake).detach().requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        return {"gap": gap, "penalty": self.penalty * (slope.flatten(1).norm(dim=1) - 1).square().mean()}
