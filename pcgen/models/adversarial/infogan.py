"""Generative adversarial network whose code can be inferred from its samples."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, one_hot

from pcgen.errors import at_least, not_negative, widths
from pcgen.models.adversarial.base import Adversarial, frozen
from pcgen.models.adversarial.losses import discriminator_terms, non_saturating
from pcgen.models.adversarial.networks import critic
from pcgen.models.base import Batch, Recipe
from pcgen.optim import descend

__all__ = ["InfoGAN"]


class InfoGAN(Adversarial):
    """A generative adversarial network with a code c besides its noise, and a network Q that infers it from a sample.

        min over G, Q  max over D   V(D, G) - weight * L,   L = E log Q(c | G(z, c)) + H(c) <= I(c; G(z, c))

    The code is one of `categories`, uniformly, and `continuous` numbers uniform in [-1, 1]; Q gives probabilities and
    Gaussians of them. `encode` infers them from data. D is trained as in `gan`; Q is a separate network, while the
    paper's Q shares D's first layers.

    Args:
        shape: (dim,), (members, channels) or (points, 3).
        categories: of the discrete code; 0 is none.
        continuous: numbers of the continuous code; 0 is none.
        weight: of the information in the loss of G and Q. The paper's 1 is for discrete codes. The information of a
            continuous code has no upper limit, so a large weight makes it readable at the cost of the samples.
        noise_dim: dimensions of the noise z.
        noise_scale: its unit of length.
        noise: "normal"; "censored", which is max(z, 0) of it; "uniform", "ball" or "mixture" (see
            `pcgen.models.priors`).
        generator_widths: hidden widths; None are 256-256 for vectors and 64-128-512-1024 for clouds.
        discriminator_widths: hidden widths, of D and of Q; None are 256-512 for vectors and, on every point of a cloud,
            64-128-256-256-512.
        output: "linear", or "relu" for raw codes, which are nonnegative; standardised codes are not.
        r1: weight of the penalty on the discriminator's gradient at the data; 0, as in the paper, is none.
        lr: Adam's learning rate of all networks.
        betas: Adam's moments.

    Logged:
        generator: the generator's loss, mean softplus(-D(G(z))): .693 (log 2) if D cannot distinguish samples from
            data.
        information: L in nats: how much of the code Q infers; of a discrete code at most log(categories), of a
            continuous one without a limit.
        discriminator: mean softplus(-D(x)) + softplus(D(G(z))): 1.386 (2 log 2) if D cannot distinguish them, 0 if
            it is never wrong.
        r1: the penalty, with its weight; logged if r1 is not 0.

    Raises:
        ValueError: a shape that is none of them, no code at all, or an argument out of range.

    References:
        Chen, Duan, Houthooft, Schulman, Sutskever, Abbeel (2016). InfoGAN: Interpretable Representation Learning by
        Information Maximizing Generative Adversarial Nets.
    """

    objective: ClassVar[str] = "Jensen-Shannon divergence, less the information of a code"

    def __init__(
        self,
        shape: Sequence[int],
        categories: int = 10,
        continuous: int = 2,
        weight: float = 0.1,
        noise_dim: int = 62,
        noise_scale: float = 1.0,
        noise: str = "normal",
        generator_widths: Sequence[int] | None = None,
        discriminator_widths: Sequence[int] | None = None,
        output: str = "linear",
        r1: float = 5.0,
        lr: float = 1e-3,
        betas: Sequence[float] = (0.0, 0.99),
    ) -> None:
        at_least(0, categories=categories, continuous=continuous)
        if categories + continuous == 0 or categories == 1:
            raise ValueError(
                f"categories, continuous: must make a code, of two categories or more, or of continuous numbers, "
                f"got {categories} and {continuous}; a model without a code is a gan"
            )
        not_negative(weight=weight, r1=r1)
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
            known=categories + continuous,
        )
        self.r1, self.weight = r1, weight
        self.categories, self.continuous = categories, continuous
        self.code_shape = (categories + continuous,)
        self.recognition = critic(self.shape, discriminator_widths, categories + 2 * continuous)
        # Q learns with the generator: both descend the same loss.
        self.generator_optimizer.add_param_group({"params": list(self.recognition.parameters())})

    @property
    def recipe(self) -> Recipe:
        return Recipe(steps=5000, batch_size=64, average=0.9999)

    @property
    def entropy(self) -> float:
        """H(c) in nats, the most that the information of a discrete code can be; of a continuous code, differential."""
        return (math.log(self.categories) if self.categories else 0.0) + self.continuous * math.log(2)

    def draw_codes(self, n: int) -> Tensor:
        """Codes of n samples, (n, categories + continuous): one-hot, then in [-1, 1]."""
        numbers = 2 * torch.rand(n, self.continuous, device=self.device) - 1
        if not self.categories:
            return numbers
        chosen = one_hot(torch.randint(self.categories, (n,), device=self.device), self.categories)
        return torch.cat([chosen.to(numbers), numbers], dim=1)

    def latents(self, n: int, truncation: float | None = None) -> Tensor:
        return torch.cat([self.prior.draw(n, truncation), self.draw_codes(n)], dim=1)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = self.generate(len(batch))
        terms = discriminator_terms(self.critic, batch.x, fake, self.r1)
        descend(torch.stack(list(terms.values())).sum(), self.critic_optimizer)
        latents = self.latents(len(batch))
        with frozen(self.critic):
            fake = self.generator(latents)
            information = self.information(fake, latents[:, self.noise_dim :])
            generator = non_saturating(self.critic(fake))
            descend(generator - self.weight * information, self.generator_optimizer)
        told = {"generator": generator, "information": information, **terms}
        return {name: term.detach() for name, term in told.items()}

    def information(self, x: Tensor, code: Tensor) -> Tensor:
        """The lower bound on I(c; x) in nats, of samples (B, *shape) and their codes (B, categories + continuous)."""
        logits, mean, log_variance = self._read(x)
        log_q = (code[:, : self.categories] * log_softmax(logits, dim=1)).sum(1)
        squares = (code[:, self.categories :] - mean).square() * (-log_variance).exp()
        log_q = log_q - 0.5 * (squares + log_variance + math.log(2 * math.pi)).sum(1)
        return log_q.mean() + self.entropy

    def encode(self, x: Tensor) -> Tensor:
        """What Q reads from rows (B, *shape): probabilities of categories, and means, (B, categories + continuous)."""
        logits, mean, _ = self._read(x)
        return torch.cat([logits.softmax(dim=1), mean], dim=1)

    def _read(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found = self.recognition(x)
        logits, mean, log_variance = found.split((self.categories, self.continuous, self.continuous), dim=1)
        return logits, mean, log_variance
