"""Distributional adversarial network: a second critic sees whole batches."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, choose, not_negative, widths
from pcgen.models.adversarial.base import Adversarial, frozen
from pcgen.models.adversarial.losses import discriminator_terms, non_saturating
from pcgen.models.adversarial.networks import critic
from pcgen.models.base import Batch, Recipe
from pcgen.nets.mlp import MLP
from pcgen.optim import descend

__all__ = ["DAN", "SampleCritic"]

FORMS = ("sample", "two_sample")


class DAN(Adversarial):
    """A generative adversarial network with a second critic, which sees the mean features of whole batches.

        eta(X) = mean over x in X of phi(x);   "sample": s(eta(X));   "two_sample": s(|eta(X) - eta(Y)|)

    The first form distinguishes a batch of data from a generated batch. The second form says whether two halves of a
    batch come from the same distribution. Both notice a generator that misses a mode, which a critic of single rows
    hardly does. In the paper, the samples then cover more modes than those of `gan`; we have not seen this on rings of
    Gaussians. What the second critic sees depends on the size of the batches. Both critics learn in every update; the
    paper's second critic learns in one of five.

    Args:
        shape: (dim,), (members, channels) or (points, 3).
        form: "sample" (DAN-S) or "two_sample" (DAN-2S).
        weight: of the second critic's term in the generator's loss.
        features: number of outputs of phi.
        noise_dim: dimensions of the noise z.
        noise_scale: its unit of length.
        noise: "normal"; "censored", which is max(z, 0) of it; "uniform", "ball" or "mixture" (see
            `pcgen.models.priors`).
        generator_widths: hidden widths; None are 256-256 for vectors and 64-128-512-1024 for clouds.
        discriminator_widths: hidden widths, of the critic and of phi; None are 256-512 for vectors and, on every point
            of a cloud, 64-128-256-256-512.
        output: "linear", or "relu" for raw codes, which are nonnegative; standardised codes are not.
        r1: weight of the penalty on the first critic's gradient at the data; 0, as in the paper, is none.
        lr: Adam's learning rate of all networks.
        betas: Adam's moments.

    Logged:
        generator: the generator's loss, mean softplus(-D(G(z))): .693 (log 2) if D cannot distinguish samples from
            data.
        sample: the same term of the second critic, for a generated batch: log 2 if it cannot distinguish them.
        discriminator: mean softplus(-D(x)) + softplus(D(G(z))): 1.386 (2 log 2) if D cannot distinguish them, 0 if
            it is never wrong.
        sample_discriminator: the same term of the second critic.
        r1: the penalty, with its weight; logged if r1 is not 0.

    Raises:
        ValueError: an unsupported shape, or an argument out of range.

    References:
        Li, Alvarez-Melis, Xu, Jegelka, Sra (2017). Distributional Adversarial Networks.
    """

    objective: ClassVar[str] = "Jensen-Shannon divergences of rows and of batches"

    def __init__(
        self,
        shape: Sequence[int],
        form: str = "two_sample",
        weight: float = 0.2,
        features: int = 64,
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
        at_least(1, features=features)
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
        not_negative(weight=weight, r1=r1)
        self.form, self.weight, self.r1 = choose(form, FORMS, "form"), weight, r1
        self.samples = SampleCritic(critic(self.shape, discriminator_widths, features), features)
        # It learns beside the first critic, from the same two samples.
        self.critic_optimizer.add_param_group({"params": list(self.samples.parameters())})

    @property
    def recipe(self) -> Recipe:
        return Recipe(steps=4000, batch_size=64, average=0.9999)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        real = batch.x
        with torch.no_grad():
            fake = self.generate(len(batch))
        terms = self.critic_loss(real, fake)
        descend(torch.stack(list(terms.values())).sum(), self.critic_optimizer)
        with frozen(self.critic), frozen(self.samples):
            fake = self.generate(len(batch))
            generator = non_saturating(self.critic(fake))
            told = non_saturating(self.judged(real, fake)[1])
            descend(generator + self.weight * told, self.generator_optimizer)
        return {name: term.detach() for name, term in {"generator": generator, "sample": told, **terms}.items()}

    def critic_loss(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """The losses of the two critics, for a batch of data and a generated one, (B, *shape) each."""
        same, other = self.judged(real, fake)
        sample = non_saturating(same) + non_saturating(-other)
        return {**discriminator_terms(self.critic, real, fake, self.r1), "sample_discriminator": sample}

    def judged(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of "data" for data and samples, or of "same distribution" for pairs that have it and have not."""
        mean = self.samples.mean
        if self.form == "sample":
            return self.samples(mean(real)), self.samples(mean(fake))
        if len(real) < 2:  # a row has no halves
            of_data, of_samples = mean(real), mean(fake)
            return self.samples(of_data, of_data), self.samples(of_data, of_samples)
        first, second, third, fourth = (mean(half) for rows in (real, fake) for half in rows.tensor_split(2))
        same = torch.stack((self.samples(first, second), self.samples(third, fourth)))
        other = torch.stack((self.samples(first, third), self.samples(second, fourth)))
        return same, other


class SampleCritic(nn.Module):
    """A logit for one batch of rows, or for two, from the means of their features; the order of rows does not matter.

    Args:
        phi: (B, *shape) -> (B, features).
        features: number of features.
    """

    def __init__(self, phi: nn.Module, features: int) -> None:
        super().__init__()
        self.phi = phi
        self.head = MLP((features, 64, 1), activation="leaky_relu")

    def mean(self, x: Tensor) -> Tensor:
        """The mean features eta of a batch, (B, *shape) -> (features,)."""
        mean: Tensor = self.phi(x).mean(0)
        return mean

    def forward(self, eta: Tensor, other: Tensor | None = None) -> Tensor:
        """The logit, (1,), of a batch's mean features, or of those of two batches in either order."""
        told: Tensor = self.head(eta if other is None else (eta - other).abs())
        return told
